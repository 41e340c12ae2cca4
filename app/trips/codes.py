"""The codes by which the public knows trips: made, and found in what a person types or a scanner reads. Pure."""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Final

CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and letters that are not taken for each other when read aloud or copied by hand."""
MAX_TEXT_LENGTH: Final = 300
_QUARTET = f"([{CODE_ALPHABET}]{{4}})"
_CODE = re.compile(rf"(?<![0-9A-Z]){_QUARTET}-?{_QUARTET}-?{_QUARTET}(?![0-9A-Z])")


def new_code() -> str:
    """A trip code for the public: 12 characters, 58 random bits, so that none can be guessed from another."""
    drawn = "".join(secrets.choice(CODE_ALPHABET) for _ in range(12))
    return f"{drawn[:4]}-{drawn[4:8]}-{drawn[8:]}"


def find_code(text: str) -> str | None:
    """The trip code in what was scanned: alone, or at the end of the address that a QR code holds."""
    match = _CODE.search(unicodedata.normalize("NFKC", text[:MAX_TEXT_LENGTH]).upper())
    return "-".join(match.groups()) if match else None
