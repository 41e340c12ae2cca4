"""What every GPS format is decoded to, why a report is refused, and the few readings that formats share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import InvalidInputError, MalformedError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

MAX_IDENTIFIER_LENGTH = 128
MAX_ATTRIBUTES = 64
"""Unknown keys beyond this many are dropped: a message describes one place, not a database."""
MAX_TEXT_LENGTH = 256
MAX_LISTED = 2_000
"""Refusals of one message that are named; more help nobody, and answers of megabytes hurt. All are counted."""

_SECONDS_LIMIT = 2**31 - 1
"""Epoch numbers below this are seconds, from it on milliseconds (the rule of Traccar's OsmAnd port)."""
FINER_UNITS = ((1e17, 1e9), (1e14, 1e6))
"""From so large a number on it counts nano- or microseconds: as milliseconds it would be of the year 5138 or later."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
NO_VALUE = re.compile(
    r"[%\ufffd][A-Z_]+|\{[\w ]+\}|[+-]?(?:nan|inf(?:inity)?)|null|none|undefined|n/a|-|", re.ASCII | re.IGNORECASE
)
"""What clients put where they have no value; `%SPD` (as such or unquoted) and `{speed}` are what nobody filled in."""
_ZONE_AFTER_SPACE = re.compile(r" (\d{2}:?\d{2})$", re.ASCII)

AttributeValue: TypeAlias = str | int | float | bool
AttributeValues: TypeAlias = dict[str, AttributeValue]
JsonObject: TypeAlias = dict[str, object]
"""A JSON object as read: its values are of any kind until they are looked at."""
Floats: TypeAlias = npt.NDArray[np.float64]
NO_TIME = np.iinfo(np.int64).min
"""In `ReportColumns.time_us`: the report named no time."""


class RefusalReason(StrEnum):
    """Why a report is not kept; the platform counts refusals by it."""

    UNKNOWN_DEVICE = "unknown_device"
    NO_POSITION = "no_position"
    OUT_OF_RANGE = "out_of_range"
    MOCK = "mock"
    FUTURE = "future"
    TOO_OLD = "too_old"
    MALFORMED = "malformed"
    ENCRYPTED = "encrypted"
    IMPOSSIBLE_JUMP = "impossible_jump"
    SAME_PLACE = "same_place"
    """Exactly where other vehicles' devices say that they are: not counted as refused, but shown to officers."""


NULL_ISLAND_DEG = 0.01
"""A receiver without a position sends 0, 0 or what is left of it after arithmetic; no road is within 1 km of there."""


class EncryptedError(InvalidInputError):
    """The payload is encrypted, and there is no key here to read it with."""


@dataclass(slots=True)
class Report:
    """One message of a device, decoded but not yet judged.

    `device` is the identifier as sent. `time` is aware UTC, `None` if the message names none (then the time
    of receipt counts). `lat` and `lon` (EPSG:4326) are both `None` in a message that is valid but no position.
    Unknown measurements are `None`; `battery` is a share 0–1; `mock` marks a position faked on the phone. With a
    `fault` it is one of several in a message, and says only why it could not be read. `alternatives` are other
    identifiers by which the sender may be known; `is_event` marks a message that is no position and wants to be none.
    """

    device: str
    time: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None
    accuracy_m: float | None = None
    altitude_m: float | None = None
    battery: float | None = None
    mock: bool = False
    attributes: AttributeValues = field(default_factory=dict)
    fault: str | None = None
    alternatives: tuple[str, ...] = ()
    is_event: bool = False

    @property
    def has_position(self) -> bool:
        """Whether the message says where the device is."""
        return self.lat is not None and self.lon is not None

    def keep(self, key: str, value: object) -> None:
        """Keep an attribute if it is a plain value and there is room."""
        if len(self.attributes) >= MAX_ATTRIBUTES or not isinstance(value, str | int | float | bool):
            return
        if isinstance(value, float) and not math.isfinite(value):
            return
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
            value = str(value)
        self.attributes[clean(key)[:64]] = clean(value)[:MAX_TEXT_LENGTH] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Refusal:
    """A report that was not accepted: its line or place in the message, from 1; why; and what exactly was wrong."""

    line: int
    reason: RefusalReason
    detail: str


class Refusals:
    """What was refused of a message: the first `MAX_LISTED`, and how many for each reason."""

    def __init__(self) -> None:
        self.listed: list[Refusal] = []
        self.counts: Counter[RefusalReason] = Counter()

    def add(self, refusal: Refusal) -> None:
        """Count a refusal, and name it while there is room."""
        self.counts[refusal.reason] += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(refusal)


@dataclass
class ReportColumns:
    """Many reports as columns of n values; unknown measurements are NaN.

    `names` are the identifiers in it, each once, `name` is the place of each report's own among them. `line` is each
    report's line in its message, ascending; `errors` are the first lines that could not be read, of `error_count`.
    """

    names: list[str]
    name: npt.NDArray[np.intp]
    time_us: npt.NDArray[np.int64]
    lat: Floats
    lon: Floats
    speed_mps: Floats
    heading_deg: Floats
    accuracy_m: Floats
    line: npt.NDArray[np.int64]
    mock: npt.NDArray[np.bool_]
    errors: list[Refusal] = field(default_factory=list)
    error_count: int = 0

    @property
    def device(self) -> list[str]:
        """The identifier of each report."""
        return [self.names[place] for place in self.name.tolist()]


def number_names(devices: Sequence[str]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """The `names` and `name` of `ReportColumns` of each report's identifier."""
    places = {device: place for place, device in enumerate(dict.fromkeys(devices))}
    return list(places), np.fromiter(map(places.__getitem__, devices), np.intp, len(devices))


def clean(text: str) -> str:
    """`text` as PostgreSQL can keep it: without NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware time, exact."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(time_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=time_us)


def read_document(body: bytes) -> object:
    """The JSON document in `body`; a byte order mark before it, as some systems write it, says nothing.

    Raises
    ------
    MalformedError
        If it is not JSON.
    """
    try:
        return orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise MalformedError("The body is not JSON: {reason}.", reason=str(error)) from None


def read_json(body: bytes) -> JsonObject:
    """The JSON object in `body`.

    Raises
    ------
    MalformedError
        If it is not JSON, or not an object.
    """
    document = read_document(body)
    if not isinstance(document, dict):
        raise MalformedError("The body is JSON but not an object.")
    return document


def read_identifier(value: object, *, key: str) -> str:
    """A device identifier, as text.

    Raises
    ------
    MalformedError
        If it is missing, empty or too long.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    identifier = clean(value).strip() if isinstance(value, str) else ""
    if not identifier:
        raise MalformedError("{key} is missing: it names the device.", field=key, key=key)
    if len(identifier) > MAX_IDENTIFIER_LENGTH:
        raise MalformedError(
            "{key} is longer than {limit} characters.", field=key, key=key, limit=MAX_IDENTIFIER_LENGTH
        )
    return identifier


def read_number(value: object, *, key: str) -> float | None:
    """A finite number; `None` for a missing or empty value.

    Raises
    ------
    MalformedError
        If it is no number, not finite, or written with a decimal comma.
    """
    if value is None:
        return None
    number: float | None = None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if _NUMBER.fullmatch(text):
            number = float(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
    if number is None or not math.isfinite(number):
        shown = clean(str(value))[:40]
        raise MalformedError("{key}={value} is not a finite number.", field=key, key=key, value=shown)
    return number


def read_measured(value: object, *, key: str) -> float | None:
    """A number beside the position; `None` where it is missing or a client says by `NO_VALUE` that it has none.

    Raises
    ------
    MalformedError
        As `read_number`.
    """
    is_unknown = isinstance(value, str) and NO_VALUE.fullmatch(value.strip()) is not None
    return None if is_unknown else read_number(value, key=key)


def read_unsigned(value: object, *, key: str) -> float | None:
    """A measurement that clients send as negative when they do not know it: then, and if missing, `None`.

    Raises
    ------
    MalformedError
        As `read_number`.
    """
    number = read_measured(value, key=key)
    return None if number is None or number < 0 else number


def read_heading(value: object, *, key: str) -> float | None:
    """A direction in degrees clockwise from north, 0 ≤ heading < 360; negative or beyond 360 is unknown.

    Raises
    ------
    MalformedError
        As `read_number`.
    """
    heading = read_unsigned(value, key=key)
    return None if heading is None or heading > 360 else heading % 360.0


def read_time(value: object, *, key: str) -> datetime | None:
    """A time as devices write it, aware UTC: s, ms, µs or ns since 1970, ISO 8601, or `YYYY-MM-DD HH:MM:SS`.

    Text without an offset is UTC, as Traccar's OsmAnd port reads it. `None` for a missing or empty value.

    Raises
    ------
    MalformedError
        If it is not one of these.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    shown = clean(str(value))[:40]
    try:
        if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
            text = value.strip()
            if "T" in text:
                text = _ZONE_AFTER_SPACE.sub(r"+\1", text)  # an unescaped "+" of an offset arrives as a space
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        number = read_number(value, key=key)
        assert number is not None
        unit = next((unit for least, unit in FINER_UNITS if abs(number) >= least), 1e3)
        seconds = number if abs(number) < _SECONDS_LIMIT else number / unit
        return EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise MalformedError(
            "{key}={value} is not a time: send seconds or milliseconds since 1970, or ISO 8601.",
            field=key,
            key=key,
            value=shown,
        ) from None


def read_flag(value: object) -> bool:
    """Whether a value means yes: true, "true", 1, "1"."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in {"true", "1"})
