"""Where a trip's gate lies: what stages, orders and advice need to know of the corridor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geo.corridor import Corridor

TO_BORDER, FROM_BORDER = 1, -1
"""Direction of travel as positions carry it; 0 is unknown."""


@dataclass(frozen=True)
class GatePlace:
    """One gate on its road; kilometres count from the border.

    `inland_km` and `border_km` are those of its barriers. `fork_km` is where its road leaves the other roads
    (`None` if it meets none): nearer the border only this gate is reached. `feeders` holds, for each road that
    meets its road, the kilometre of the junction on that road and on the gate's own.
    """

    gate_id: str
    road: str
    km: float
    inland_km: float
    border_km: float
    fork_km: float | None
    yards: frozenset[str]
    feeders: Mapping[str, tuple[float, float]]

    def distance_km(self, road: str | None, km: float | None) -> float | None:
        """Kilometres by road to the border by this gate; `None` off the corridor."""
        if road is None or km is None:
            return None
        if road == self.road:
            return km
        if road not in self.feeders:
            return None
        there_km, here_km = self.feeders[road]
        return here_km + abs(km - there_km)

    def is_on_branch(self, road: str | None, km: float | None) -> bool:
        """Whether a place is on the stretch that leads to this gate and no other."""
        return road == self.road and km is not None and (self.fork_km is None or km < self.fork_km)


@dataclass(frozen=True)
class StagingArea:
    """An area on the way where trucks can be held."""

    site_id: str
    road: str
    km: float
    capacity_veh: int


@dataclass(frozen=True)
class Places:
    """Gates, yards and staging areas by their site, and the names people know them by."""

    gates: Mapping[str, GatePlace]
    staging: Mapping[str, StagingArea]
    yard_gates: Mapping[str, str]
    names: Mapping[str, Mapping[str, str]]
    km_spans: Mapping[str, tuple[float, float]]

    def name(self, site_id: str, locale: str) -> str:
        """The name of a site in a language, Vietnamese if it has none in that."""
        names = self.names.get(site_id, {})
        return names.get(locale) or names.get("vi") or site_id

    @classmethod
    def of(cls, corridor: Corridor) -> Places:
        """Read the places off a corridor."""
        junctions = _junctions(corridor)
        gates: dict[str, GatePlace] = {}
        for site in corridor.gates():
            barriers = [barrier.km for barrier in corridor.barriers(site.site_id)] or [site.km]
            feeders = {other: kms for (own, other), kms in junctions.items() if own == site.road}
            beyond = [here for _, here in feeders.values() if here > site.km]
            gates[site.site_id] = GatePlace(
                gate_id=site.site_id,
                road=site.road,
                km=site.km,
                inland_km=max(barriers),
                border_km=min(barriers),
                fork_km=min(beyond) if beyond else None,
                yards=frozenset(yard.site_id for yard in corridor.yards(site.site_id)),
                feeders=feeders,
            )
        return cls(
            gates=gates,
            staging={
                site.site_id: StagingArea(site.site_id, site.road, site.km, site.capacity_veh or 0)
                for site in corridor.staging_areas()
            },
            yard_gates={yard.site_id: yard.gate_id or "" for yard in corridor.yards()},
            names={site.site_id: site.name for site in corridor.sites.values()},
            km_spans={road: corridor.km_span(road) for road in corridor.road_names()},
        )


def _junctions(corridor: Corridor) -> dict[tuple[str, str], tuple[float, float]]:
    """For each ordered pair of roads that meet: the kilometre of their junction on the second and on the first."""
    at: dict[str, dict[str, float]] = {}
    for piece in corridor.roads:
        at.setdefault(piece.from_node, {})[piece.road] = piece.km_from
        at.setdefault(piece.to_node, {})[piece.road] = piece.km_to
    return {(own, other): (kms[other], kms[own]) for kms in at.values() for own in kms for other in kms if own != other}
