"""Chassis numbers: what a vehicle keeps when its plate changes. Pure."""

from __future__ import annotations

import re
from typing import Final

from app.registers.container_number import squeeze
from geo.errors import InvalidInputError

_NUMBER: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}|[A-Z0-9]{6,16}", re.ASCII)
"""A vehicle identification number has 17 characters without I, O and Q (ISO 3779); older vehicles have shorter ones."""


def normalise_chassis_number(text: str) -> str:
    """The form in which a chassis number is stored and compared: capitals and digits alone.

    Raises
    ------
    InvalidInputError
        If it has not the form of one.
    """
    number = squeeze(text)
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(
            "{value} is not a chassis number; it has 17 letters and digits without I, O and Q, of older vehicles 6 to "
            "16. Copy it from the registration certificate.",
            field="chassis_number",
            value=text[:40],
        )
    return number
