"""The corridor as the judgement of presence needs it: what a site is to a truck, and where on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.trips.places import FROM_BORDER, TO_BORDER, GatePlace, Places
from app.trips.presence_rules import Place, PresenceRules, Roads, Spot
from app.trips.vocabulary import PlaceKind
from geo.corridor import Corridor, Site

RADII_M: Final[Mapping[str, float]] = {"gate": 500.0, "yard": 200.0, "temporary_yard": 200.0, "camera": 30.0}
"""How far from its point a truck is that somebody sees at a site; assumed from the areas on the map."""
PASS_MARGIN_KM: Final = 0.05
"""How far past the gate's lanes a truck is through; about the error of a position along the road."""


@dataclass(frozen=True)
class Geography:
    """Places and spots of the corridor's sites, and the rules with its roads."""

    places: Places
    sites: Mapping[str, Site]
    rules: PresenceRules

    @classmethod
    def of(cls, corridor: Corridor) -> Geography:
        """Read it off a corridor."""
        places = Places.of(corridor)
        junctions = {
            (gate.road, other): (own_km, other_km)
            for gate in places.gates.values()
            for other, (other_km, own_km) in gate.feeders.items()
        }
        return cls(places, corridor.sites, PresenceRules(roads=Roads(junctions)))

    def spot(self, site_id: str | None) -> Spot | None:
        """Where a site is; `None` of an unknown one."""
        site = self.sites.get(site_id or "")
        if site is None:
            return None
        return Spot(site.lon, site.lat, RADII_M.get(site.kind, 100.0), site.road, site.km)

    def place(self, site_id: str | None) -> Place | None:
        """What a truck's position in a site means: before a gate, in a yard; `None` where no truck is counted."""
        site = self.sites.get(site_id or "")
        if site is None:
            return None
        if site.kind == "gate":
            return Place(PlaceKind.QUEUED, site.site_id)
        if site.kind in {"yard", "temporary_yard"}:
            return Place(PlaceKind.get(site.kind), site.gate_id, site.site_id)
        return None

    def sole_yard(self, gate_id: str) -> str | None:
        """The yard of a gate that has one; `None` if it has several or none."""
        return self._sole("yard", gate_id)

    def temporary_yard(self, gate_id: str) -> Place:
        """Where undeclared trucks wait at a gate: its temporary yard, or before it where that is not one."""
        site_id = self._sole("temporary_yard", gate_id)
        return Place(PlaceKind.QUEUED if site_id is None else PlaceKind.TEMPORARY_YARD, gate_id, site_id)

    def is_road_camera(self, site_id: str | None) -> bool:
        """Whether a site is a camera along the road."""
        site = self.sites.get(site_id or "")
        return site is not None and site.kind == "camera"

    def is_staging(self, site_id: str | None) -> bool:
        """Whether a site is an area where trucks are held on the way."""
        site = self.sites.get(site_id or "")
        return site is not None and site.kind == "staging"

    def _sole(self, kind: str, gate_id: str) -> str | None:
        found = [site.site_id for site in self.sites.values() if site.kind == kind and site.gate_id == gate_id]
        return found[0] if len(found) == 1 else None


def is_past(gate: GatePlace, road: str | None, km: float | None) -> bool:
    """Whether a place on the road is beyond a gate's lanes, on the border's side."""
    return road == gate.road and km is not None and km < gate.km - PASS_MARGIN_KM


def heads_to_border(direction: int) -> bool | None:
    """Whether a truck drives toward the border, as positions carry it; `None` unknown."""
    return {TO_BORDER: True, FROM_BORDER: False}.get(direction)
