"""Queries on gate profiles. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import Select, Text, bindparam, case, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.gates.profile import GateProfile
from app.gates.served_place import ServedPlace
from app.gates.tables import GateProfileRow, GateServedPlaceRow
from app.platform.json import JsonObject
from geo.database import records


@dataclass(frozen=True)
class StoredProfile:
    """One version of a gate's profile; `revision` is that of the gate at this version's last change."""

    gate_id: str
    version: int
    revision: int
    status: str
    profile: GateProfile
    effective_from: datetime | None
    based_on: int | None
    created_by: int | None
    created_at: datetime
    published_by: int | None
    published_at: datetime | None


_COLUMNS: Final = tuple(
    cast(GateProfileRow.profile, Text).label(name) if name == "profile" else getattr(GateProfileRow, name)
    for name in StoredProfile.__dataclass_fields__
)


_HAS_COME: Final = GateProfileRow.effective_from <= bindparam("now")
_IN_FORCE: Final = (
    select(*_COLUMNS)
    .where(GateProfileRow.status == "published")
    .ext(distinct_on(GateProfileRow.gate_id))
    .order_by(
        GateProfileRow.gate_id,
        _HAS_COME.desc(),
        case((_HAS_COME, GateProfileRow.effective_from)).desc(),
        GateProfileRow.effective_from,
        GateProfileRow.version.desc(),
    )
)


def profiles_in_force(session: Session, now: datetime, gate_id: str | None = None) -> list[StoredProfile]:
    """The version in force of each gate (or of one), by gate; of a gate whose first one is yet to come, that one."""
    query = _IN_FORCE if gate_id is None else _IN_FORCE.where(GateProfileRow.gate_id == gate_id)
    return _read(session, query, {"now": now})


def next_change(session: Session, now: datetime) -> datetime | None:
    """When the next version that is published already comes into force; `None` if there is none."""
    query = select(func.min(GateProfileRow.effective_from)).where(
        GateProfileRow.status == "published", GateProfileRow.effective_from > now
    )
    return session.scalar(query)


def list_versions(session: Session, gate_id: str) -> list[StoredProfile]:
    """All versions of a gate, newest first."""
    query = select(*_COLUMNS).where(GateProfileRow.gate_id == gate_id)
    return _read(session, query.order_by(GateProfileRow.version.desc()))


def revisions(session: Session) -> dict[str, int]:
    """The revision of each gate that has a version."""
    query = select(GateProfileRow.gate_id, func.max(GateProfileRow.revision)).group_by(GateProfileRow.gate_id)
    return {gate_id: revision for gate_id, revision in session.execute(query)}


def learned_places(session: Session) -> dict[str, ServedPlace]:
    """Gate → where it serves trucks, as learned last."""
    rows = session.scalars(select(GateServedPlaceRow))
    return {row.gate_id: ServedPlace(row.km, row.stops, row.learned_at) for row in rows}


def save_learned_places(session: Session, places: Mapping[str, ServedPlace]) -> None:
    """Keep what was learned of where gates serve trucks, in place of what was known before."""
    if not places:
        return
    rows = [
        {"gate_id": gate_id, "km": place.km, "stops": place.stops, "learned_at": place.learned_at}
        for gate_id, place in sorted(places.items())
    ]
    query = insert(GateServedPlaceRow)
    changed = {name: query.excluded[name] for name in ("km", "stops", "learned_at")}
    session.execute(query.on_conflict_do_update(index_elements=["gate_id"], set_=changed), rows)


def lock_gate(session: Session, gate_id: str) -> None:
    """Let nobody else change a gate's versions until the transaction ends."""
    key = {"key": f"gate profile {gate_id}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def lock_corridor(session: Session) -> None:
    """Let nobody else add gates until the transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('corridor', 0))"))


def insert_version(session: Session, profile: GateProfile, values: Mapping[str, object]) -> None:
    """A new version of a profile."""
    session.add(GateProfileRow(**values, profile=_plain(profile)))
    session.flush()


def delete_draft(session: Session, gate_id: str) -> None:
    """Throw the draft of a gate away, if it has one."""
    session.execute(delete(GateProfileRow).where(GateProfileRow.gate_id == gate_id, GateProfileRow.status == "draft"))


def insert_first_versions(session: Session, profiles: Mapping[str, GateProfile], *, since: datetime) -> None:
    """Publish a first version, in force since `since`, for gates without any; the others are left as they are."""
    rows = [
        {
            "gate_id": gate_id,
            "version": 1,
            "revision": 1,
            "status": "published",
            "profile": _plain(profile),
            "effective_from": since,
            "created_at": since,
            "published_at": since,
        }
        for gate_id, profile in profiles.items()
        if gate_id not in revisions(session)
    ]
    if rows:
        session.execute(insert(GateProfileRow).on_conflict_do_nothing(), rows)


def _read(
    session: Session, query: Select[*tuple[object, ...]], values: Mapping[str, object] | None = None
) -> list[StoredProfile]:
    return records(StoredProfile, session.connection().execute(query, values), profile=_parse)


@lru_cache(maxsize=256)
def _parse(stored: str) -> GateProfile:
    """A profile, which nothing changes once it is read: parsing it took as long as asking for it."""
    return GateProfile.model_validate_json(stored)


def _plain(profile: GateProfile) -> JsonObject:
    return profile.model_dump(mode="json")
