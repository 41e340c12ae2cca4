"""Vehicle plates: the one form in which they are compared, how they are shown, which characters cameras confuse.

Vietnamese plates follow Circular 24/2023/TT-BCA: two digits of the province, series letter(s) without I, J, O, Q, W,
then 4 or 5 digits; R is a trailer, and two-letter series such as LD, KT, QT name special uses. Chinese plates follow
GA 36: character of the province, letter of the office, 5 characters (6 for new energy); trailers end in 挂.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from geo.errors import InvalidInputError

VehicleKind = Literal["truck", "trailer"]
Country = Literal["VN", "CN"]

_SPECIAL_SERIES = "LD|KT|DA|NG|NN|QT|CV|HC|MK|RM|SM|TD"
_SERIES_LETTERS = "A-HK-NPR-VX-Z"
_VIETNAMESE = re.compile(rf"([1-9][0-9])({_SPECIAL_SERIES}|[{_SERIES_LETTERS}]{{1,2}})([0-9]{{4,5}})", re.ASCII)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_CHINESE = re.compile(
    rf"([{_PROVINCES}])([A-HJ-NP-Z])([A-HJ-NP-Z0-9]{{5,6}}|[A-HJ-NP-Z0-9]{{4}}[挂学警港澳超])", re.ASCII
)
_SEPARATORS = re.compile(r"[\s.\-_·•・‧/,'’\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff]+")
"""What stands between the characters of a plate: also the dashes of word processors and what a copied text hides."""

_LOOKALIKES = str.maketrans("DOQBISZG", "00081526")


def normalise_plate(text: str) -> str:
    """The form in which a plate is stored and compared: no separators (`29C12345`, `桂FA1234`).

    Raises
    ------
    InvalidInputError
        If it is neither a Vietnamese nor a Chinese plate.
    """
    plate = find_plate(text)
    if plate is None:
        raise InvalidInputError(
            "{value} is not a Vietnamese or Chinese plate; write it like 29C-123.45, 12R-001.23 or 桂F·A1234.",
            field="plate",
            value=text[:40],
        )
    return plate


def find_plate(text: str) -> str | None:
    """As `normalise_plate`, but `None` if it is no plate."""
    compact = squeeze(text)
    return compact if _VIETNAMESE.fullmatch(compact) or _CHINESE.fullmatch(compact) else None


def squeeze(text: str) -> str:
    """Capitals without separators, full-width characters and Đ made plain; not checked."""
    plain = unicodedata.normalize("NFKC", text[:64]).upper().replace("Đ", "D")
    return _SEPARATORS.sub("", plain)


def display_plate(plate_norm: str) -> str:
    """A normal form as people write it: 29C-123.45, 29C-1234, 桂F·A1234; anything else unchanged."""
    if match := _VIETNAMESE.fullmatch(plate_norm):
        province, series, digits = match.groups()
        return f"{province}{series}-{digits[:3]}.{digits[3:]}" if len(digits) == 5 else f"{province}{series}-{digits}"
    if match := _CHINESE.fullmatch(plate_norm):
        return f"{match[1]}{match[2]}·{match[3]}"
    return plate_norm


def vehicle_kind(plate_norm: str) -> VehicleKind:
    """Truck or trailer, as the plate says (Vietnamese series R and RM, Chinese 挂)."""
    match = _VIETNAMESE.fullmatch(plate_norm)
    is_trailer = plate_norm.endswith("挂") or (match is not None and match[2] in {"R", "RM"})
    return "trailer" if is_trailer else "truck"


def country(plate_norm: str) -> Country:
    """The country that a plate in normal form is of."""
    return "CN" if _CHINESE.fullmatch(plate_norm) else "VN"


def lookalike_key(text: str) -> str:
    """The plate with every character that cameras confuse replaced by one of its class.

    Classes: 0/D/O/Q, 8/B, 1/I, 5/S, 2/Z, 6/G. Two reads with the same key may be the same plate.
    """
    return squeeze(text).translate(_LOOKALIKES)


def is_lookalike(plate: str, other: str) -> bool:
    """Whether two reads differ at most in characters that cameras confuse."""
    return lookalike_key(plate) == lookalike_key(other)
