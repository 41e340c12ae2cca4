"""References of fees: what a payer writes into a transfer, and how it is found again in what a bank reports."""

from __future__ import annotations

import re
import secrets
from typing import Final

PREFIX: Final = "CKS"
CHARACTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without characters that are taken for each other."""
LENGTH: Final = 8
_PATTERN: Final = re.compile(rf"{PREFIX}(?=([{CHARACTERS}]{{{LENGTH}}}))")
"""Looks ahead: `CKS` that a payer writes before a reference takes none of its characters."""

_BEGINNINGS: Final = tuple(PREFIX[:length] for length in range(1, len(PREFIX)))


def new_reference() -> str:
    """A reference: `CKS`, seven random characters and a check character.

    No other can begin within it: `CKS` stands at its beginning only, and its end is not how `CKS` begins.
    """
    while True:
        random = "".join(secrets.choice(CHARACTERS) for _ in range(LENGTH - 1))
        characters = random + check_character(random)
        if PREFIX not in characters and not characters.endswith(_BEGINNINGS):
            return PREFIX + characters


def check_character(characters: str) -> str:
    """The check character: a weighted sum modulo the number of characters.

    It finds a wrong character and two neighbours exchanged.

    The weights 1, 7, 11, 13, 17, 19, 23 and their differences share few divisors with 30, so that nearly all other
    slips are found too.
    """
    weights = (1, 7, 11, 13, 17, 19, 23)
    total = sum(weight * CHARACTERS.index(character) for weight, character in zip(weights, characters, strict=True))
    return CHARACTERS[total % len(CHARACTERS)]


def find_references(content: str) -> list[str]:
    """The references in the text of a transfer, each once.

    Banks add their own words, change case, and put spaces or dots between: all but letters and digits is passed over.
    Of two that share characters the latter is meant: what is written before a reference can look like the beginning of
    one whose check character is right by chance, but none begins within a reference.
    """
    squeezed = re.sub(r"[^A-Z0-9]", "", content.upper())
    found: dict[int, str] = {}
    for match in _PATTERN.finditer(squeezed):
        characters = match[1]
        if check_character(characters[:-1]) == characters[-1]:
            found = {at: known for at, known in found.items() if at + len(known) <= match.start()}
            found[match.start()] = PREFIX + characters
    return list(dict.fromkeys(found.values()))
