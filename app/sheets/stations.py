"""The stations of a gate: which steps are done at each, and who stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.platform.labels import N_
from app.platform.permissions import Principal, Role, Scope
from app.procedures.steps import Part, Step, StepVocabulary
from geo.errors import InvalidInputError, NotFoundError


@dataclass(frozen=True)
class Station:
    """One station; its name is that of the step done there.

    `label` is a key of the translations, `icon` one of Tabler's; `shows` and `devices_first` as of the step (see
    `app.procedures.steps.StepSpec`).
    """

    name: str
    label: str
    icon: str
    roles: tuple[Role, ...]
    shows: tuple[Part, ...]
    devices_first: bool


SUPPORT: Final = "support"
"""The desk at the temporary yard, for trucks that came undeclared; a station, but no step."""


def make_stations(steps: type[StepVocabulary]) -> dict[str, Station]:
    """The stations of a vocabulary of steps by name, the support desk last."""
    found = [
        Station(str(step), step.label, step.icon, step.spec.roles, step.spec.shows, step.spec.devices_first)
        for step in steps.stations()
    ]
    desk = Station(
        SUPPORT, N_("Undeclared vehicles"), "file-alert", (Role.SUPPORT,), ("vehicle", "driver", "goods"), False
    )
    return {station.name: station for station in (*found, desk)}


STATIONS: Final[Mapping[str, Station]] = make_stations(Step)


def check_station(name: str) -> str:
    """The name of a station.

    Raises
    ------
    InvalidInputError
        If there is no such station.
    """
    if name not in STATIONS:
        known = ", ".join(STATIONS)
        raise InvalidInputError(
            "There is no station {station}; use one of {known}.", field="station", station=name, known=known
        )
    return name


def stations_of(principal: Principal, stations: Mapping[str, Station] = STATIONS) -> list[Station]:
    """The stations a person works at, the first one shown first; of who reads the pages of all gates, all."""
    reads_all = principal.scope("pages.station") is Scope.ALL
    return [station for station in stations.values() if reads_all or principal.role in station.roles]


def get_station(principal: Principal, name: str | None) -> Station:
    """The station of that name, without a name the person's first one.

    Raises
    ------
    NotFoundError
        If the person works at no such station.
    """
    own = stations_of(principal)
    found = [station for station in own if name in (None, station.name)]
    if not found:
        raise NotFoundError("You do not work at the station {station}.", station=name or "–")
    return found[0]
