"""What an act changed, in words: each field that differs, before and after. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.auditing.field_names import NAMES
from app.fees.records import QuestionRecord
from app.gates.hazards import HazardClass
from app.gates.vocabulary import Regime
from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from app.platform.personal_fields import DIGEST_MARK, GOODS
from app.platform.tables import AuditRow
from app.web.i18n import format_exactly, format_time
from app.web.versions import list_changes

SEPARATOR: Final = " › "
_PATH: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")
NOTHING: Final = "–"
WITHHELD: Final = N_("personal, kept as a mark")
YES, NO = N_("Yes"), N_("No")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_ACCOUNTS: Final = ("created_by", "published_by", "updated_by", "decided_by", "asked_by", "driver_id", "account_id")
_OBJECTS: Final = {"organisation_ids": "organisation_id"} | dict.fromkeys(_ACCOUNTS, "account_id")
"""Of a field with a number, the field that says of what it is the number."""
_VOCABULARY_OF: Final[Mapping[str, type[Vocabulary]]] = {
    **dict.fromkeys(("role", "roles", "owner", "collector", "collectors"), Role),
    **dict.fromkeys(("regime", "regimes"), Regime),
    **dict.fromkeys(("hazards", "hazard_class"), HazardClass),
}
"""Of fields whose values are called otherwise elsewhere, or are digits, which name nothing by themselves."""

_OF_A_PERSON: Final = {"temperature_c": "health_temperature_c"}
"""What an officer measured of a person and what is declared of goods have one name; goods stand under `GOODS`."""

Say = Callable[[str], str]
Names = Mapping[str, Mapping[Any, str]]
"""What things are called, by the field that has their number or id: `organisation_id`, `account_id`, `gate_id`, …"""


@dataclass(frozen=True)
class ToldChange:
    """A field that an act changed, or the values that it began or ended with; `–` where there was or is nothing."""

    where: str
    before: str
    after: str


def tell_changes(row: AuditRow, say: Say, language: str, names: Names) -> list[ToldChange]:
    """What differs between before and after, in a reader's language; of what was made or taken away, all of it."""
    before, after = ({} if value is None else value for value in (row.before, row.after))
    teller = _Teller(say, language, names)
    return [
        told
        for change in list_changes(before, after)
        for told in _tell(change.path, change.before, change.after, teller)
    ]


def numbers_named(rows: Sequence[AuditRow]) -> dict[str, set[int]]:
    """The numbers that rows hold, by what they are of, for `Names`."""
    found: dict[str, set[int]] = {}

    def collect(name: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, part in value.items():
                collect(str(key), part)
        elif isinstance(value, list):
            for part in value:
                collect(name, part)
        elif isinstance(value, int) and not isinstance(value, bool):
            found.setdefault(_OBJECTS.get(name, name), set()).add(value)

    for row in rows:
        collect("", row.before)
        collect("", row.after)
    return found


@dataclass(frozen=True)
class _Teller:
    say: Say
    language: str
    names: Names

    def name(self, part: str) -> str:
        called = self.names.get("site_id", {}).get(part)
        if called or part in NAMES:
            return called or self.say(NAMES[part])
        whole = _PATH.fullmatch(part)  # "exports.lanes"
        return SEPARATOR.join(self.name(name) for name in part.split(".")) if whole else part

    def value(self, field: str, value: object) -> str:
        if value is None or value in ("", [], {}):
            return NOTHING
        if isinstance(value, bool):
            return self.say(YES if value else NO)
        if isinstance(value, list):
            return ", ".join(self.value(field, part) for part in value)
        if isinstance(value, Mapping):
            return self._question(value) if _is_question(field, value) else self._listed(value)
        if isinstance(value, int | float):
            called = self.names.get(_OBJECTS.get(field, field), {}).get(int(value))
            return called or (str(value) if field.endswith("_id") else format_exactly(value, self.language))
        return self._text(field, str(value))

    def _question(self, kept: Mapping[str, Any]) -> str:
        """A question of a fee (`app.fees.records.QuestionRecord`): a sentence kept with what fills it."""
        values = dict(kept["values"])
        if kept["facts"]:
            values["facts"] = ", ".join(self.name(str(each)) for each in kept["facts"])
        if kept["given"]:
            values["facts"] = self._listed(kept["given"])
        return self.say(kept["message"]).format(**values)

    def _listed(self, value: Mapping[str, Any]) -> str:
        return "; ".join(f"{self.name(str(key))}: {self.value(str(key), part)}" for key, part in value.items())

    def _text(self, field: str, text: str) -> str:
        if field in _VOCABULARY_OF and (named := _VOCABULARY_OF[field].lookup(text)) is not None:
            return self.say(named.label)
        if text.startswith(DIGEST_MARK):
            return f"{self.say(WITHHELD)} ({text.removeprefix(DIGEST_MARK)[:4]})"
        if _MOMENT.fullmatch(text):
            return format_time(datetime.fromisoformat(text), self.language, "HH:mm:ss dd/MM/yyyy")
        return self.name(text)


def _is_question(field: str, value: object) -> bool:
    return field == "question" and isinstance(value, Mapping) and QuestionRecord.__required_keys__ <= value.keys()


def _as_meant(path: tuple[str, ...]) -> Sequence[str]:
    """A path with the names that say what its parts are."""
    return path if GOODS in path else [_OF_A_PERSON.get(part, part) for part in path]


def _tell(path: tuple[str, ...], before: object, after: object, teller: _Teller) -> list[ToldChange]:
    """A change, part by part where a mapping came or went."""
    whole = after if before is None else before if after is None else None
    if isinstance(whole, Mapping) and whole and not _is_question(path[-1] if path else "", whole):
        is_made = before is None
        return [
            told
            for key, part in whole.items()
            for told in _tell((*path, str(key)), None if is_made else part, part if is_made else None, teller)
        ]
    field = next((part for part in reversed(path) if not part.rstrip(".").isdigit()), "").rpartition(".")[2]
    said = ToldChange(
        SEPARATOR.join(teller.name(part) for part in _as_meant(path)),
        teller.value(field, before),
        teller.value(field, after),
    )
    return [] if said.before == said.after == NOTHING else [said]
