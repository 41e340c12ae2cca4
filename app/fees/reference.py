"""References of fees: what a payer writes into a transfer, and how it is found again in what a bank reports."""

from __future__ import annotations

import re
import secrets
from typing import Final

PREFIX: Final = "CKS"
SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without signs that are taken for each other."""
LENGTH: Final = 8
_PATTERN: Final = re.compile(rf"{PREFIX}([{SIGNS}]{{{LENGTH}}})")


def new_reference() -> str:
    """A reference: `CKS`, seven random signs and a check sign."""
    random = "".join(secrets.choice(SIGNS) for _ in range(LENGTH - 1))
    return f"{PREFIX}{random}{check_sign(random)}"


def check_sign(signs: str) -> str:
    """The check sign: weighted sum modulo the number of signs; finds one wrong sign and two neighbours exchanged.

    The weights 1, 7, 11, 13, 17, 19, 23 and their differences share few divisors with 30, so that nearly all other
    slips are found too.
    """
    weights = (1, 7, 11, 13, 17, 19, 23)
    total = sum(weight * SIGNS.index(sign) for weight, sign in zip(weights, signs, strict=True))
    return SIGNS[total % len(SIGNS)]


def find_references(content: str) -> list[str]:
    """The references in the text of a transfer, each once.

    Banks add their own words, change case, and put spaces or dots between: all but letters and digits is passed over.
    """
    squeezed = re.sub(r"[^A-Z0-9]", "", content.upper())
    found = [f"{PREFIX}{signs}" for signs in _PATTERN.findall(squeezed) if check_sign(signs[:-1]) == signs[-1]]
    return list(dict.fromkeys(found))
