"""Text and times as plate cameras write them: Chinese encodings, zone suffixes, clocks without a zone."""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import orjson

from geo.clock import LOCAL_ZONE
from geo.errors import MalformedError
from ingest.formats.report import EPOCH, JsonObject, clean

CHINESE: Final = "gb18030"
"""What contains GB2312 and GBK (GB 18030-2022)."""
_CHARSET = re.compile(r"charset=\"?'?([\w.:-]+)", re.IGNORECASE | re.ASCII)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"'][^>]*\?>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ENCODINGS: Final = {"utf-8": "utf-8", "utf-16": "utf-16", "big5": "big5", "big5hkscs": "big5", "cp950": "cp950"} | (
    dict.fromkeys(("gb2312", "gbk", "gb18030"), CHINESE)
)
"""Encodings by the codec of their name. A claim of ASCII or Latin-1 says nothing: senders put it there unasked."""
_PROVINCES = re.compile("[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]")

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[T ]?(\d{2})(\d{2})(\d{2})(?:[.,]?(\d{1,6}))?", re.ASCII)
_CLOCK = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,:](\d{1,9}))?", re.ASCII
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?00)?", re.ASCII | re.IGNORECASE)
_POSIX = re.compile(r"[A-Z]{3,5}([+-]?)(\d{1,2})(?::(\d{2}))?(?::00)?", re.ASCII | re.IGNORECASE)
_REGION = re.compile(r"(?:^|\s)?(?:\[(?P<named>[^\]]{0,40})\]|(?P<bare>[A-Z][A-Za-z]+/[A-Za-z_]+))$", re.ASCII)
_NAMED_OFFSETS_S: Final = {
    "Z": 0,
    "UTC": 0,
    "GMT": 0,
    "ICT": 7 * 3600,
    "CST": 8 * 3600,
    "HKT": 8 * 3600,
    "SGT": 8 * 3600,
    "BJT": 8 * 3600,
}
"""Zone names of this part of the world; CST is China's."""
_MAX_OFFSET_S: Final = 14 * 3600
_DIGITS_OF_EPOCH: Final = ((19, 1e9), (16, 1e6), (13, 1e3))
"""A count since 1970 of so many digits is in nano-, micro- or milliseconds; a shorter one in seconds."""


def read_text(data: bytes, content_type: str = "") -> str:
    """A body as text: in the encoding its media type or its XML declaration names, else UTF-8, else GB 18030.

    Raises
    ------
    MalformedError
        If no encoding fits.
    """
    named = _CHARSET.search(content_type)
    declared = _XML_ENCODING.match(data[:200])
    names = [named[1]] if named else []
    names += [declared[1].decode("ascii")] if declared else []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        names.insert(0, "utf-16")
    for name in names:
        encoding = _known(name)
        text = _decoded(data, encoding)
        if text is None or (encoding == CHINESE and _is_utf_8_after_all(data)):
            continue  # the camera names one encoding and writes another
        return text.removeprefix("\ufeff")
    chinese, plain = _decoded(data, CHINESE), _decoded(data, "utf-8-sig")
    if plain is None and chinese is None:
        raise MalformedError("The body is neither UTF-8 nor GB 18030 text.", field="charset")
    if plain is None or (chinese is not None and _is_chinese_by_accident(plain, chinese)):
        return chinese or ""
    return plain


def read_document(data: bytes, content_type: str = "") -> object:
    """A JSON document in any of these encodings.

    Raises
    ------
    MalformedError
        If it is not JSON.
    """
    try:
        return orjson.loads(read_text(data, content_type).encode("utf-8", "surrogatepass"))
    except orjson.JSONDecodeError as error:
        raise MalformedError("The body is not JSON: {reason}.", reason=str(error)) from None


def read_object(data: bytes, content_type: str = "") -> JsonObject:
    """The JSON object in a body in any of these encodings.

    Raises
    ------
    MalformedError
        If it is not JSON, or not an object.
    """
    document = read_document(data, content_type)
    if not isinstance(document, dict):
        raise MalformedError("The body is JSON but not an object.")
    return document


def read_xml(data: bytes, content_type: str = "") -> bytes:
    """An XML document as UTF-8 without its declaration, whatever encoding it came in.

    Raises
    ------
    MalformedError
        If it is no text.
    """
    return _XML_DECLARATION.sub("", read_text(data, content_type)).strip().encode("utf-8", "replace")


def read_clock(value: object, *, key: str, zone: tzinfo = LOCAL_ZONE) -> datetime | None:
    """A time as cameras write it, aware UTC; `None` for a missing or empty value.

    Counts since 1970 in s, ms, µs or ns, or a date and time of day with or without separators, with a zone behind it:
    `Z`, `+07:00`, `+0700`, `+7`, `GMT+7`, `UTC+08:00`, `ICT`, `CST`, POSIX `CST-8` (which is UTC+8), `Asia/Shanghai`,
    also in brackets.
    Without one the camera's clock shows the time of `zone`, by default the one at the border.

    Raises
    ------
    MalformedError
        If it is not one of these.
    """
    if value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
        return None
    text = clean(str(value)).strip()
    try:
        if isinstance(value, int | float) or re.fullmatch(r"-?\d{9,13}(\.\d+)?|-?\d{16}|-?\d{19}", text, re.ASCII):
            number = float(text)
            digits = len(str(abs(int(number))))
            scale = next((scale for least, scale in _DIGITS_OF_EPOCH if digits >= least), 1.0)
            return EPOCH + timedelta(seconds=number / scale)
        return _read_calendar(text, zone)
    except (ValueError, OverflowError):
        raise MalformedError(
            "{key}={value} is not a time: send seconds or milliseconds since 1970, or ISO 8601.",
            field=key,
            key=key,
            value=text[:40],
        ) from None


def _read_calendar(text: str, zone: tzinfo) -> datetime:
    match = _CLOCK.match(text) or _COMPACT.match(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int(f"{match[7] or '0':0<6}"[:6])
    moment = datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001 - its zone is read next
    suffix = text[match.end() :].strip()
    return moment.replace(tzinfo=_read_zone(suffix) if suffix else zone).astimezone(UTC)


def _read_zone(suffix: str) -> tzinfo:
    """The zone that a suffix names; an offset counts more than the region behind it."""
    suffix = suffix.removeprefix("(").removesuffix(")")
    region = _REGION.search(suffix)
    suffix = suffix[: region.start()].strip() if region else suffix
    if region and not suffix:
        try:
            return ZoneInfo(region["named"] or region["bare"] or "")
        except (KeyError, OSError) as error:
            raise ValueError(region[0]) from error
    if suffix.upper() in _NAMED_OFFSETS_S:
        return timezone(timedelta(seconds=_NAMED_OFFSETS_S[suffix.upper()]))
    offset, posix = _OFFSET.fullmatch(suffix), _POSIX.fullmatch(suffix)
    found = offset or posix
    if found is None:
        raise ValueError(suffix)
    seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
    if seconds > _MAX_OFFSET_S:
        raise ValueError(suffix)
    is_west = (found[1] == "-") if offset else (found[1] != "-")
    return timezone(timedelta(seconds=-seconds if is_west else seconds))


def _known(name: str) -> str | None:
    try:
        return _ENCODINGS.get(codecs.lookup(name).name)
    except LookupError:
        return None


def _decoded(data: bytes, encoding: str | None) -> str | None:
    try:
        return None if encoding is None else data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_utf_8_after_all(data: bytes) -> bool:
    """Whether text that is said to be in an older encoding is UTF-8: characters of three bytes are no accident."""
    plain = _decoded(data, "utf-8-sig")
    return plain is not None and max(plain, default="") >= "\u0800"


def _is_chinese_by_accident(plain: str, chinese: str) -> bool:
    """Whether GBK text happens to be UTF-8 as well: 豫 (D4 A5) and 鲁 (C2 B3) are letters of two bytes there."""
    two_bytes = any("\x80" <= character < "\u0800" for character in plain)
    return two_bytes and max(plain) < "\u0800" and _PROVINCES.search(chinese) is not None
