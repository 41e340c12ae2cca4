"""How each role signs in: who needs a second factor, how long sessions last, when they lock, how long a proof counts.

An administrator sets it. Until then an installation has the strict rules below, and a demonstration, whose accounts
are everybody's, lenient ones: no second factor, no lock, no second proof.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.accounts.sessions import SessionTimes
from app.platform.permissions import Role
from app.platform.policies import InForce, Policy
from app.settings import Settings
from app.signin.vocabulary import Strictness

R: Final = Role
MAX_LENIENT_DAYS: Final = 30


class RoleRules(BaseModel):
    """The rules of one role; an empty field means never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    second_factor: bool = Field(False, description="signs in with a second factor beside the password")
    idle_min: int = Field(120, ge=5, le=129_600, description="a session ends when it was not used for so long")
    absolute_h: int = Field(12, ge=1, le=8_760, description="a session ends after so long, however much it is used")
    lock_after_min: int | None = Field(15, ge=1, le=1_440, description="a session locks when nobody touched it")
    proof_min: int | None = Field(15, ge=1, le=43_200, description="a proof counts so long for acts that need one")

    def times(self) -> SessionTimes:
        """What sessions are opened with."""
        return SessionTimes(
            idle=timedelta(minutes=self.idle_min),
            absolute=timedelta(hours=self.absolute_h),
            lock_after=None if self.lock_after_min is None else timedelta(minutes=self.lock_after_min),
            proof_lasts=None if self.proof_min is None else timedelta(minutes=self.proof_min),
        )


_OFFICE = RoleRules(second_factor=True, idle_min=60, lock_after_min=10)
STRICT: Final[dict[Role, RoleRules]] = {
    R.ADMINISTRATOR: RoleRules(second_factor=True, idle_min=30, lock_after_min=10),
    R.AUDITOR: RoleRules(second_factor=True, idle_min=30, lock_after_min=10),
    R.PLANNER: _OFFICE,
    R.GATE_MANAGEMENT: _OFFICE,
    R.TAX: _OFFICE,
    # the map hangs in a manned control room: it shows on; orders are the officers' own
    R.TRAFFIC_POLICE: RoleRules(second_factor=True, idle_min=720, lock_after_min=None),
    # opens barriers the whole shift: one proof a shift, and a booth that locks when it is left
    R.BORDER_GUARD: RoleRules(idle_min=480, proof_min=480),
    # phones and offices of their own
    R.ENTERPRISE: RoleRules(idle_min=720, absolute_h=720, lock_after_min=None),
    R.DRIVER: RoleRules(idle_min=43_200, absolute_h=2_160, lock_after_min=None, proof_min=None),
}
"""Roles that are not here have the defaults of `RoleRules`: the desks of the stations, shared by a shift."""


class SignInRules(BaseModel):
    """The rules of all roles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[Role, RoleRules] = Field(default_factory=lambda: {role: STRICT.get(role, RoleRules()) for role in Role})

    def of(self, role: Role) -> RoleRules:
        """The rules of a role; those that the platform ships if it was not known when they were set."""
        return self.roles.get(role) or STRICT.get(role, RoleRules())


SIGN_IN_RULES: Final = Policy("accounts.sign_in", SignInRules, "sign_in_rules.set")


def rules_in_force(session: Session, settings: Settings) -> InForce[SignInRules]:
    """What holds now: what an administrator set, else what the installation begins with."""
    found = SIGN_IN_RULES.get(session)
    if found.version == 0 and strictness(settings) is Strictness.LENIENT:
        return InForce(_lenient(settings), 0, None, None)
    return found


def rules_of(session: Session, settings: Settings, role: Role) -> RoleRules:
    """The rules of a role that hold now."""
    return rules_in_force(session, settings).value.of(role)


def strictness(settings: Settings) -> Strictness:
    """Which rules an installation begins with."""
    chosen = Strictness.lookup(settings.sign_in_rules)
    return chosen or (Strictness.LENIENT if settings.demo else Strictness.STRICT)


def _lenient(settings: Settings) -> SignInRules:
    rules = RoleRules.model_construct(
        second_factor=False,
        idle_min=settings.session_hours * 60,
        absolute_h=max(MAX_LENIENT_DAYS * 24, settings.session_hours),
        lock_after_min=None,
        proof_min=None,
    )
    return SignInRules.model_construct(roles=dict.fromkeys(Role, rules))
