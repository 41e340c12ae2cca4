"""What holds at the gates now: their profiles and announcements, read once for all who ask.

Who changes them reads `app.gates.store` and `app.gates.notice_store`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.gates import notice_store, store
from app.gates.notice import GateNotice
from app.gates.profile import GateProfile, default_profiles
from app.platform.shared_facts import SharedFact, read_shared
from geo.corridor import Corridor


@dataclass(frozen=True, slots=True)
class _Profiles:
    """The profiles in force in [since, until), by gate."""

    since: datetime
    until: datetime | None
    by_gate: Mapping[str, GateProfile]

    def hold(self, at: datetime) -> bool:
        """Whether they are in force at a moment, as far as is known."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class _Notices:
    """The announcements that were not over at a moment, by their beginning."""

    since: datetime
    notices: tuple[GateNotice, ...]


def profiles_in_force(session: Session, now: datetime) -> dict[str, GateProfile]:
    """The profile in force of each gate, as published: without bans."""

    def load() -> _Profiles:
        stored = {each.gate_id: each.profile for each in store.profiles_in_force(session, now)}
        return _Profiles(now, store.next_change(session, now), stored)

    found = read_shared(session, SharedFact.GATE_PROFILES, None, load, holds=lambda kept: kept.hold(now))
    return dict(found.by_gate)


def current_notices(
    session: Session, now: datetime, *, gate_id: str | None = None, kind: str | None = None
) -> list[GateNotice]:
    """Announcements that are not over, in force or to come, by their beginning."""

    def load() -> _Notices:
        return _Notices(now, tuple(notice_store.known_notices(session, not_over_at=now)))

    found = read_shared(session, SharedFact.GATE_NOTICES, None, load, holds=lambda kept: kept.since <= now)
    return [
        notice
        for notice in found.notices
        if (gate_id is None or notice.gate_id == gate_id)
        and (kind is None or notice.kind == kind)
        and not notice.is_over(now)
    ]


_defaults: list[tuple[Corridor, dict[str, GateProfile]]] = []


def defaults_of(corridor: Corridor) -> Mapping[str, GateProfile]:
    """As `default_profiles`, for the corridor that a process serves made once."""
    for known, profiles in _defaults:
        if known is corridor:
            return profiles
    profiles = default_profiles(corridor)
    _defaults[:] = [(corridor, profiles)]
    return profiles
