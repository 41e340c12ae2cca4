"""The one table of who may do what.

An act is `resource.verb`. For each act the table gives the roles that may do it and how far:
everything, what belongs to their organisation, their gate, or themselves. What is not in the
table is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.platform.labels import N_, Vocabulary
from geo.errors import ForbiddenError


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
    SUPPORT = "support", N_("Support desk"), "/station", True
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
    "yards.read": _EVERYONE,
    "events.read": _EVERYONE,
    "account.own": _EVERYONE,
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
    "devices.enrol": {R.ADMINISTRATOR: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN},
    "devices.read": {R.ADMINISTRATOR: _ALL, R.ENTERPRISE: _ORG, R.DRIVER: _OWN, R.AUDITOR: _ALL},
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
    "channels.set": {R.CUSTOMS: _GATE},
    "inspections.read": dict.fromkeys(_STATIONS, _GATE),
    "declarations.read": {R.ENTERPRISE: _ORG, **dict.fromkeys(_STATIONS, _GATE), R.AUDITOR: _ALL},
    "declarations.write": {R.ENTERPRISE: _ORG, R.SUPPORT: _GATE},
    "undeclared.write": {R.SUPPORT: _GATE},
    "transshipments.register": {R.ENTERPRISE: _ORG},
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
    # yards
    "yards.move": {R.YARD_OPERATOR: _GATE},
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
    "scenarios.read": {R.PLANNER: _ALL, R.AUDITOR: _ALL},
    "scenarios.run": {R.PLANNER: _ALL},
    # accounts
    "accounts.read": {R.ADMINISTRATOR: _ALL, R.AUDITOR: _ALL},
    "accounts.write": {R.ADMINISTRATOR: _ALL},
    "audit.read": {R.AUDITOR: _ALL},
    # pages
    "pages.police": {R.TRAFFIC_POLICE: _ALL},
    "pages.driver": {R.DRIVER: _OWN},
    "pages.enterprise": {R.ENTERPRISE: _ORG},
    "pages.planner": {R.PLANNER: _ALL},
    "pages.yard": {R.YARD_OPERATOR: _GATE},
    "pages.support": {R.SUPPORT: _GATE},
    "pages.station": dict.fromkeys(_STATIONS, _GATE),
}


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
    csrf_token: str

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
