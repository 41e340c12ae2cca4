"""Numbers of freight containers: owner code, category, serial number, check digit (ISO 6346:2022). Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from geo.errors import InvalidInputError

_NUMBER: Final = re.compile(r"[A-Z]{3}[UJZ]\d{7}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s.,\-_/·()\[\]|\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff]+")
"""The check digit stands in a box on the container, and so in brackets where it is written down."""
_LETTER_VALUES: Final = [value for value in range(10, 39) if value % 11]
_VALUES: Final = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _LETTER_VALUES, strict=True))
"""Annex A: letters count from 10; multiples of 11 are left out."""


def check_digit(unit: str) -> int:
    """The check digit of the first ten characters of a container number (ISO 6346, annex A).

    The sum of the characters' values times 2 to the power of their place, modulo 11; a remainder of 10 counts as 0.
    """
    values = (_VALUES[sign] if sign in _VALUES else int(sign) for sign in unit)
    return sum(value << place for place, value in enumerate(values)) % 11 % 10


def squeeze(text: str) -> str:
    """Capitals without separators, full-width characters made plain; not checked."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text[:40]).upper())


def normalise_container_number(text: str) -> str:
    """The form in which a container number is stored and compared: `CSQU3054383`.

    Raises
    ------
    InvalidInputError
        If it has not the form of one, or its check digit is another.
    """
    number = squeeze(text)
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(
            "{value} is not a container number; it has four letters, of which the last is U, J or Z, and seven digits, "
            "such as CSQU 305438 3.",
            field="container_number",
            value=text[:40],
        )
    right = check_digit(number[:10])
    if int(number[10]) != right:
        raise InvalidInputError(
            "The container number {value} cannot be right: its check digit would be {digit}; read it again.",
            field="container_number",
            value=show_container_number(number),
            digit=right,
        )
    return number


def show_container_number(number: str) -> str:
    """A normal form as it stands on the container: `CSQU 305438 3`."""
    return f"{number[:4]} {number[4:10]} {number[10:]}"
