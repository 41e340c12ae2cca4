"""The audit log as people read it: found by plate, code, person or act, told in words.

The log has pseudonyms and numbers; the accounts say whose they are, trips and vehicles what they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy.orm import Session

from app.accounts import store as account_store
from app.auditing import store
from app.auditing.changes import ToldChange, numbers_named, tell_changes
from app.auditing.vocabulary import OBJECTS, POLICIES, SUBJECTS, THE_PLATFORM, VERBS
from app.gates.vocabulary import Direction
from app.platform import audit_store
from app.platform.audit_store import NamedObjects
from app.platform.search import words_of
from app.platform.tables import AuditRow
from geo.text import fold

Say = Callable[[str], str]
OF_A_TRIP: Final = ("trip", "declaration")
"""Objects whose number is a trip's."""

NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
NAMED: Final = ("equipment", "organisation", "procedure", "tariff", "webhook")
"""Objects that the log's values name."""


@dataclass(frozen=True)
class Act:
    """A row of the log in words: who, what was done, to what."""

    row: AuditRow
    actor: str
    action: str
    object: str
    trip_id: int | None = None
    """The trip that it is about, if it still exists."""


def search(
    session: Session,
    say: Say,
    *,
    query: str = "",
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
    sites: Mapping[str, str] = NO_NAMES,
) -> Sequence[Act]:
    """Acts that match, newest first, in the reader's language, which `say` puts texts into.

    `query` is a plate or code, or a part of one, a person, an act in words, an address, or the number of an object;
    `action` the beginning of an action's name; `sites` by id with their names.
    """
    rows = audit_store.search_audit(
        session,
        query=query,
        objects=_named(session, query, say) if query.strip() else None,
        action=action,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )
    return tell(session, rows, say, sites)


def tell(session: Session, rows: Sequence[AuditRow], say: Say, sites: Mapping[str, str] = NO_NAMES) -> list[Act]:
    """Rows in words; `sites` by id with their names."""
    actors = account_store.usernames(session, {row.actor_id for row in rows if row.actor_id is not None})
    trip_of = {row.audit_id: trip_id for row in rows if (trip_id := _trip_of(row)) is not None}
    trips = store.trip_names(session, set(trip_of.values()))
    vehicles = store.plates(session, _numbers(rows, ("vehicle",)))
    accounts = account_store.usernames(session, _numbers(rows, ("account",)))

    def object_of(row: AuditRow) -> str:
        kind = say(OBJECTS[row.object_type]) if row.object_type in OBJECTS else row.object_type
        names = {"vehicle": vehicles, "account": accounts}.get(row.object_type, {})
        name = names.get(int(row.object_id)) if row.object_id.isdigit() else None
        if site := _site_name(row, say, sites):
            return site
        name = name or _own_name(row, say)
        trip = trips.get(trip_of.get(row.audit_id, 0))
        if row.object_type in OF_A_TRIP and trip is not None:
            return f"{kind} {trip}"
        return f"{kind} {name or row.object_id}" + (f" ({trip})" if trip is not None else "")

    def actor_of(row: AuditRow) -> str:
        return say(THE_PLATFORM) if row.actor_id is None else actors.get(row.actor_id, row.actor)

    return [
        Act(row, actor_of(row), words_for(row.action, say), object_of(row), found if found in trips else None)
        for row in rows
        for found in (trip_of.get(row.audit_id),)
    ]


def changes_of(
    session: Session, rows: Sequence[AuditRow], say: Say, language: str, sites: Mapping[str, str]
) -> dict[int, list[ToldChange]]:
    """What each act changed, in the reader's language; `sites` by id with their names."""
    numbers = numbers_named(rows)
    names: dict[str, Mapping[Any, str]] = {
        "account_id": account_store.usernames(session, numbers.get("account_id", set())),
        "organisation_id": account_store.organisation_names(session, numbers.get("organisation_id", set())),
        "vehicle_id": store.plates(session, numbers.get("vehicle_id", set())),
        "trip_id": store.trip_names(session, numbers.get("trip_id", set())),
        "site_id": sites,
    }
    return {row.audit_id: tell_changes(row, say, language, names) for row in rows}


def words_for(action: str, say: Say) -> str:
    """An action in words: what it is about, and what was done."""
    subject, _, verb = action.partition(".")
    return f"{_say(SUBJECTS, subject, say)}: {_say(VERBS, verb, say)}"


def actions_named(query: str, say: Say) -> list[str]:
    """The actions in whose words each word of a query stands, accents left aside."""
    words = words_of(query)
    subjects, verbs = ({name: fold(say(text)) for name, text in vocabulary.items()} for vocabulary in (SUBJECTS, VERBS))
    return [
        f"{subject}.{verb}"
        for subject, about in subjects.items()
        for verb, done in verbs.items()
        if all(word in about or word in done for word in words)
    ]


def _named(session: Session, query: str, say: Say) -> NamedObjects:
    trips = store.trips_named(session, query)
    accounts = account_store.accounts_named(session, query)
    by_number = {kind: trips.trip_ids for kind in OF_A_TRIP} | {"vehicle": trips.vehicle_ids, "account": accounts}
    return NamedObjects(by_number, trips.trip_ids, accounts, actions_named(query, say))


def _say(vocabulary: Mapping[str, str], name: str, say: Say) -> str:
    return say(vocabulary[name]) if name in vocabulary else name


def _own_name(row: AuditRow, say: Say) -> str | None:
    """What the row itself says that its object is called: by name, or by code and version."""
    if row.object_type == "policy":
        return say(POLICIES[row.object_id]) if row.object_id in POLICIES else None
    for values in (row.after, row.before):
        if not isinstance(values, dict) or row.object_type not in NAMED:
            continue
        if "code" in values and "version" in values:
            return f"{values['code']} {values['version']}"
        if isinstance(name := values.get("name"), str):
            return name
    return None


def _site_name(row: AuditRow, say: Say, sites: Mapping[str, str]) -> str | None:
    """The gate, yard or staging area that a row is about, and the direction."""
    site, _, direction = row.object_id.partition("/")
    if site not in sites:
        return None
    return sites[site] if not direction else f"{sites[site]}, {say(Direction.get(direction).phrase)}"


def _trip_of(row: AuditRow) -> int | None:
    """The trip that a row is about."""
    if row.object_type in OF_A_TRIP and row.object_id.isdigit():
        return int(row.object_id)
    for values in (row.after, row.before):
        if isinstance(values, dict) and isinstance(values.get("trip_id"), int):
            return int(values["trip_id"])
    return None


def _numbers(rows: Sequence[AuditRow], kinds: Collection[str]) -> set[int]:
    return {int(row.object_id) for row in rows if row.object_type in kinds and row.object_id.isdigit()}
