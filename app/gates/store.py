"""Queries on gate profiles. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, case, delete, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.gates.profile import GateProfile
from app.gates.tables import GateProfileRow


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


def profiles_in_force(session: Session, now: datetime, gate_id: str | None = None) -> list[StoredProfile]:
    """The version in force of each gate (or of one), by gate; of a gate whose first one is yet to come, that one."""
    has_come = GateProfileRow.effective_from <= now
    query = (
        select(GateProfileRow)
        .where(GateProfileRow.status == "published")
        .ext(distinct_on(GateProfileRow.gate_id))
        .order_by(
            GateProfileRow.gate_id,
            has_come.desc(),
            case((has_come, GateProfileRow.effective_from)).desc(),
            GateProfileRow.effective_from,
            GateProfileRow.version.desc(),
        )
    )
    return _read(session, query if gate_id is None else query.where(GateProfileRow.gate_id == gate_id))


def list_versions(session: Session, gate_id: str) -> list[StoredProfile]:
    """All versions of a gate, newest first."""
    query = select(GateProfileRow).where(GateProfileRow.gate_id == gate_id)
    return _read(session, query.order_by(GateProfileRow.version.desc()))


def revisions(session: Session) -> dict[str, int]:
    """The revision of each gate that has a version."""
    query = select(GateProfileRow.gate_id, func.max(GateProfileRow.revision)).group_by(GateProfileRow.gate_id)
    return {gate_id: revision for gate_id, revision in session.execute(query)}


def lock_gate(session: Session, gate_id: str) -> None:
    """Let nobody else change a gate's versions until the transaction ends."""
    key = {"key": f"gate profile {gate_id}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def insert_version(session: Session, values: Mapping[str, Any]) -> None:
    """A new version; `profile` is a `GateProfile`."""
    session.add(GateProfileRow(**{**values, "profile": _plain(values["profile"])}))
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


_NAMES: Final = tuple(StoredProfile.__dataclass_fields__)


def _read(session: Session, query: Select[GateProfileRow]) -> list[StoredProfile]:
    rows: Iterable[GateProfileRow] = session.scalars(query.execution_options(populate_existing=True))
    return [
        StoredProfile(
            **{name: getattr(row, name) for name in _NAMES if name != "profile"},
            profile=GateProfile.model_validate(row.profile),
        )
        for row in rows
    ]


def _plain(profile: GateProfile) -> dict[str, Any]:
    return profile.model_dump(mode="json")
