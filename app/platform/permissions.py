"""The one table of who may do what.

An act is `resource.verb`. For each act the table gives the roles that may do it and how far:
everything, what belongs to their organisation, their gate, or themselves. What is not in the
table is denied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.platform.csrf import mask
from app.platform.labels import N_, Vocabulary
from geo.errors import ForbiddenError, ProofNeededError, SessionLockedError


class Role(Vocabulary):
    """Who people are; the values are the names of the public contract.

    `home_page` is where a role starts, `is_at_gate` whether its people work at the stations of a gate (which ones:
    `app.procedures.steps.Step`). What a role may do is in `PERMISSIONS`, and with it its menu.
    """

    home_page: str
    is_at_gate: bool

    def __init__(self, _name: str, label: str, home_page: str, is_at_gate: bool = False) -> None:
        super().__init__(_name, label)
        self.home_page, self.is_at_gate = home_page, is_at_gate

    TRAFFIC_POLICE = "traffic_police", N_("Traffic police"), "/police"
    DRIVER = "driver", N_("Driver"), "/driver"
    ENTERPRISE = "enterprise", N_("Enterprise"), "/enterprise"
    PLANNER = "planner", N_("Planner"), "/planner"
    YARD_OPERATOR = "yard_operator", N_("Yard operator"), "/yard", True
    BORDER_GUARD = "border_guard", N_("Border guard"), "/station", True
    HEALTH_QUARANTINE = "health_quarantine", N_("Health quarantine"), "/station", True
    ANIMAL_QUARANTINE = "animal_quarantine", N_("Animal quarantine"), "/station", True
    PLANT_QUARANTINE = "plant_quarantine", N_("Plant quarantine"), "/station", True
    CUSTOMS = "customs", N_("Customs"), "/station", True
    GATE_MANAGEMENT = "gate_management", N_("Gate management center"), "/station", True
    TAX = "tax", N_("Tax office"), "/station", True
    SUPPORT = "support", N_("Support desk"), "/support", True
    ADMINISTRATOR = "administrator", N_("Administrator"), "/admin"
    AUDITOR = "auditor", N_("Auditor"), "/audit"


class Scope(StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    OWN_ORGANISATION = "own_organisation"
    OWN_GATE = "own_gate"
    OWN = "own"


R = Role
_ALL, _ORG, _GATE, _OWN = Scope.ALL, Scope.OWN_ORGANISATION, Scope.OWN_GATE, Scope.OWN
_EVERYONE = {role: _ALL for role in Role}
_STATIONS = tuple(role for role in Role if role.is_at_gate)

PERMISSIONS: dict[str, dict[Role, Scope]] = {
    # where trucks are: personal data, seen only by those who need it
    "positions.read": {
        R.TRAFFIC_POLICE: _ALL,
        R.PLANNER: _ALL,
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        **dict.fromkeys(_STATIONS, _GATE),
        R.AUDITOR: _ALL,
    },
    "history.read": {R.TRAFFIC_POLICE: _ALL, R.PLANNER: _ALL, R.AUDITOR: _ALL},
    # the corridor, forecasts, yards: no personal data in them
    "corridor.read": _EVERYONE,
    "forecasts.read": _EVERYONE,
    "skill.read": {R.TRAFFIC_POLICE: _ALL, R.PLANNER: _ALL, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "demand_events.write": {R.PLANNER: _ALL, R.ADMINISTRATOR: _ALL},
    "yards.read": _EVERYONE,
    "events.read": _EVERYONE,
    "account.own": _EVERYONE,
    # one's own session: prove who one is, lock it, end it; what a locked session still may
    "session.own": _EVERYONE,
    # what one signs in with: second factors, the identity of a provider
    "factors.own": _EVERYONE,
    # trips
    "trips.read": {
        R.TRAFFIC_POLICE: _ALL,
        R.PLANNER: _ALL,
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        **dict.fromkeys(_STATIONS, _GATE),
        R.AUDITOR: _ALL,
    },
    "trips.write": {R.ENTERPRISE: _ORG, R.SUPPORT: _GATE},
    "vehicles.answer": {R.ENTERPRISE: _ORG, R.DRIVER: _OWN},
    "trips.turn_back": {R.BORDER_GUARD: _GATE, R.SUPPORT: _GATE},
    "trips.take_over": {R.BORDER_GUARD: _GATE, R.SUPPORT: _GATE},
    "devices.enrol": {R.ADMINISTRATOR: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN},
    "devices.read": {R.ADMINISTRATOR: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN, R.AUDITOR: _ALL},
    "signals.read": {R.TRAFFIC_POLICE: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN, R.AUDITOR: _ALL},
    "signals.answer": {R.TRAFFIC_POLICE: _ALL},
    "commands.read": {R.TRAFFIC_POLICE: _ALL, R.AUDITOR: _ALL},
    "terminals.read_unknown": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    # a driver's telephone, to call them on the road
    "drivers.call": {R.TRAFFIC_POLICE: _ALL},
    # a vehicle's way: an enterprise that of what it holds, since it has held it
    "traces.read": {R.TRAFFIC_POLICE: _ALL, R.PLANNER: _ALL, R.ENTERPRISE: _ORG, R.AUDITOR: _ALL},
    # how devices fare: an enterprise sees those of its own vehicles only, officers all, with what looks faked
    "device_health.read": {R.TRAFFIC_POLICE: _ALL, R.ENTERPRISE: _ORG, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    # the sheet of a trip: who owns a step is the procedure's to say; this table says who may act at all, and where
    "sheets.read": {
        R.TRAFFIC_POLICE: _ALL,
        R.PLANNER: _ALL,
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        **dict.fromkeys(_STATIONS, _GATE),
        R.AUDITOR: _ALL,
    },
    "steps.act": dict.fromkeys(_STATIONS, _GATE),
    "corrections.write": dict.fromkeys(_STATIONS, _GATE),
    "channels.set": {R.CUSTOMS: _GATE},
    "findings.read": {**dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    "findings.decide": {R.BORDER_GUARD: _GATE, R.CUSTOMS: _GATE},
    "priority.give": {R.BORDER_GUARD: _GATE, R.CUSTOMS: _GATE},
    "overrides.read": {R.GATE_MANAGEMENT: _GATE, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "handovers.read": {**dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    "handovers.write": dict.fromkeys(_STATIONS, _GATE),
    "inspections.read": {**dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    "declarations.read": {R.ENTERPRISE: _ORG, **dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    "declarations.write": {R.ENTERPRISE: _ORG, R.SUPPORT: _GATE},
    # a truck that came undeclared: led to the temporary yard by who finds it, declared there by the desk
    "undeclared.register": {R.BORDER_GUARD: _GATE, R.HEALTH_QUARANTINE: _GATE, R.SUPPORT: _GATE},
    "undeclared.write": {R.SUPPORT: _GATE},
    # files of a trip: which of them a role reads is the kind's to say (app/attachments)
    "attachments.read": {
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        **dict.fromkeys(_STATIONS, _GATE),
        R.AUDITOR: _ALL,
    },
    "attachments.write": {R.ENTERPRISE: _ORG, R.DRIVER: _OWN, **dict.fromkeys(_STATIONS, _GATE)},
    "attachments.read_policy": {R.ADMINISTRATOR: _ALL, R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "attachments.set_policy": {R.ADMINISTRATOR: _ALL},
    "transshipments.register": {R.ENTERPRISE: _ORG, R.YARD_OPERATOR: _GATE},
    "transshipments.withdraw": {R.ENTERPRISE: _ORG},
    "transshipments.approve": {R.CUSTOMS: _GATE},
    "transshipments.carry_out": {R.YARD_OPERATOR: _GATE},
    "procedures.read": {R.ADMINISTRATOR: _ALL, R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "procedures.write": {R.ADMINISTRATOR: _ALL},
    "equipment.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL, **dict.fromkeys(_STATIONS, _GATE)},
    "scans.read": {R.BORDER_GUARD: _GATE, R.CUSTOMS: _GATE, R.AUDITOR: _ALL},
    "equipment.write": {R.ADMINISTRATOR: _ALL},
    "plates.decide": {R.BORDER_GUARD: _GATE, R.YARD_OPERATOR: _GATE, R.SUPPORT: _GATE},
    "barriers.open": {R.BORDER_GUARD: _GATE},
    "fees.read": {
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        R.GATE_MANAGEMENT: _GATE,
        R.TAX: _GATE,
        R.BORDER_GUARD: _GATE,
        R.AUDITOR: _ALL,
    },
    "fees.pay": {R.ENTERPRISE: _ORG},
    "fees.collect": {R.GATE_MANAGEMENT: _GATE, R.TAX: _GATE},
    "tariffs.read": {R.ADMINISTRATOR: _ALL, R.GATE_MANAGEMENT: _GATE, R.TAX: _GATE, R.AUDITOR: _ALL},
    "tariffs.write": {R.ADMINISTRATOR: _ALL},
    "webhooks.write": {R.ENTERPRISE: _ORG},
    "notifications.read": _EVERYONE,
    "statistics.read": {R.PLANNER: _ALL, R.TRAFFIC_POLICE: _ALL, **dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    # advice and orders
    "advisories.read": {R.TRAFFIC_POLICE: _ALL, R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "advisories.decide": {R.TRAFFIC_POLICE: _ALL},
    "orders.read": {R.TRAFFIC_POLICE: _ALL, R.PLANNER: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN, R.AUDITOR: _ALL},
    "orders.issue": {R.TRAFFIC_POLICE: _ALL},
    "orders.respond": {R.DRIVER: _OWN},
    # places that are booked by the hour
    "bookings.read": {
        R.TRAFFIC_POLICE: _ALL,
        R.PLANNER: _ALL,
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        R.YARD_OPERATOR: _GATE,
        R.GATE_MANAGEMENT: _GATE,
        R.AUDITOR: _ALL,
    },
    "bookings.write": {R.ENTERPRISE: _ORG},
    "bookings.decide": {R.GATE_MANAGEMENT: _GATE},
    # yards
    "yards.move": {R.YARD_OPERATOR: _GATE},
    # zones, closures, prices
    "yard_places.read": {R.YARD_OPERATOR: _GATE, R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "yards.write": {R.YARD_OPERATOR: _GATE, R.PLANNER: _ALL},
    # planning
    "settings.read": {R.PLANNER: _ALL, R.TRAFFIC_POLICE: _ALL, R.AUDITOR: _ALL},
    "settings.write": {R.PLANNER: _ALL},
    "gates.read": {
        R.PLANNER: _ALL,
        R.TRAFFIC_POLICE: _ALL,
        R.ADMINISTRATOR: _ALL,
        R.AUDITOR: _ALL,
        **dict.fromkeys(_STATIONS, _GATE),
    },
    "gates.write": {R.PLANNER: _ALL, R.ADMINISTRATOR: _ALL},
    # what is announced of gates: cause and end are for everybody, the trips concerned as far as trips may be read
    "notices.read": _EVERYONE,
    "pages.notices": {
        R.TRAFFIC_POLICE: _ALL,
        R.PLANNER: _ALL,
        R.ADMINISTRATOR: _ALL,
        R.AUDITOR: _ALL,
        **dict.fromkeys(_STATIONS, _GATE),
    },
    "bans.write": {
        R.ADMINISTRATOR: _ALL,
        R.PLANNER: _ALL,
        R.CUSTOMS: _GATE,
        R.GATE_MANAGEMENT: _GATE,
        R.ANIMAL_QUARANTINE: _GATE,
        R.PLANT_QUARANTINE: _GATE,
    },
    "outages.write": {
        R.ADMINISTRATOR: _ALL,
        R.PLANNER: _ALL,
        R.CUSTOMS: _GATE,
        R.GATE_MANAGEMENT: _GATE,
        R.BORDER_GUARD: _GATE,
    },
    "scenarios.read": {R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "scenarios.run": {R.PLANNER: _ALL},
    # accounts
    "accounts.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "accounts.write": {R.ADMINISTRATOR: _ALL},
    "accounts.own": {R.ENTERPRISE: _ORG},
    "factor_resets.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "factor_resets.ask": {R.ADMINISTRATOR: _ALL},
    "factor_resets.decide": {R.ADMINISTRATOR: _ALL},
    "sign_in_rules.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "sign_in_rules.write": {R.ADMINISTRATOR: _ALL},
    "audit.read": {R.AUDITOR: _ALL},
    # what is kept of persons: how long, holds, requests for erasure (two administrators)
    "privacy.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "privacy.write": {R.ADMINISTRATOR: _ALL},
    # systems of others: how they do, what was given up and is mended by hand
    "neighbours.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "neighbours.write": {R.ADMINISTRATOR: _ALL},
    "condition.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    # what enterprises keep on file, whose a vehicle is, who acts for whom
    "registers.read": {R.ENTERPRISE: _ORG, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "registers.write": {R.ENTERPRISE: _ORG},
    "claims.read": {
        R.ENTERPRISE: _ORG,
        R.DRIVER: _OWN,
        R.SUPPORT: _ALL,
        R.ADMINISTRATOR: _ALL,
        R.AUDITOR: _ALL,
    },
    "claims.file": {R.ENTERPRISE: _ORG},
    "vehicles.forward": {R.ENTERPRISE: _ORG},
    "vehicles.forward_end": {R.ENTERPRISE: _ORG},
    "claims.answer": {R.ENTERPRISE: _ORG, R.DRIVER: _OWN},
    "claims.decide": {R.SUPPORT: _ALL, R.ADMINISTRATOR: _ALL},
    "powers.read": {R.ENTERPRISE: _ORG, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "powers.grant": {R.ENTERPRISE: _ORG},
    # pages; the auditor reads those of work, and each act on them is asked for by its own name
    "pages.police": {R.TRAFFIC_POLICE: _ALL, R.AUDITOR: _ALL},
    "pages.claims": {R.SUPPORT: _ALL, R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "pages.fees": {R.GATE_MANAGEMENT: _GATE, R.TAX: _GATE, R.AUDITOR: _ALL},
    "pages.appeals": {R.GATE_MANAGEMENT: _GATE, R.AUDITOR: _ALL},
    "pages.driver": {R.DRIVER: _OWN, R.AUDITOR: _ALL},
    "pages.enterprise": {R.ENTERPRISE: _ORG, R.AUDITOR: _ALL},
    "pages.prefilled": {R.ENTERPRISE: _ORG, R.SUPPORT: _GATE, R.AUDITOR: _ALL},
    "pages.asked_trips": {R.ENTERPRISE: _ORG, R.DRIVER: _OWN, R.AUDITOR: _ALL},
    "pages.planner": {R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "pages.yard": {R.YARD_OPERATOR: _GATE, R.AUDITOR: _ALL},
    "pages.support": {R.SUPPORT: _GATE, R.AUDITOR: _ALL},
    "pages.station": {**dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
}

NEEDING_PROOF: Final[Mapping[str, Collection[Role]]] = {
    "accounts.own": tuple(Role),
    "accounts.write": tuple(Role),
    "barriers.open": tuple(Role),
    "claims.decide": tuple(Role),
    "corrections.write": tuple(Role),
    "equipment.write": tuple(Role),  # what a barrier obeys
    "factor_resets.ask": tuple(Role),
    "factor_resets.decide": tuple(Role),
    "factors.own": tuple(Role),
    "fees.collect": tuple(Role),
    "powers.grant": tuple(Role),
    "privacy.write": tuple(Role),
    "sign_in_rules.write": tuple(Role),
    "steps.act": (R.BORDER_GUARD,),  # a confirmed step opens its barrier
    "tariffs.write": tuple(Role),
    "vehicles.forward": tuple(Role),  # positions that go out
    "webhooks.write": tuple(Role),  # an export that goes on
}
"""Acts that change money, barriers, roles or how people sign in, that a second person must agree to, or that take data
out of the platform, and the roles of which they ask for a fresh proof of who it is. Routes that only read do not,
except those that say so (exports)."""
ALLOWED_WHILE_LOCKED: Final = frozenset({"session.own"})


@dataclass(frozen=True)
class SignInNotice:
    """Something that an account's owner should know of how it signs in: a message (gettext key), and when it was."""

    message: str
    at: datetime


@dataclass(frozen=True)
class SessionState:
    """How the session of a principal stands.

    `is_locked`: nobody has touched it for `lock_after_s`; `is_proven`: whose it is was proven lately enough for acts
    that need a fresh proof. The failed sign-ins are those before it was opened, the changes are of how the account
    signs in; both until its owner has seen them.
    """

    is_locked: bool = False
    is_proven: bool = True
    lock_after_s: int | None = None
    locks_in_s: int | None = None
    failed_sign_ins: int = 0
    failed_sign_in_at: datetime | None = None
    sign_in_changes: tuple[SignInNotice, ...] = ()


@dataclass(frozen=True)
class Principal:
    """Who is asking: one account in one session.

    `organisation_id`, `gate_id`, `vehicle_id` are what the account is bound to; the scope of a
    permission refers to them.
    """

    account_id: int
    username: str
    full_name: str
    role: Role
    organisation_id: int | None
    gate_id: str | None
    vehicle_id: int | None
    locale: str
    session_hash: bytes
    csrf_secret: str
    """Never shown as it is: pages carry `csrf_token`."""
    acts_for: frozenset[int] = frozenset()
    """Other organisations whose power of attorney this one holds today."""
    state: SessionState = SessionState()
    looks_from: Role | None = None
    """The account's own role where a page of another one is only read (`look_as`)."""

    @property
    def is_looking(self) -> bool:
        """Whether a page of another role is only read: personal data that are that role's own are masked."""
        return self.looks_from is not None

    @property
    def reader(self) -> Role:
        """The role by which personal data are shown, whosever page it is."""
        return self.looks_from or self.role

    @property
    def csrf_token(self) -> str:
        """What a page carries, and its forms bring back; another one each time."""
        return mask(self.csrf_secret)

    @property
    def organisation_ids(self) -> frozenset[int]:
        """The organisations that the account acts for: its own, and those of powers of attorney."""
        return self.acts_for if self.organisation_id is None else self.acts_for | {self.organisation_id}

    def look_as(self, role: Role, *, organisation_id: int | None = None, gate_id: str | None = None) -> Principal:
        """As whom a page is read that shows only what is of `role` somewhere, by who reads the pages of all.

        For routes that only read: what is done, and who is said to have looked, is the account's all the same.
        """
        return replace(
            self,
            role=role,
            organisation_id=organisation_id,
            gate_id=gate_id,
            acts_for=frozenset(),
            looks_from=self.reader,
        )

    def scope(self, act: str) -> Scope | None:
        """How far this principal may do `act`; `None` means not at all."""
        return PERMISSIONS[act].get(self.role)

    def may(self, act: str) -> bool:
        """Whether this principal may do `act` at all."""
        return self.scope(act) is not None

    def require(self, act: str) -> Scope:
        """The scope of `act` for this principal.

        Raises
        ------
        ForbiddenError
            If the role may not do it.
        """
        scope = self.scope(act)
        if scope is None:
            raise ForbiddenError("Your role does not allow this ({act}).", act=act)
        return scope

    def check_session(self, act: str, *, is_change: bool, is_export: bool = False) -> None:
        """Refuse what a locked session, or one whose proof is old, may not do.

        Raises
        ------
        SessionLockedError, ProofNeededError
            If so; a proof of who it is lets the same request through.
        """
        if self.state.is_locked and act not in ALLOWED_WHILE_LOCKED:
            raise SessionLockedError("The session is locked. Say who you are to go on.")
        needs_proof = is_export or (is_change and self.role in NEEDING_PROOF.get(act, ()))
        if needs_proof and not self.state.is_proven:
            raise ProofNeededError("Say who you are once more before this is done.")
