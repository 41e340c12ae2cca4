"""The stations of a gate: which steps are done at each, and who stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.platform.labels import N_, STEP_NAMES
from app.platform.permissions import Principal, Role
from geo.errors import NotFoundError


@dataclass(frozen=True)
class Station:
    """One station; its name is that of the step done there (see `app.sheets.view.STATIONS`).

    `icon` is one of Tabler's.
    """

    name: str
    icon: str
    roles: tuple[Role, ...]

    @property
    def label(self) -> str:
        """What it is called, a key of the translations."""
        return STEP_NAMES.get(self.name, N_("Undeclared vehicles"))


SUPPORT: Final = "support"
"""The desk at the temporary yard, for trucks that came undeclared; a station, but no step."""

STATIONS: Final = {
    one.name: one
    for one in (
        Station("health", "stethoscope", (Role.HEALTH_QUARANTINE,)),
        Station("barrier_1", "barrier-block", (Role.BORDER_GUARD,)),
        Station("barrier_2", "barrier-block", (Role.BORDER_GUARD,)),
        Station("yard", "parking", (Role.YARD_OPERATOR,)),
        Station("transshipment", "transfer", (Role.YARD_OPERATOR,)),
        Station("quarantine_health", "stethoscope", (Role.HEALTH_QUARANTINE,)),
        Station("quarantine_animal", "paw", (Role.ANIMAL_QUARANTINE,)),
        Station("quarantine_plant", "leaf", (Role.PLANT_QUARANTINE,)),
        Station("customs", "package", (Role.CUSTOMS,)),
        Station("fee", "cash", (Role.GATE_MANAGEMENT, Role.TAX)),
        Station(SUPPORT, "file-alert", (Role.SUPPORT,)),
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
