"""A truck's day from its stored positions: distance, stops, idle times, over-speed, driving without a break. Pure."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby, pairwise
from types import ModuleType
from typing import Final, cast

import geopandas
import numpy as np
import pandas as pd

from app.tracking.driving_hours import Driving, drivings
from app.tracking.position_store import TrackFix
from geo.corridor import Corridor, Road
from geo.projection import METRIC_EPSG, to_degrees, to_metres
from geo.units import mps_to_kmh

MIN_STOP: Final = timedelta(minutes=5)
STOP_DIAMETER_M: Final = 100.0
"""A truck whose positions stay within this for `MIN_STOP` stands: twice the noise of a receiver in the hills."""
THIN_S: Final = 30.0
"""Stops are looked for in positions this far apart: nearer ones show none that these do not."""
OVER_SPEED_KMH: Final = 5.0
"""So much above the limit is the noise of a receiver and no over-speed: fines begin there (Decree 168/2024)."""
MIN_OVER_SPEED: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a truck stood for at least five minutes: degrees, and the road and kilometre if it was by one.

    `idle_s` is how long its engine ran there, `None` if its device does not tell.
    """

    begin: datetime
    end: datetime
    lon: float
    lat: float
    road: str | None
    km: float | None
    idle_s: float | None

    @property
    def duration_s(self) -> float:
        """How long it stood."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True, slots=True)
class OverSpeed:
    """Driving above the limit of a road."""

    begin: datetime
    end: datetime
    road: str
    km: float | None
    limit_kmh: float
    max_kmh: float


@dataclass(frozen=True, slots=True)
class DayReport:
    """What a truck did in a span of time."""

    fixes: int
    first: datetime | None
    last: datetime | None
    distance_m: float
    stops: list[Stop]
    over_speeds: list[OverSpeed]
    drivings: list[Driving]

    @property
    def stopped_s(self) -> float:
        """How long it stood in all."""
        return sum(stop.duration_s for stop in self.stops)

    @property
    def idle_s(self) -> float | None:
        """How long its engine ran while it stood; `None` if its device does not tell."""
        told = [stop.idle_s for stop in self.stops if stop.idle_s is not None]
        return sum(told) if told else None

    @property
    def longest_driving(self) -> Driving | None:
        """Its longest driving without a break."""
        return max(self.drivings, key=lambda driving: driving.lasted, default=None)


def report_day(fixes: Sequence[TrackFix], corridor: Corridor) -> DayReport:
    """The report of believed fixes of one truck, in order of time."""
    if not fixes:
        return DayReport(0, None, None, 0.0, [], [], [])
    distance_m, stops = _moved(fixes, corridor) if len(fixes) > 1 else (0.0, [])
    return DayReport(
        fixes=len(fixes),
        first=fixes[0].time,
        last=fixes[-1].time,
        distance_m=distance_m,
        stops=stops,
        over_speeds=_over_speeds(fixes, corridor),
        drivings=drivings((fix.time, fix.speed_mps) for fix in fixes),
    )


def speed_limit_mps(road: Road) -> float | None:
    """The speed limit of a road for trucks, m/s, where it was surveyed; `None` where it is only assumed."""
    return road.free_speed_mps if road.provenance.get("free_speed_mps") in {"derived", "surveyed"} else None


@cache
def _load_movingpandas() -> ModuleType:
    """It brings Matplotlib, which nothing else of the web part needs: a third of a second of its start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of it that need what is not installed
        import movingpandas  # noqa: PLC0415
    return cast(ModuleType, movingpandas)


def _moved(fixes: Sequence[TrackFix], corridor: Corridor) -> tuple[float, list[Stop]]:
    """Metres driven and stops: positions within a stop's place are noise and no way."""
    x_m, y_m = to_metres(np.array([fix.lon for fix in fixes]), np.array([fix.lat for fix in fixes]))
    # MovingPandas drops time zones: all of it is UTC
    times = pd.DatetimeIndex([fix.time for fix in fixes]).tz_convert(None)
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(x_m, y_m), crs=METRIC_EPSG, index=times)
    movingpandas = _load_movingpandas()
    thin = movingpandas.MinTimeDeltaGeneralizer(movingpandas.Trajectory(points, "day")).generalize(
        tolerance=timedelta(seconds=THIN_S)
    )
    ranges = movingpandas.TrajectoryStopDetector(thin).get_stop_time_ranges(
        min_duration=MIN_STOP, max_diameter=STOP_DIAMETER_M
    )
    moves = np.ones(len(fixes), np.bool_)
    stops = []
    for found in ranges:
        begin, end = pd.Timestamp(found.t_0), pd.Timestamp(found.t_n)
        rows = np.flatnonzero((times >= begin) & (times <= end))
        moves[rows[1:-1]] = False
        lon, lat = to_degrees(np.array([x_m[rows].mean()]), np.array([y_m[rows].mean()]))
        middle = fixes[int(rows[len(rows) // 2])]
        road = None if middle.road_id is None else corridor.roads[middle.road_id].road
        own = [fixes[row] for row in rows.tolist()]
        stops.append(Stop(own[0].time, own[-1].time, float(lon[0]), float(lat[0]), road, middle.km, _idle_s(own)))
    way = movingpandas.Trajectory(points[moves], "way") if moves.sum() > 1 else None
    return (0.0 if way is None else float(way.get_length()), stops)


def _idle_s(fixes: Sequence[TrackFix]) -> float | None:
    if all(fix.ignition is None for fix in fixes):
        return None
    return sum((later.time - fix.time).total_seconds() for fix, later in pairwise(fixes) if fix.ignition)


def _over_speeds(fixes: Sequence[TrackFix], corridor: Corridor) -> list[OverSpeed]:
    found = []
    for limit_mps, group in groupby(fixes, key=lambda fix: _exceeded(fix, corridor)):
        own = list(group)
        if limit_mps is None or own[-1].time - own[0].time < MIN_OVER_SPEED:
            continue
        fastest = max(own, key=lambda fix: fix.speed_mps or 0.0)
        road = corridor.roads[fastest.road_id or 0].road
        found.append(
            OverSpeed(
                own[0].time,
                own[-1].time,
                road,
                fastest.km,
                mps_to_kmh(limit_mps),
                mps_to_kmh(fastest.speed_mps or 0.0),
            )
        )
    return found


def _exceeded(fix: TrackFix, corridor: Corridor) -> float | None:
    """The limit that a fix exceeds, m/s; `None` if it exceeds none that is known."""
    if fix.road_id is None or fix.speed_mps is None:
        return None
    limit_mps = speed_limit_mps(corridor.roads[fix.road_id])
    if limit_mps is None or mps_to_kmh(fix.speed_mps - limit_mps) <= OVER_SPEED_KMH:
        return None
    return limit_mps
