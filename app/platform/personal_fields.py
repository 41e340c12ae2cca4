"""Names of fields that hold what identifies or concerns a person's body, and digests that stand for their values.

The audit log can never be changed, so what is in it cannot be erased: it says that such a field changed, with a keyed
digest by which two values can be told apart or found equal, and not the value. The same digest finds an exact number
where the database holds it encrypted.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.settings import get_settings
from geo.text import fold

PERSONAL_NAME: Final = re.compile(
    r"(^|_)(phone|telephone|email|passport|full_name|birth\w*|health\w*|symptoms?|temperature_c|payer)$"
    r"|^health_|^driver(_(name|phone|paper_number|licence_number))?$|^(paper|licence|identity|id_card)_number$"
)
"""Of a value that the log holds as a digest."""
NOT_PERSONAL: Final = frozenset({"transport_temperature_c"})
_OF_A_DRIVER: Final = re.compile(r"^driver_(paper|licence)(_number|_expires)?$")
"""Names of what a declaration says of a driver's papers: encrypted where it is kept; the log says what changed."""
_NAMING: Final = ("field", "name", "part")
QUOTING: Final = ("old", "new", "before", "after", "value", "values", "vals", "seen", "declared")
"""Beside `field`, `name` or `part`: what a correction or an observation says of the field that it names."""
OFFICERS_TEXT: Final = ("note", "notes", "remarks", "text")
"""Under these names an officer writes what no field is for: a health step's remark is of a person's health."""
_HEALTH_STEP: Final = re.compile(r"^(quarantine_)?health$")
REMARK: Final = "health_remark"
_OF_HEALTH: Final = re.compile(r"(^|_)(health\w*|symptoms?|temperature_c)$|^health_")
_IS_NUMBER: Final = re.compile(r"(^|_)(phone|telephone|passport|(paper|licence|identity|id_card)_number)$|^driver$")
SHOWN_END: Final = 4
DIGEST_CHARACTERS: Final = 24
DIGEST_MARK: Final = "hmac:"
"""Before what the log keeps of a personal value: a digest, of which a few signs tell two values apart."""
_NAME_WORD: Final = "a word of a name: "
"""Before a word that is digested, so that a word of a name is never found as a number."""


def digest(value: object) -> str:
    """A keyed digest of a value: HMAC-SHA256 under a key made from the installation's secret; letters and digits count.

    Numbers that differ in case, spaces or punctuation alone have the same.
    """
    written = re.sub(r"[\W_]+", "", str(value)).casefold()
    return hmac.new(_key(), written.encode(), sha256).hexdigest()[:DIGEST_CHARACTERS]


@lru_cache(maxsize=1)
def _key() -> bytes:
    secret = get_settings().secret_key.get_secret_value().encode()
    return HKDF(SHA256(), length=32, salt=None, info=b"cuakhau: digests of personal values").derive(secret)


def name_digests(name: str) -> set[str]:
    """Digests that find a person by the whole name or by one of its words, accents and case left aside."""
    words = fold(name).split()
    return {digest(f"{_NAME_WORD}{word}") for word in words} | ({digest("".join(words))} if words else set())


def word_digest(word: str) -> str:
    """The digest of a folded word that `name_digests` has of a name with this word."""
    return digest(f"{_NAME_WORD}{word}")


def person_digest(numbers: Iterable[str], name: str) -> str:
    """What stands for a person who is known by numbers and a name."""
    return digest("".join(sorted(digest(number) for number in numbers)) + fold(name))


def is_personal(name: object) -> bool:
    """Whether a field of this name holds personal values."""
    bare = str(name).rpartition(".")[2]
    return bare not in NOT_PERSONAL and PERSONAL_NAME.search(bare) is not None


def is_sealed(name: object) -> bool:
    """Whether a JSON document keeps a field of this name encrypted."""
    return is_personal(name) or _OF_A_DRIVER.match(str(name)) is not None


def quoted_field(value: Mapping[str, object]) -> str | None:
    """The personal field that an object names in one of its entries and quotes in others, those of `QUOTING`."""
    named = (value.get(key) for key in _NAMING)
    return next((name for name in named if isinstance(name, str) and is_personal(name)), None)


class Left(Enum):
    """What `replace_personal` takes for an entry that is to be left out."""

    OUT = "out"


def replace_personal(value: object, become: Callable[[str, object], object], *, of_health: bool = False) -> object:
    """A JSON value whose personal entries, however deep, are what `become` makes of a field's name and its value.

    Where an object names a field and quotes it beside, the name is that field's. `of_health`: it belongs to a health
    step, or an object around it names one as its `step`; then an officer's own words are personal as well, and their
    name is `REMARK`.
    """
    if isinstance(value, Mapping):
        quoted = quoted_field(value)
        of_health = of_health or is_health_step(value.get("step"))
        found: dict[str, object] = {}
        for name, inner in value.items():
            if is_sealed(name):
                after = become(name, inner)
            elif quoted is not None and name in QUOTING:
                after = become(quoted, inner)
            elif of_health and name in OFFICERS_TEXT:
                after = become(REMARK, inner)
            else:
                after = replace_personal(inner, become, of_health=of_health)
            if after is not Left.OUT:
                found[name] = after
        return found
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [replace_personal(inner, become, of_health=of_health) for inner in value]
    return value


def without_personal_values(value: object) -> object:
    """A JSON value in which digests stand for personal values, however deep."""
    return replace_personal(value, lambda _name, inner: _digested(inner))


def without_persons(value: object, *, of_health: bool = False) -> object:
    """A JSON value without what identifies people or is of their bodies, however deep."""
    return replace_personal(value, lambda _name, _inner: Left.OUT, of_health=of_health)


def is_health_step(name: object) -> bool:
    """Whether a step of a sheet looks at a person's health."""
    return _HEALTH_STEP.match(str(name)) is not None


def is_of_health(name: str) -> bool:
    """Whether a personal field is of a person's body."""
    return name == REMARK or _OF_HEALTH.search(name.rpartition(".")[2]) is not None


def is_number(name: str) -> bool:
    """Whether a personal field is a number that identifies a person: of a telephone or a paper."""
    return _IS_NUMBER.search(name.rpartition(".")[2]) is not None


def mask(value: object) -> str:
    """The end of a number, `…4567`; of a short one nothing but that it is there."""
    written = str(value)
    return f"…{written[-SHOWN_END:]}" if len(written) > SHOWN_END + 2 else "…"


def _digested(value: object) -> object:
    if value is None or value == "" or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {name: _digested(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_digested(inner) for inner in value]
    return f"{DIGEST_MARK}{digest(value)}"
