"""The fields that hold what identifies or concerns a person's body, and digests that stand for their values.

The audit log can never be changed, so what is in it cannot be erased: it says that such a field changed, with a keyed
digest by which two values can be told apart or found equal, and not the value. The same digest finds an exact number
where the database holds it encrypted.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.settings import get_settings
from geo.text import fold


class Concern(StrEnum):
    """What a personal field says of a person."""

    NAME = "name"
    NUMBER = "number"
    """By which a person is found: of a telephone or a paper."""
    PAPER = "paper"
    HEALTH = "health"


def _all(concern: Concern, names: str) -> dict[str, Concern]:
    return dict.fromkeys(names.split(), concern)


PERSONAL_FIELDS: Final[Mapping[str, Concern]] = (
    _all(Concern.NAME, "full_name driver_name payer username")
    | _all(Concern.NUMBER, "phone telephone driver_phone passport driver paper_number driver_paper_number")
    | _all(Concern.NUMBER, "licence_number driver_licence_number")
    | _all(Concern.PAPER, "driver_paper driver_paper_expires driver_licence_expires paper_expires licence_expires")
    | _all(Concern.HEALTH, "health_symptoms health_temperature_c health_note health_remark")
    | _all(Concern.HEALTH, "temperature_c body_temperature_c symptoms health quarantine_health")
)
"""The platform's fields that concern persons. In the goods of a declaration none does: `GOODS`; where steps stand by
their names, a state of a step does not: `STEPS`."""
OTHER_FIELDS: Final = frozenset(
    ["customs_health", "health_incomplete", "health_quarantine", "of_health", "registration_health"]
)
"""The platform's fields that sound as if they did: steps, a role, how a neighbour does."""
_FOREIGN: Final = re.compile(
    r"(^|_)(phone|telephone|email|passport|full_name|birth\w*|health\w*|symptoms?|temperature_c|payer)$"
    r"|^health_|^driver_(name|phone|paper|licence)|^(identity|id_card)_number$"
)
"""What an officer's program sends in an act may have names that are no field of the platform's: rather withheld."""
_OF_HEALTH: Final = re.compile(r"(^|_)(health\w*|symptoms?|temperature_c)$|^health_")
_OF_NUMBER: Final = re.compile(r"(^|_)(phone|telephone|passport|number)$")
GOODS: Final = "lines"
"""Under this name stand goods: their temperature is that of the transport."""
STEPS: Final = ("steps", "changed")
"""Under these names steps stand with their states."""
_NAMING: Final = ("field", "name", "part")
QUOTING: Final = ("old", "new", "before", "after", "value", "values", "vals", "seen", "declared")
"""Beside `field`, `name` or `part`: what a correction or an observation says of the field that it names."""
OFFICERS_TEXT: Final = ("note", "notes", "remarks", "text")
"""Under these names an officer writes what no field is for: a health step's remark is of a person's health."""
_HEALTH_STEPS: Final = frozenset({"health", "quarantine_health"})
REMARK: Final = "health_remark"
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


def concern_of(name: object) -> Concern | None:
    """What a field says of a person; `None` if it concerns nobody. `lines.2.temperature_c` is of goods."""
    path = str(name).split(".")
    bare = path[-1]
    if path[0] == GOODS or bare in OTHER_FIELDS:
        return None
    if bare in PERSONAL_FIELDS:
        return PERSONAL_FIELDS[bare]
    if not _FOREIGN.search(bare):
        return None
    return Concern.HEALTH if _OF_HEALTH.search(bare) else Concern.NUMBER if _OF_NUMBER.search(bare) else Concern.NAME


def is_personal(name: object) -> bool:
    """Whether a field of this name holds personal values."""
    return concern_of(name) is not None


def quoted_field(value: Mapping[str, object]) -> str | None:
    """The personal field that an object names in one of its entries and quotes in others, those of `QUOTING`."""
    named = (value.get(key) for key in _NAMING)
    return next((name for name in named if isinstance(name, str) and is_personal(name)), None)


class Left(Enum):
    """What `replace_personal` takes for an entry that is to be left out."""

    OUT = "out"


def is_state(name: str, inner: object, within: str) -> bool:
    """Whether an entry of what stands under the name `within` is the state of a step."""
    return within in STEPS and is_health_step(name) and isinstance(inner, str)


def replace_personal(
    value: object, become: Callable[[str, object], object], *, of_health: bool = False, within: str = ""
) -> object:
    """A JSON value whose personal entries, however deep, are what `become` makes of a field's name and its value.

    Where an object names a field and quotes it beside, the name is that field's. `of_health`: it belongs to a health
    step, or an object around it names one as its `step`; then an officer's own words are personal as well, and their
    name is `REMARK`. `within`: the name under which it stands.
    """
    if isinstance(value, Mapping):
        quoted = quoted_field(value)
        of_health = of_health or is_health_step(value.get("step"))
        found: dict[str, object] = {}
        for name, inner in value.items():
            if name == GOODS or is_state(name, inner, within):
                after = inner
            elif is_personal(name):
                after = become(name, inner)
            elif quoted is not None and name in QUOTING:
                after = become(quoted, inner)
            elif of_health and name in OFFICERS_TEXT:
                after = become(REMARK, inner)
            else:
                after = replace_personal(inner, become, of_health=of_health, within=name)
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
    return name in _HEALTH_STEPS


def is_of_health(name: str) -> bool:
    """Whether a personal field is of a person's body."""
    return concern_of(name) is Concern.HEALTH


def is_number(name: str) -> bool:
    """Whether a personal field is a number that identifies a person: of a telephone or a paper."""
    return concern_of(name) is Concern.NUMBER


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
