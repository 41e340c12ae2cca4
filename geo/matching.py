"""Map matching: GPS fixes to road, offset, kilometre and direction, whole batches at once.

Each fix gets a few candidate lines from a grid. Along the fixes of one vehicle, the most likely sequence of
candidates is found as in a hidden Markov model (Newson and Krumm, "Hidden Markov map matching through noise and
sparseness", ACM SIGSPATIAL 2009): the distance to the line and the heading speak for a candidate, the difference
between the way along the network and the straight way speaks against a step. The vehicle's last known place takes
part as one more fix, at its own time, so that a fix that arrives late is placed between its neighbours. The loops over
fixes are compiled, in `geo.match_kernel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from geo import motion
from geo.chains import Chains
from geo.corridor import Corridor
from geo.corridor_kernel import Found
from geo.errors import InvalidInputError
from geo.fixes import Fixes, LastPlaces, Places, SiteEvents, Status
from geo.geofences import Geofences, make_fences
from geo.lines import LineIndex
from geo.match_kernel import Rows as KernelRows
from geo.match_kernel import Rules, Scratch, place
from geo.projection import to_metres
from geo.reach import unreachable

__all__ = ["Fixes", "LastPlaces", "MatchOptions", "Matcher", "Places", "SiteEvents", "Status", "site_events"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MatchOptions:
    """What the matcher assumes of receivers, roads and trucks."""

    on_road_m: float = 50.0
    """A fix this near a line, plus its stated accuracy, is on the road: GPS noise and the line's own error."""
    moving_on_road_m: float = 150.0
    """A truck that drives along a line this near is on the road: the packaged lines err by up to 321 m."""
    near_m: float = 300.0
    """Beyond this distance, plus the stated accuracy, a fix has nothing to do with the corridor."""
    line_error_m: float = 15.0
    """Standard error of the lines; their median offset to OpenStreetMap is 17 m."""
    unknown_accuracy_m: float = 10.0
    """Standard error of a fix that does not state its accuracy."""
    max_accuracy_m: float = 700.0
    """A worse stated accuracy widens the search no further."""
    coarse_m: float = 100.0
    """A fix with a worse stated accuracy says nothing about geofences."""
    max_speed_mps: float = motion.MAX_TRUCK_MPS
    """A fix that would need more is unlikely."""
    jump_m: float = 200.0
    """A jump this far is never unlikely."""
    turn_m: float = 40.0
    """A truck turned round when it has come back this far without saying so by its heading."""
    turn_off_cost: float = 4.5
    """Cost of a step to another road between fixes of a batch, whose later ones decide: three standard errors."""
    drive_on_cost: float = 0.5
    """The same of a step from the last known place of a truck that has driven on: it may well have turned off."""
    stay_cost: float = 6.0
    """The same of one that is where it was: noise does not change its road there and back."""
    here_sigmas: float = 5.0
    """How many standard errors away a fix is no longer where the one before was; up to half of it, it is for sure."""
    start_m: float = 25.0
    """A truck of unknown direction has one when it has moved this far."""


USUAL_ACCURACY_M: Final = 100.0
"""Fixes of a worse stated accuracy are few: they are compared with all lines, not with those of a cell of the grid."""


class Matcher:
    """Places fixes on one corridor; thread-safe, keeps nothing between calls.

    `site_ids` are the sites of the corridor in its order; `Places.site` points into it.
    """

    def __init__(self, corridor: Corridor, options: MatchOptions | None = None) -> None:
        self.corridor = corridor
        self.options = options or MatchOptions()
        self.site_ids: tuple[str, ...] = tuple(corridor.sites)
        own = self.options
        reach_m = own.near_m + USUAL_ACCURACY_M
        self._lines = LineIndex(corridor, reach_m=reach_m)
        self.fences = Geofences(corridor)
        self._fence_arrays, self._fence_grid = make_fences(corridor)
        self._rules = Rules(
            on_road_m=own.on_road_m,
            moving_on_road_m=own.moving_on_road_m,
            near_m=own.near_m,
            grid_reach_m=reach_m,
            line_error_m=own.line_error_m,
            coarse_m=own.coarse_m,
            turn_m=own.turn_m,
            turn_off_cost=own.turn_off_cost,
            drive_on_cost=own.drive_on_cost,
            stay_cost=own.stay_cost,
            here_sigmas=own.here_sigmas,
            start_m=own.start_m,
        )

    def prepare(self) -> None:
        """Have the loops compiled, or find them kept, before a fix waits for them."""
        self.match(Fixes.of([0], [0.0], [0.0], [0.0]))

    def match(self, fixes: Fixes, previous: LastPlaces | None = None) -> Places:
        """Place fixes on roads.

        Arguments: `fixes`, any number of vehicles and fixes of each, in any order; `previous`, where each vehicle was
        before (or after, for late fixes), aligned to `np.unique(fixes.vehicle)`.
        Returns the places in the order of the fixes.
        """
        count = len(fixes)
        if count == 0:
            return _no_places()
        rows = _Rows.of(fixes, previous, lines=self._lines, sites=len(self.site_ids), options=self.options)
        unlikely = unreachable(
            chains=Chains.of(
                rows.vehicle, rows.time_s, usable=np.ones(len(rows.vehicle), dtype=bool), first=rows.known
            ),
            time_s=rows.time_s,
            x_m=rows.x_m,
            y_m=rows.y_m,
            accuracy_m=rows.accuracy_m,
            known=rows.known,
            slack_m=self.options.jump_m,
            max_speed_mps=self.options.max_speed_mps,
        )
        order, begin = rows.chains()
        found = Found(
            road_id=np.empty(count, np.int32),
            offset_m=np.empty(count),
            direction=np.empty(count, np.int8),
            distance_m=np.empty(count),
            status=np.empty(count, np.int8),
            site=np.empty(count, np.int32),
        )
        lines = self._lines
        place(
            order,
            begin,
            unlikely,
            rows.for_kernel(),
            lines.segments,
            lines.grid,
            lines.network,
            self._fence_arrays,
            self._fence_grid,
            self._rules,
            Scratch.of(int(np.diff(begin).max()), len(lines.length_m)),
            found,
        )
        km = self.corridor.km_of(found.road_id, found.offset_m)
        return Places(km=km, unlikely=unlikely[:count], **found._asdict())

    def last_places(self, fixes: Fixes, places: Places) -> tuple[npt.NDArray[np.int64], LastPlaces]:
        """The newest likely place of each vehicle of a batch: vehicles (v,), ascending, and their places (v,)."""
        order = np.lexsort((fixes.time_s, ~places.unlikely, fixes.vehicle))
        vehicle = fixes.vehicle[order]
        last = order[np.append(vehicle[1:] != vehicle[:-1], True)] if len(order) else order
        return fixes.vehicle[last], LastPlaces(
            time_s=fixes.time_s[last],
            road_id=places.road_id[last],
            offset_m=places.offset_m[last],
            lon=fixes.lon[last],
            lat=fixes.lat[last],
            site=places.site[last],
            direction=places.direction[last],
        )


def site_events(fixes: Fixes, places: Places, previous: LastPlaces | None = None) -> SiteEvents:
    """Geofences entered and left between the successive places of each vehicle.

    Arguments: as given to and returned by `Matcher.match`. A vehicle of which nothing is known before enters the
    geofence around its first fix; a late fix, older than all that is known, enters nothing. Unlikely fixes count not.
    Times are those of the fix after the change. Returns events by vehicle and time, leaving before entering.
    """
    ids, vehicle = np.unique(fixes.vehicle, return_inverse=True)
    before = previous or LastPlaces.nothing(len(ids))
    known = np.flatnonzero(np.isfinite(before.time_s))
    time_s = np.concatenate([fixes.time_s, before.time_s[known]])
    site = np.concatenate([places.site, before.site[known]])
    chains = Chains.of(
        np.concatenate([vehicle, known]),
        time_s,
        usable=np.concatenate([~places.unlikely, np.ones(len(known), dtype=bool)]),
        first=np.arange(len(time_s)) >= len(fixes),
    )
    came = chains.before
    was = np.where(came >= 0, site[came], -1)
    unseen = np.ones(len(ids), dtype=bool)
    unseen[known] = False
    fresh = np.zeros(len(time_s), dtype=bool)
    fresh[: len(fixes)] = unseen[vehicle] & ~places.unlikely
    changed = (was != site) & ((came >= 0) | fresh)
    left, entered = np.flatnonzero(changed & (was >= 0)), np.flatnonzero(changed & (site >= 0))
    row = np.concatenate([left, entered])
    kind = np.repeat([False, True], [len(left), len(entered)])
    where = np.concatenate([was[left], site[entered]])
    who = np.concatenate([fixes.vehicle, ids[known]])[row]
    order = np.lexsort((kind, time_s[row], who))
    return SiteEvents(who[order], time_s[row][order], where[order].astype(np.int32), kind[order])


@dataclass(frozen=True)
class _Rows:
    """Fixes and, after them, the known places of their vehicles, arrays of shape (rows,) unless said otherwise."""

    vehicle: Indices
    time_s: Floats
    x_m: Floats
    y_m: Floats
    speed_mps: Floats
    lon: Floats
    lat: Floats
    heading_x: Floats
    """East and north of the unit vector of the heading, zero where unknown."""
    heading_y: Floats
    has_heading: Flags
    accuracy_m: Floats
    """As stated, at most `max_accuracy_m`, 0 where unknown."""
    sigma_m: Floats
    """Standard error used."""
    known: Flags
    known_line: Indices
    """Line of each known place, shape (known,), as are the next three."""
    known_offset_m: Floats
    known_direction: npt.NDArray[np.int8]
    known_site: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls, fixes: Fixes, previous: LastPlaces | None, *, lines: LineIndex, sites: int, options: MatchOptions
    ) -> Self:
        ids, vehicle = np.unique(fixes.vehicle, return_inverse=True)
        last = previous or LastPlaces.nothing(len(ids))
        if len(last.time_s) != len(ids):
            raise InvalidInputError(
                "{given} last places for {wanted} vehicles; give one for each of np.unique(fixes.vehicle).",
                field="previous",
                given=len(last.time_s),
                wanted=len(ids),
            )
        has = np.flatnonzero(np.isfinite(last.time_s))
        line, offset_m = lines.line_place(last.road_id[has], last.offset_m[has])
        if last.direction is None:
            on = np.where(lines.road_to_border[line] == last.road_id[has], 1, -1)
            direction = np.where(line < 0, 0, on).astype(np.int8)
        else:
            direction = last.direction[has].astype(np.int8)
        lon, lat = np.concatenate([fixes.lon, last.lon[has]]), np.concatenate([fixes.lat, last.lat[has]])
        x_m, y_m = to_metres(lon, lat)
        unknown, no = np.full(len(has), np.nan), np.zeros(len(has), dtype=bool)
        accuracy_m = np.concatenate([fixes.accuracy_m, unknown])
        stated = np.isfinite(accuracy_m) & (accuracy_m >= 0.0)
        stated_m = np.where(stated, np.minimum(accuracy_m, options.max_accuracy_m), 0.0)
        speed_mps = np.concatenate([fixes.speed_mps, unknown])
        heading_deg = np.concatenate([fixes.heading_deg, unknown])
        has_heading = (
            np.isfinite(heading_deg) & (heading_deg != 0.0) & (np.isnan(speed_mps) | motion.is_moving(speed_mps))
        )
        radians = np.radians(np.where(has_heading, heading_deg, 0.0))
        return cls(
            vehicle=np.concatenate([vehicle, has]),
            time_s=np.concatenate([fixes.time_s, last.time_s[has]]),
            x_m=x_m,
            y_m=y_m,
            speed_mps=speed_mps,
            lon=lon,
            lat=lat,
            heading_x=np.sin(radians) * has_heading,
            heading_y=np.cos(radians) * has_heading,
            has_heading=has_heading,
            accuracy_m=stated_m,
            sigma_m=np.where(stated, stated_m, options.unknown_accuracy_m),
            known=np.concatenate([np.zeros(len(fixes), dtype=bool), ~no]),
            known_line=line,
            known_offset_m=offset_m,
            known_direction=direction,
            known_site=np.where(last.site[has] < sites, last.site[has], -1).astype(np.int32),
        )

    def chains(self) -> tuple[Indices, Indices]:
        """Rows by vehicle and time, and where each vehicle begins and the last ends.

        Of rows at the same time the known one goes first.
        """
        order = np.lexsort((~self.known, self.time_s, self.vehicle))
        vehicle = self.vehicle[order]
        changes = np.flatnonzero(vehicle[1:] != vehicle[:-1]) + 1
        return order, np.concatenate([[0], changes, [len(order)]]).astype(np.int64)

    def for_kernel(self) -> KernelRows:
        """What the compiled loops read of them."""
        return KernelRows(*(np.ascontiguousarray(getattr(self, name)) for name in KernelRows._fields))


def _no_places() -> Places:
    none, empty = np.empty(0, dtype=np.int32), np.empty(0)
    small = np.empty(0, dtype=np.int8)
    return Places(none, empty, empty, small, empty, small, none, np.empty(0, dtype=bool))
