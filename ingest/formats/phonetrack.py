"""PhoneTrack's logging address: `…/{token}/{name}?lat=&lon=&timestamp=&acc=&alt=&speed=&bearing=&sat=&bat=`.

As https://github.com/julien-nc/phonetrack reads it: `speed` in m/s, `timestamp` in seconds; GPSLogger and µlogger are
pointed at it as well. What it cannot keep, its clients repeat.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from geo.errors import MalformedError
from ingest.formats import flat
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import NO_VALUE, JsonObject, Report

_MAX_FIELDS = 100


def decode(message: RawMessage) -> list[Report]:
    """The report in one request; JSON in a POST is read as flat JSON.

    Raises
    ------
    MalformedError
        If it names no device, or a value cannot be read.
    EncryptedError
        As `flat.decode`.
    """
    names = [name for name in message.path if name.strip()]
    if message.payload.lstrip()[:1] in (b"{", b"["):
        return flat.decode(message.payload, names)
    text = b"&".join(part for part in (message.query, message.payload.strip()) if part).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise MalformedError("More than {limit} fields in one message.", limit=_MAX_FIELDS) from None
    values: JsonObject = {key: value for key, value in pairs if not NO_VALUE.fullmatch(value.strip())}
    return [flat.decode_object(values, names)]


def _answer(result: IntakeResult) -> bytes:
    return b'{"done":%d,"friends":[]}' % min(result.accepted, 1)


FORMAT = GpsFormat(
    name="phonetrack",
    title="PhoneTrack, GPSLogger",
    description="One position in the query; the device is the token behind the path, and may have a name behind it.",
    decode=decode,
    answer=_answer,
    methods=("GET", "POST"),
    takes_path=True,
)
