"""The stations of a gate: which steps are done at each, and who stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.accounts.permissions import Principal, Role
from geo.errors import NotFoundError


@dataclass(frozen=True)
class Station:
    """One station; its name is that of the step done there (see `app.trips.sheet_view.STATIONS`).

    `label` is a gettext key, `icon` one of Tabler's.
    """

    name: str
    label: str
    icon: str
    roles: tuple[Role, ...]


SUPPORT: Final = "support"
"""The desk at the temporary yard, for trucks that came undeclared; a station, but no step."""

STATIONS: Final = {
    one.name: one
    for one in (
        Station("health", "Health check", "stethoscope", (Role.HEALTH_QUARANTINE,)),
        Station("barrier_1", "Barrier 1", "barrier-block", (Role.BORDER_GUARD,)),
        Station("barrier_2", "Barrier 2", "barrier-block", (Role.BORDER_GUARD,)),
        Station("yard", "Yard", "parking", (Role.YARD_OPERATOR,)),
        Station("transshipment", "Transshipment", "transfer", (Role.YARD_OPERATOR,)),
        Station("quarantine_health", "Health quarantine", "stethoscope", (Role.HEALTH_QUARANTINE,)),
        Station("quarantine_animal", "Animal quarantine", "paw", (Role.ANIMAL_QUARANTINE,)),
        Station("quarantine_plant", "Plant quarantine", "leaf", (Role.PLANT_QUARANTINE,)),
        Station("customs", "Customs inspection", "package", (Role.CUSTOMS,)),
        Station("fee", "Fee", "cash", (Role.GATE_MANAGEMENT, Role.TAX)),
        Station(SUPPORT, "Undeclared vehicles", "file-alert", (Role.SUPPORT,)),
    )
}


def stations_of(principal: Principal) -> list[Station]:
    """The stations a person works at, the first one shown first."""
    return [one for one in STATIONS.values() if principal.role in one.roles]


def get_station(principal: Principal, name: str | None) -> Station:
    """The station of that name, without a name the person's first one.

    Raises
    ------
    NotFoundError
        If the person works at no such station.
    """
    own = stations_of(principal)
    found = [one for one in own if name in (None, one.name)]
    if not found:
        raise NotFoundError("You do not work at the station {station}.", station=name or "–")
    return found[0]
