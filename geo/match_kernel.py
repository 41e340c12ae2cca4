"""The compiled inside of map matching: one vehicle after the other, one fix after the other.

`geo.matching` says what is computed and why, and prepares the arrays; here is only the arithmetic, compiled with Numba
and free of the interpreter lock. Arrays are of rows: first the fixes of a batch, then the known places of their
vehicles.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from geo import motion
from geo.compiling import compiled, inlined
from geo.corridor_kernel import (
    Directions,
    Fences,
    Flags,
    Floats,
    Found,
    Grid,
    Indices,
    Network,
    Segments,
    fence_around,
    is_near_fence,
    near_lines,
    put_road,
    travel,
)
from geo.fixes import Status

CANDIDATES: Final = 4
"""The nearest lines that a fix may lie on."""
_ON_ROAD, _OFF_ROAD, _OFF_CORRIDOR = int(Status.ON_ROAD), int(Status.OFF_ROAD), int(Status.OFF_CORRIDOR)


class Rules(NamedTuple):
    """The numbers of `MatchOptions`."""

    on_road_m: float
    moving_on_road_m: float
    near_m: float
    grid_reach_m: float
    line_error_m: float
    coarse_m: float
    turn_m: float
    turn_off_cost: float
    drive_on_cost: float
    stay_cost: float
    here_sigmas: float
    start_m: float


class Rows(NamedTuple):
    """Fixes and known places, shape (rows,), unless said otherwise."""

    time_s: Floats
    lon: Floats
    lat: Floats
    x_m: Floats
    y_m: Floats
    speed_mps: Floats
    heading_x: Floats
    heading_y: Floats
    has_heading: Flags
    accuracy_m: Floats
    sigma_m: Floats
    known_line: Indices
    """Of each known place, shape (rows − fixes,), as are the next three."""
    known_offset_m: Floats
    known_direction: Directions
    known_site: npt.NDArray[np.int32]


class Scratch(NamedTuple):
    """Room to work in: for the fixes of a chain and their candidates, and for the lines near a fix."""

    line: Indices
    offset_m: Floats
    distance_m: Floats
    along: Floats
    """Cosine between heading and line, positive toward the border; 0 where the heading is unknown."""
    cost: Floats
    origin: Indices
    slot: Indices
    before: Indices
    direction: Directions
    site: npt.NDArray[np.int32]
    near_line: Indices
    near_segment: Indices
    near_m: Floats
    near_share: Floats

    @classmethod
    def of(cls, longest: int, lines: int) -> Scratch:
        """For chains of at most `longest` rows on a corridor of `lines`."""
        shape = (longest, CANDIDATES)
        return cls(
            line=np.empty(shape, np.int64),
            offset_m=np.empty(shape),
            distance_m=np.empty(shape),
            along=np.empty(shape),
            cost=np.empty(shape),
            origin=np.empty(shape, np.int64),
            slot=np.empty(longest, np.int64),
            before=np.empty(longest, np.int64),
            direction=np.empty(longest, np.int8),
            site=np.empty(longest, np.int32),
            near_line=np.empty(lines, np.int64),
            near_segment=np.empty(lines, np.int64),
            near_m=np.empty(lines),
            near_share=np.empty(lines),
        )


@compiled
def place(
    order: Indices,
    begin: Indices,
    unlikely: Flags,
    rows: Rows,
    segments: Segments,
    grid: Grid,
    network: Network,
    fences: Fences,
    fence_grid: Grid,
    rules: Rules,
    scratch: Scratch,
    found: Found,
) -> None:
    """Place the fixes of each chain: `order` names its rows by time, from `begin[c]` to `begin[c + 1]`."""
    fixes = len(found.road_id)
    line, offset_m, distance_m, along = scratch.line, scratch.offset_m, scratch.distance_m, scratch.along
    cost, origin, slot, before = scratch.cost, scratch.origin, scratch.slot, scratch.before
    direction, site = scratch.direction, scratch.site
    for chain in range(len(begin) - 1):
        first, count = begin[chain], begin[chain + 1] - begin[chain]
        last = -1
        for at in range(count):
            row = order[first + at]
            for k in range(CANDIDATES):
                line[at, k], offset_m[at, k], distance_m[at, k], along[at, k] = -1, 0.0, np.inf, 0.0
            if row >= fixes:
                line[at, 0], offset_m[at, 0] = rows.known_line[row - fixes], rows.known_offset_m[row - fixes]
                distance_m[at, 0] = np.inf if line[at, 0] < 0 else 0.0
            elif math.isfinite(rows.x_m[row]) and math.isfinite(rows.y_m[row]):
                radius_m = rules.near_m + rows.accuracy_m[row]
                near = near_lines(
                    rows.x_m[row],
                    rows.y_m[row],
                    radius_m,
                    segments,
                    grid,
                    radius_m <= rules.grid_reach_m,
                    scratch.near_line,
                    scratch.near_segment,
                    scratch.near_m,
                    scratch.near_share,
                )
                _take_nearest(
                    at,
                    near,
                    row,
                    rows,
                    segments,
                    scratch.near_line,
                    scratch.near_segment,
                    scratch.near_m,
                    scratch.near_share,
                    line,
                    offset_m,
                    distance_m,
                    along,
                )
            _emit(at, row, rows, network, rules, line, distance_m, along, cost)
            before[at] = -1
            if unlikely[row]:
                slot[at] = _cheapest(cost, at)
                continue
            if last >= 0:
                _step(at, last, row, order[first + last], rows, network, rules, line, offset_m, cost, origin)
                before[at] = last
            last = at
        at = last
        if at >= 0:
            slot[at] = _cheapest(cost, at)
            while before[at] >= 0:
                slot[before[at]] = origin[at, slot[at]]
                at = before[at]
        _walk(
            first,
            count,
            order,
            before,
            slot,
            rows,
            network,
            fences,
            fence_grid,
            rules,
            line,
            offset_m,
            along,
            direction,
            site,
            fixes,
        )
        for at in range(count):
            row = order[first + at]
            if row >= fixes:
                continue
            k = slot[at]
            came = order[first + before[at]] if before[at] >= 0 else -1
            found.status[row] = _status(row, came, rows, fences, rules, distance_m[at, k], along[at, k], site[at])
            found.site[row] = site[at]
            put_road(row, line[at, k], offset_m[at, k], distance_m[at, k], direction[at], network, found)


@inlined
def _take_nearest(
    at: int,
    near: int,
    row: int,
    rows: Rows,
    segments: Segments,
    near_line: Indices,
    near_segment: Indices,
    near_m: Floats,
    near_share: Floats,
    line: Indices,
    offset_m: Floats,
    distance_m: Floats,
    along: Floats,
) -> None:
    """The nearest of the lines found become candidates, best first; equally near ones by their number."""
    for k in range(min(near, CANDIDATES)):
        best = k
        for other in range(k + 1, near):
            if near_m[other] < near_m[best] or (near_m[other] == near_m[best] and near_line[other] < near_line[best]):
                best = other
        near_line[k], near_line[best] = near_line[best], near_line[k]
        near_segment[k], near_segment[best] = near_segment[best], near_segment[k]
        near_m[k], near_m[best] = near_m[best], near_m[k]
        near_share[k], near_share[best] = near_share[best], near_share[k]
        s = near_segment[k]
        length_m = max(segments.length_m[s], 1e-6)
        line[at, k] = near_line[k]
        offset_m[at, k] = segments.start_m[s] + near_share[k] * segments.length_m[s]
        distance_m[at, k] = near_m[k]
        along[at, k] = (segments.dx_m[s] * rows.heading_x[row] + segments.dy_m[s] * rows.heading_y[row]) / length_m


@inlined
def _emit(
    at: int,
    row: int,
    rows: Rows,
    network: Network,
    rules: Rules,
    line: Indices,
    distance_m: Floats,
    along: Floats,
    cost: Floats,
) -> None:
    """Cost of each candidate by distance and heading."""
    sigma_m = math.hypot(rules.line_error_m, rows.sigma_m[row])
    for k in range(CANDIDATES):
        if line[at, k] < 0:
            # no candidate at all is a state of its own, from which anything may follow
            cost[at, k] = 0.0 if k == 0 else np.inf
            continue
        cost[at, k] = 0.5 * (distance_m[at, k] / sigma_m) ** 2
        if rows.has_heading[row]:
            way = network.one_way[line[at, k]]
            cost[at, k] += 4.0 * (1.0 - (abs(along[at, k]) if way == 0 else way * along[at, k]))


@inlined
def _cheapest(cost: Floats, at: int) -> int:
    best = 0
    for k in range(1, CANDIDATES):
        if cost[at, k] < cost[at, best]:
            best = k
    return best


@inlined
def _step(
    at: int,
    last: int,
    row: int,
    came: int,
    rows: Rows,
    network: Network,
    rules: Rules,
    line: Indices,
    offset_m: Floats,
    cost: Floats,
    origin: Indices,
) -> None:
    """The cheapest way to each candidate from those of the row before (a step of Viterbi's)."""
    straight_m = math.hypot(rows.x_m[row] - rows.x_m[came], rows.y_m[row] - rows.y_m[came])
    tolerance_m = 30.0 + 0.2 * straight_m + rows.sigma_m[row]
    turn_off_cost = rules.turn_off_cost
    if came >= len(rows.time_s) - len(rows.known_line):  # from a known place: no later fix will say more
        here_m = rules.here_sigmas * math.hypot(rules.line_error_m, rows.sigma_m[row])
        here = min(1.0, max(0.0, 2.0 - 2.0 * straight_m / here_m))
        if rows.speed_mps[row] >= motion.MOVING_MPS:
            here = 0.0
        elif rows.speed_mps[row] < motion.STANDING_MPS:
            here = 1.0
        turn_off_cost = max(rules.drive_on_cost, here * rules.stay_cost)
    for k in range(CANDIDATES):
        if k > 0 and line[at, k] < 0:
            origin[at, k] = 0
            continue
        best, best_cost = 0, np.inf
        for j in range(CANDIDATES):
            if j > 0 and line[last, j] < 0:
                break
            step = 0.0
            if line[last, j] >= 0 and line[at, k] >= 0:
                forward_m = travel(line[last, j], offset_m[last, j], line[at, k], offset_m[at, k], network)
                step = min(abs(abs(forward_m) - straight_m) / tolerance_m, 30.0)
                if network.road[line[last, j]] != network.road[line[at, k]]:
                    step += turn_off_cost
                if network.one_way[line[at, k]] * forward_m < 0.0 and abs(forward_m) > 30.0:
                    step += 6.0
            if cost[last, j] + step < best_cost:
                best, best_cost = j, cost[last, j] + step
        origin[at, k] = best
        cost[at, k] += best_cost


@inlined
def _walk(
    first: int,
    count: int,
    order: Indices,
    before: Indices,
    slot: Indices,
    rows: Rows,
    network: Network,
    fences: Fences,
    fence_grid: Grid,
    rules: Rules,
    line: Indices,
    offset_m: Floats,
    along: Floats,
    direction: Directions,
    site: npt.NDArray[np.int32],
    fixes: int,
) -> None:
    """Direction of travel and geofence of each row, carried along the chain.

    A clear heading of a moving truck gives the direction at once. Otherwise it changes only when the truck has come
    back by more than the noise from the farthest point of its way, so that a standing truck keeps it. A geofence is
    left only when the fix lies clear of it, so that a truck at its edge does not flicker.
    """
    way_m = high_m = low_m = 0.0
    for at in range(count):
        row = order[first + at]
        is_known, lon, lat = row >= fixes, rows.lon[row], rows.lat[row]
        speed_mps, lean = rows.speed_mps[row], along[at, slot[at]]
        is_moving, is_standing = speed_mps >= motion.MOVING_MPS, speed_mps < motion.STANDING_MPS
        by_heading = 0
        if is_moving and abs(lean) > 0.5:
            by_heading = 1 if lean > 0.0 else -1
        if is_known:
            direction[at], site[at] = rows.known_direction[row - fixes], rows.known_site[row - fixes]
        else:
            direction[at], site[at] = (
                by_heading,
                fence_around(rows.x_m[row], rows.y_m[row], lon, lat, fences, fence_grid),
            )
        came = before[at]
        if came < 0:
            continue
        here, there = slot[at], slot[came]
        if line[came, there] >= 0 and line[at, here] >= 0:
            way_m += travel(line[came, there], offset_m[came, there], line[at, here], offset_m[at, here], network)
        # A truck that says it stands wanders by noise alone; one that says nothing may stand.
        coarseness_m = min(rows.accuracy_m[row], 100.0)
        way = direction[came]
        if way == 0:
            factor = 3.0 if is_standing else 0.5 if is_moving else 1.0
            enough_m = factor * (rules.start_m + coarseness_m)
        else:
            factor = 3.0 if is_standing else 1.0 if is_moving else 2.0
            enough_m = factor * (rules.turn_m + coarseness_m)
        high_m, low_m = max(high_m, way_m), min(low_m, way_m)
        new = way
        if way != 1 and way_m - low_m > enough_m:
            new = 1
        elif way != -1 and high_m - way_m > enough_m:
            new = -1
        if by_heading != 0:
            new = by_heading
        if is_known and direction[at] != 0:
            new = direction[at]
        direction[at] = new
        if new != way:
            high_m = low_m = way_m
        if not is_known:
            was = site[came]
            stays = was >= 0 and site[at] < 0 and is_near_fence(lon, lat, was, fences)
            if stays or rows.accuracy_m[row] > rules.coarse_m:
                site[at] = was
    for at in range(count - 1, 0, -1):
        if before[at] >= 0 and direction[before[at]] == 0:
            direction[before[at]] = direction[at]


@inlined
def _status(
    row: int, came: int, rows: Rows, fences: Fences, rules: Rules, distance_m: float, along: float, site: int
) -> int:
    if math.isinf(distance_m):
        return _OFF_CORRIDOR
    speed_mps = rows.speed_mps[row]
    if math.isnan(speed_mps):
        speed_mps = 0.0
        if came >= 0:
            moved_m = math.hypot(rows.x_m[row] - rows.x_m[came], rows.y_m[row] - rows.y_m[came])
            speed_mps = moved_m / max(rows.time_s[row] - rows.time_s[came], 1.0)
    limit_m = rules.on_road_m + min(rows.accuracy_m[row], 150.0)
    if speed_mps >= motion.FREE_MPS and (not rows.has_heading[row] or abs(along) > 0.7):
        limit_m = max(limit_m, rules.moving_on_road_m)
    is_parked = site >= 0 and fences.off_road[site] and rows.accuracy_m[row] <= rules.coarse_m
    return _ON_ROAD if distance_m <= limit_m and not is_parked else _OFF_ROAD
