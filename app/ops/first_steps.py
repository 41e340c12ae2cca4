"""What an empty installation still lacks before the first truck is seen and handled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.gates import service as gates
from app.platform.permissions import Role
from capacity import store as yards
from geo.corridor import Corridor
from ingest import store as devices

OF_THE_PROVINCE: Final = (Role.TRAFFIC_POLICE, Role.PLANNER)
OF_EACH_GATE: Final = (
    Role.BORDER_GUARD,
    Role.CUSTOMS,
    Role.HEALTH_QUARANTINE,
    Role.PLANT_QUARANTINE,
    Role.YARD_OPERATOR,
    Role.GATE_MANAGEMENT,
    Role.SUPPORT,
)
"""Without these a trip of fruit is not carried from its declaration to the exit."""


@dataclass(frozen=True)
class FirstSteps:
    """What is there, and what is missing.

    `unconfirmed_gates` have no version of their profile that a person published; `unconfirmed_yards` hold as many
    trucks as was assumed; `missing_roles` have no account, at a gate (its id) or at all (`""`).
    """

    unconfirmed_gates: tuple[str, ...]
    unconfirmed_yards: tuple[str, ...]
    missing_roles: Mapping[str, tuple[Role, ...]]
    enterprises: int
    devices: int
    heard_at: datetime | None

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing."""
        is_set_up = not (self.unconfirmed_gates or self.unconfirmed_yards or self.missing_roles)
        return is_set_up and bool(self.enterprises and self.devices and self.heard_at)


def first_steps(session: Session, corridor: Corridor, now: datetime) -> FirstSteps:
    """How far an installation has come."""
    gate_ids = gates.gate_ids(corridor)
    by_role = accounts.accounts_by_role(session)
    published = {each: gates.get_profile(session, each, now).published_by is not None for each in gate_ids}
    return FirstSteps(
        unconfirmed_gates=tuple(each for each in gate_ids if not published[each]),
        unconfirmed_yards=tuple(yard.yard_id for yard in yards.list_yards(session) if yard.updated_by is None),
        missing_roles=missing_roles(gate_ids, {key for key, count in by_role.items() if count}),
        enterprises=sum(count for (role, _), count in by_role.items() if role == Role.ENTERPRISE),
        devices=devices.count_devices(session),
        heard_at=devices.newest_position_at(session),
    )


def missing_roles(
    gate_ids: Collection[str], present: Collection[tuple[str, str | None]]
) -> dict[str, tuple[Role, ...]]:
    """The roles without an account, by gate (`""`: anywhere); `present` are roles with the gate they work at."""
    anywhere = {role for role, _ in present}
    found = {"": tuple(role for role in OF_THE_PROVINCE if role not in anywhere)}
    found |= {gate: tuple(role for role in OF_EACH_GATE if (role, gate) not in present) for gate in gate_ids}
    return {gate: roles for gate, roles in found.items() if roles}
