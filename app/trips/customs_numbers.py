"""Customs declarations of a truck as they are written: several numbers, each with what the truck carries of it. Pure.

A truck may carry goods of several declarations, and a declaration may go on several trucks: `305123456780 = 12000,
305123456791 = 7500`, weights in kg; without a weight the truck carries what its goods weigh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from geo.errors import InvalidInputError

SEPARATORS: Final = r"[,;/+&|、，；\n]+"
"""What stands between numbers; PostgreSQL reads it alike."""
NUMBER: Final = re.compile(r"\d{12}|\d{18}", re.ASCII)
"""VNACCS numbers have 12 digits, Chinese customs' 18."""
MAX_NUMBERS: Final = 20
MAX_KG: Final = 200_000
_SHARE: Final = re.compile(r"(?P<number>[^=]*)(=(?P<kg>[^=]*))?")
_BETWEEN: Final = re.compile(r"[\s.-]")
_UNIT: Final = re.compile(r"\s*kg\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class CustomsShare:
    """A customs declaration, and how many kg of its goods the truck carries, gross; `None`: not said."""

    number: str
    gross_kg: int | None = None


def parse_customs_numbers(written: str) -> list[CustomsShare]:
    """The declarations in a text, each once; none in an empty one.

    Raises
    ------
    InvalidInputError
        If a number or a weight cannot be one; the value is named.
    """
    found: dict[str, CustomsShare] = {}
    for word in re.split(SEPARATORS, written):
        if not word.strip():
            continue
        share = _SHARE.fullmatch(word)
        number = _BETWEEN.sub("", share["number"]) if share is not None else ""
        if share is None or not NUMBER.fullmatch(number):
            raise InvalidInputError(
                "{value} is not a customs declaration number; write the 12 digits of VNACCS (18 for Chinese customs).",
                field="customs_number",
                value=word.strip()[:60],
            )
        found[number] = CustomsShare(number, None if share["kg"] is None else _kg(share["kg"]))
    if len(found) > MAX_NUMBERS:
        raise InvalidInputError("Give at most {most} customs declarations.", field="customs_number", most=MAX_NUMBERS)
    return list(found.values())


def numbers_in(written: str) -> tuple[str, ...]:
    """The numbers in a text as far as they can be read, letters and digits only; for comparing."""
    words = (re.split("=", word)[0] for word in re.split(SEPARATORS, written))
    squeezed = (re.sub(r"[^0-9A-Z]", "", word.upper()) for word in words)
    return tuple(dict.fromkeys(number for number in squeezed if number))


def _kg(written: str) -> int:
    digits = _BETWEEN.sub("", _UNIT.sub("", written))
    if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) <= MAX_KG:
        raise InvalidInputError(
            "{value} is not a weight; write whole kg, such as 305123456780 = 12000.",
            field="customs_number",
            value=written.strip()[:60],
        )
    return int(digits)
