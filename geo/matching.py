"""Map matching: GPS fixes to road, offset, kilometre and direction, whole batches at once.

Each fix gets a few candidate lines from a spatial index. Along the fixes of one vehicle, the most likely sequence of
candidates is found as in a hidden Markov model (Newson and Krumm, "Hidden Markov map matching through noise and
sparseness", ACM SIGSPATIAL 2009): the distance to the line and the heading speak for a candidate, the difference
between the way along the network and the straight way speaks against a step. The vehicle's last known place takes
part as one more fix, at its own time, so that a fix that arrives late is placed between its neighbours. Nothing here
loops over fixes: the loops run over the first, second, … fix of all vehicles at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from geo import motion
from geo.chains import Chains
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.fixes import Fixes, LastPlaces, Places, SiteEvents, Status
from geo.geofences import Geofences, Surroundings
from geo.lines import Candidates, LineIndex
from geo.projection import to_metres

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
    start_m: float = 25.0
    """A truck of unknown direction has one when it has moved this far."""


class Matcher:
    """Places fixes on one corridor; thread-safe, keeps nothing between calls.

    `site_ids` are the sites of the corridor in its order; `Places.site` points into it.
    """

    def __init__(self, corridor: Corridor, options: MatchOptions | None = None) -> None:
        self.corridor = corridor
        self.options = options or MatchOptions()
        self.site_ids: tuple[str, ...] = tuple(corridor.sites)
        self._lines = LineIndex(corridor)
        self._one_way = self._lines.one_way()
        self._fences = Geofences(corridor)

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
        unlikely = _unlikely(rows, self.options)
        chains = Chains.of(rows.vehicle, rows.time_s, usable=~unlikely, first=rows.known)

        radius_m = self.options.near_m + rows.accuracy_m[:count]
        found = _with_known(
            self._lines.candidates(rows.x_m[:count], rows.y_m[:count], radius_m), rows.known_line, rows.known_offset_m
        )
        emission = self._emission(found, rows)
        slot = self._most_likely(chains, found, emission, rows)
        each = np.arange(len(slot))
        path = _Path(
            line=found.line[each, slot],
            offset_m=found.offset_m[each, slot],
            distance_m=found.distance_m[each, slot],
            along=(found.tangent[each, slot] * rows.heading).sum(axis=1),
        )
        direction, site = self._walk(chains, rows, path, self._fences.around(fixes.lon, fixes.lat))
        road_id, along_m, direction = self._lines.road_place(
            path.line[:count], path.offset_m[:count], direction[:count]
        )
        return Places(
            road_id=road_id,
            offset_m=along_m,
            km=self.corridor.km_of(road_id, along_m),
            direction=direction,
            distance_m=np.where(road_id < 0, np.nan, path.distance_m[:count]),
            status=self._status(chains, rows, path, site[:count]),
            site=site[:count],
            unlikely=unlikely[:count],
        )

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

    def _emission(self, found: Candidates, rows: _Rows) -> Floats:
        """Cost of each candidate by distance and heading, shape (rows, k)."""
        sigma_m = np.hypot(self.options.line_error_m, rows.sigma_m)[:, None]
        cost = 0.5 * (found.distance_m / sigma_m) ** 2
        if rows.has_heading.any():
            along = np.einsum("rkc,rc->rk", found.tangent, rows.heading)
            way = self._one_way[found.line]
            misfit = 1.0 - np.where(way == 0, np.abs(along), way * along)
            cost = cost + np.where(rows.has_heading[:, None], 4.0 * misfit, 0.0)
        missing = found.line < 0
        cost[missing] = np.inf
        cost[missing[:, 0], 0] = 0.0  # no candidate at all: a state of its own, from which anything may follow
        return cost

    def _most_likely(self, chains: Chains, found: Candidates, emission: Floats, rows: _Rows) -> Indices:
        """The slot of the candidate of each row on the cheapest path through its chain (Viterbi), shape (rows,)."""
        slots = emission.shape[1]
        if slots == 1:
            return np.zeros(len(emission), dtype=np.intp)
        row = np.flatnonzero(chains.before >= 0)
        before = chains.before[row]
        straight_m = np.hypot(rows.x_m[row] - rows.x_m[before], rows.y_m[row] - rows.y_m[before])
        way_m, arrival = self._lines.travel(
            found.line[before][:, :, None],
            found.offset_m[before][:, :, None],
            found.line[row][:, None, :],
            found.offset_m[row][:, None, :],
        )
        tolerance_m = 30.0 + 0.2 * straight_m + rows.sigma_m[row]
        step = np.minimum(np.abs(way_m - straight_m[:, None, None]) / tolerance_m[:, None, None], 30.0)
        only = self._one_way[found.line[row]][:, None, :]
        step = step + 6.0 * ((only * arrival < 0) & (way_m > 30.0))
        step[(found.line[before][:, :, None] < 0) | (found.line[row][:, None, :] < 0)] = 0.0

        position = np.full(len(emission), -1, dtype=np.intp)
        position[row] = np.arange(len(row))
        cost = emission.copy()
        origin = np.zeros(emission.shape, dtype=np.intp)
        for wave in chains.waves(1):
            ways = cost[chains.before[wave]][:, :, None] + step[position[wave]]
            origin[wave] = ways.argmin(axis=1)
            cost[wave] = np.take_along_axis(ways, origin[wave][:, None, :], axis=1)[:, 0, :] + emission[wave]
        slot: Indices = cost.argmin(axis=1)
        for wave in reversed(chains.waves(1)):
            slot[chains.before[wave]] = origin[wave, slot[wave]]
        return slot

    def _walk(
        self, chains: Chains, rows: _Rows, path: _Path, about: Surroundings
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
        """Direction of travel and geofence of each row, carried along the chains, both shape (rows,).

        A clear heading of a moving truck gives the direction at once. Otherwise it changes only when the truck has
        come back by more than the noise from the farthest point of its way, so that a standing truck keeps it.
        A geofence is left only when the fix lies clear of it, so that a truck at its edge does not flicker.
        """
        count = len(about.inside)
        row = np.flatnonzero(chains.before >= 0)
        before = chains.before[row]
        progress_m = np.zeros(len(path.line))
        way_m, arrival = self._lines.travel(
            path.line[before], path.offset_m[before], path.line[row], path.offset_m[row]
        )
        progress_m[row] = way_m * arrival
        by_heading = np.where(np.abs(path.along) > 0.5, np.sign(path.along), 0.0).astype(np.int8)
        standing, moving = motion.is_standing(rows.speed_mps), motion.is_moving(rows.speed_mps)
        by_heading[~moving] = 0
        # A truck that says it stands wanders by noise alone; one that says nothing may stand.
        coarseness_m = np.minimum(rows.accuracy_m, 100.0)
        turn_m = np.where(standing, 3.0, np.where(moving, 1.0, 2.0)) * (self.options.turn_m + coarseness_m)
        start_m = np.where(standing, 3.0, np.where(moving, 0.5, 1.0)) * (self.options.start_m + coarseness_m)

        direction = np.zeros(len(path.line), dtype=np.int8)
        direction[:count] = by_heading[:count]
        direction[count:] = rows.known_direction
        site = np.concatenate([about.inside, rows.known_site]).astype(np.int32)
        coarse = rows.accuracy_m > self.options.coarse_m
        at_m, high_m, low_m = np.zeros((3, len(path.line)))
        for wave in chains.waves(1):
            came = chains.before[wave]
            at_m[wave] = at = at_m[came] + progress_m[wave]
            high, low, way = np.maximum(high_m[came], at), np.minimum(low_m[came], at), direction[came]
            enough = np.where(way == 0, start_m[wave], turn_m[wave])
            new = np.where((way != 1) & (at - low > enough), 1, np.where((way != -1) & (high - at > enough), -1, way))
            new = np.where(by_heading[wave] != 0, by_heading[wave], new)
            known = wave >= count
            new = np.where(known & (direction[wave] != 0), direction[wave], new)
            direction[wave] = new
            high_m[wave], low_m[wave] = np.where(new != way, at, high), np.where(new != way, at, low)

            was, own = site[came], site[wave]
            stays = ~known & (was >= 0) & (own < 0)
            stays[stays] = about.near[wave[stays], was[stays]]
            site[wave] = np.where(stays | (coarse[wave] & ~known), was, own)
        for wave in reversed(chains.waves(1)):
            came = chains.before[wave]
            direction[came] = np.where(direction[came] == 0, direction[wave], direction[came])
        return direction, site

    def _status(self, chains: Chains, rows: _Rows, path: _Path, site: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
        """A `Status` of each fix, shape (n,)."""
        count = len(site)
        distance_m = path.distance_m[:count]
        accuracy_m = rows.accuracy_m[:count]
        came = chains.before[:count]
        elapsed_s = np.maximum(rows.time_s[:count] - rows.time_s[came], 1.0)
        moved_m = np.hypot(rows.x_m[:count] - rows.x_m[came], rows.y_m[:count] - rows.y_m[came])
        speed_mps = np.where(
            np.isnan(rows.speed_mps[:count]), np.where(came >= 0, moved_m / elapsed_s, 0.0), rows.speed_mps[:count]
        )
        drives = motion.is_free(speed_mps) & (~rows.has_heading[:count] | (np.abs(path.along[:count]) > 0.7))
        limit_m = self.options.on_road_m + np.minimum(accuracy_m, 150.0)
        limit_m = np.where(drives, np.maximum(limit_m, self.options.moving_on_road_m), limit_m)
        parked = self._fences.off_road[site] & (site >= 0) & (accuracy_m <= self.options.coarse_m)
        on_road = (distance_m <= limit_m) & ~parked
        status = np.where(on_road, Status.ON_ROAD, Status.OFF_ROAD)
        return np.where(np.isinf(distance_m), Status.OFF_CORRIDOR, status).astype(np.int8)


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
    heading: Floats
    """Unit vector of the heading, zero where unknown, shape (rows, 2)."""
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
        x_m, y_m = to_metres(np.concatenate([fixes.lon, last.lon[has]]), np.concatenate([fixes.lat, last.lat[has]]))
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
        heading = np.column_stack([np.sin(radians), np.cos(radians)]) * has_heading[:, None]
        return cls(
            vehicle=np.concatenate([vehicle, has]),
            time_s=np.concatenate([fixes.time_s, last.time_s[has]]),
            x_m=x_m,
            y_m=y_m,
            speed_mps=speed_mps,
            heading=heading,
            has_heading=has_heading,
            accuracy_m=stated_m,
            sigma_m=np.where(stated, stated_m, options.unknown_accuracy_m),
            known=np.concatenate([np.zeros(len(fixes), dtype=bool), ~no]),
            known_line=line,
            known_offset_m=offset_m,
            known_direction=direction,
            known_site=np.where(last.site[has] < sites, last.site[has], -1).astype(np.int32),
        )


@dataclass(frozen=True)
class _Path:
    """The candidate chosen for each row, arrays of shape (rows,)."""

    line: Indices
    offset_m: Floats
    distance_m: Floats
    along: Floats
    """Cosine between heading and line, positive toward the border; 0 where the heading is unknown."""


def _with_known(found: Candidates, line: Indices, offset_m: Floats) -> Candidates:
    """Candidates of the fixes, and below them the known places, each with the one line it is on."""
    count, slots = len(line), found.line.shape[1]
    lines = np.full((count, slots), -1, dtype=np.intp)
    offsets, distances = np.zeros((count, slots)), np.full((count, slots), np.inf)
    lines[:, 0], offsets[:, 0], distances[:, 0] = line, offset_m, np.where(line < 0, np.inf, 0.0)
    return Candidates(
        np.concatenate([found.line, lines]),
        np.concatenate([found.offset_m, offsets]),
        np.concatenate([found.distance_m, distances]),
        np.concatenate([found.tangent, np.zeros((count, slots, 2))]),
    )


def _unlikely(rows: _Rows, options: MatchOptions) -> Flags:
    """Fixes that the truck cannot have reached from its last likely place, shape (rows,).

    Two such fixes in a row that fit each other are believed: then the earlier place was the wrong one.
    """

    def reachable(a: Indices, b: Indices) -> Flags:
        distance_m = np.hypot(rows.x_m[a] - rows.x_m[b], rows.y_m[a] - rows.y_m[b])
        slack_m = options.jump_m + rows.accuracy_m[a] + rows.accuracy_m[b]
        return ~(distance_m > options.max_speed_mps * np.abs(rows.time_s[a] - rows.time_s[b]) + slack_m)

    everything = np.ones(len(rows.vehicle), dtype=bool)
    chains = Chains.of(rows.vehicle, rows.time_s, usable=everything, first=rows.known)
    row = np.flatnonzero(chains.before >= 0)
    unlikely = np.zeros(len(rows.vehicle), dtype=bool)
    if bool(reachable(row, chains.before[row]).all()):
        return unlikely
    good = np.arange(len(rows.vehicle))  # the last likely row up to and with this one
    for wave in chains.waves(1):
        came = chains.before[wave]
        fits = reachable(wave, good[came]) | rows.known[wave] | (unlikely[came] & reachable(wave, came))
        unlikely[wave] = ~fits
        good[wave] = np.where(fits, wave, good[came])
    return unlikely


def _no_places() -> Places:
    none, empty = np.empty(0, dtype=np.int32), np.empty(0)
    small = np.empty(0, dtype=np.int8)
    return Places(none, empty, empty, small, empty, small, none, np.empty(0, dtype=bool))
