"""Passwords: which are accepted, and how they are kept.

Length is what counts (NIST SP 800-63B, 3.1.1.2; ASVS 5.0, 6.2): 12 characters or more, whole phrases welcome, no rule
about what is in them. What the commonest passwords give away is refused: zxcvbn (Wheeler, USENIX Security 2016) knows
the 30,000 commonest, words, names, rows of keys, dates and repetitions, and says how many guesses they save.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from geo.errors import InvalidInputError
from geo.text import fold

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id with the parameters of the OWASP Password Storage Cheat Sheet: some 20 ms, so that a whole shift can sign in
at once on a small machine."""

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 200
MIN_GUESSES: Final = 1e8
"""How many guesses somebody who knows the commonest passwords needs at least: out of reach of all who ask the platform,
and of most who hold a stolen hash."""
MAX_JUDGED_LENGTH: Final = 72
"""The part of a password that is judged; zxcvbn takes no more."""
MIN_NAME_LENGTH: Final = 3
"""Shorter parts of a name are in too many good passwords by chance."""
LOCAL_WORDS: Final = (
    "matkhau",
    "matkhaucuatoi",
    "anhyeuem",
    "emyeuanh",
    "yeuem",
    "khongbiet",
    "khongcopass",
    "motconvit",
    "vietnam",
    "hanoi",
    "langson",
    "dongdang",
    "huunghi",
    "tanthanh",
    "cuakhau",
    "cuakhauso",
    "bienphong",
    "haiquan",
    "kiemdich",
    "canhsat",
    "baixe",
    "xuancuong",
    "baonguyen",
    "woaini",
    "mima",
)
"""What people here begin a password with, and the list of an English-speaking library does not know."""


def check_password(password: str, *, names: Collection[str] = ()) -> None:
    """Refuse a password that is short, endless, common, or made of its owner's names.

    `names` are the user name and the name of whom it is for.

    Raises
    ------
    InvalidInputError
        If so; the password itself is never part of the message.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInputError(
            "A password has {shortest} to {longest} characters.",
            field="password",
            shortest=MIN_LENGTH,
            longest=MAX_LENGTH,
        )
    plain = _letters(password)
    if any(part in plain for part in _user_names(names)):
        raise InvalidInputError("A password must not contain the user name.", field="password")
    if _guesses(password, names) < MIN_GUESSES:
        raise InvalidInputError(
            "This password is too easy to guess: it is among the commonest, or made of common words, names, dates or "
            "repetitions. A sentence of several words is easy to remember and hard to guess.",
            field="password",
        )


def matches(password_hash: str, password: str) -> bool:
    """Whether a hash is that of a password."""
    try:
        return len(password) <= MAX_LENGTH and HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):  # the latter where there is no password
        return False


def _guesses(password: str, names: Collection[str]) -> float:
    """How many guesses it takes, at least; repeated text counts once, however long the password is."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its lists take a tenth of a second to load, and few processes need them

    known = [*LOCAL_WORDS, *_parts(names)]
    plain = fold(password)
    forms = {form[:MAX_JUDGED_LENGTH] for form in (password, plain, re.sub(r"\s+", "", plain)) if form}
    return min(float(zxcvbn(form, user_inputs=known)["guesses"]) for form in forms)


def _user_names(names: Collection[str]) -> list[str]:
    """The names as a whole, letters and digits only: a password holds none of them."""
    plain = (_letters(name) for name in names)
    return [name for name in plain if len(name) >= MIN_NAME_LENGTH]


def _parts(names: Collection[str]) -> list[str]:
    """The words of names, without accents."""
    return [part for name in names for part in re.split(r"[\W_]+", fold(name)) if len(part) >= MIN_NAME_LENGTH]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", fold(text))
