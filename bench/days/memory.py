"""The platform's memory of a day as it goes: what its workers and stores would hold at a moment, without a database.

Fixes are placed by the platform's matcher in the order in which they come in, a minute at a time, each vehicle with its
last place; geofences entered and left, last positions and live speeds are kept by the rules of `ingest.pipeline` and
the queries of `app.forecasting`. Nothing that comes in after a moment is known then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from app.forecasting.state_pace import LOOK_BACK
from app.forecasting.state_readings import HORIZON, LATE_BY, SEEN_WITHIN, SPEED_WINDOW, Readings
from app.forecasting.state_store import NEAR_STOP_KM, GateExit, GatePassage, SeenCount
from app.forecasting.store import DeclaredTrip, TruckInside, TruckSeen
from bench.days.kinds import Day
from bench.days.receivers import Reports, planned_arrival_s
from capacity.ledger import YardState
from geo.corridor import Corridor
from geo.matching import Fixes, LastPlaces, Matcher, Status
from geo.motion import is_creeping, is_free, is_queueing

BATCH_S = 60.0
START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC) - timedelta(hours=7)
"""A day begins at 04:00 in Lạng Sơn."""


@dataclass
class _Known:
    """What is known of one truck."""

    time_s: float
    road_id: int
    offset_m: float
    speed_mps: float
    km: float
    lon: float
    lat: float
    site: int
    direction: int


@dataclass
class Memory:
    """What the platform holds; `advance` lets time pass, `readings` is what its stores answer then."""

    day: Day
    reports: Reports
    corridor: Corridor
    matcher: Matcher = field(init=False)
    now_s: float = 0.0
    next_fix: int = 0
    next_read: int = 0
    known: dict[int, _Known] = field(default_factory=dict)
    free_s: dict[int, float] = field(default_factory=dict)
    entered: dict[tuple[int, str], float] = field(default_factory=dict)
    waited: dict[tuple[int, str], float | None] = field(default_factory=dict)
    yard: dict[int, tuple[str, float]] = field(default_factory=dict)
    parked: set[int] = field(default_factory=set)
    """Trucks that have been in a yard."""
    track: dict[int, list[tuple[float, float, float, bool]]] = field(default_factory=dict)
    """Truck → time (s), kilometre, speed (m/s) and whether on the road, of each of its fixes."""
    left: dict[tuple[int, str], float] = field(default_factory=dict)
    reads: dict[int, float] = field(default_factory=dict)
    read_at_barrier: dict[int, float] = field(default_factory=dict)
    recent: list[tuple[float, int, int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matcher = Matcher(self.corridor)
        sites = [self.corridor.sites[site_id] for site_id in self.matcher.site_ids]
        self.gate_of_site = [site.gate_id or site.site_id if site.kind in ("gate", "yard") else None for site in sites]
        self.planned_s = planned_arrival_s(self.day)

    def at(self, seconds: float) -> datetime:
        """A second of the day as a moment."""
        return START + timedelta(seconds=seconds)

    def advance(self, until_s: float) -> None:
        """Take in what is received until then."""
        while self.now_s < until_s:
            self.now_s = min(until_s, self.now_s + BATCH_S)
            end = int(np.searchsorted(self.reports.received_s, self.now_s, side="right"))
            if end > self.next_fix:
                self._take(np.arange(self.next_fix, end))
                self.next_fix = end
            while self.next_read < self.reports.read_s.size and self.reports.read_s[self.next_read] <= self.now_s:
                truck = int(self.reports.read_truck[self.next_read])
                self.reads.setdefault(truck, float(self.reports.read_s[self.next_read]))
                if self.reports.read_at_barrier[self.next_read]:
                    self.read_at_barrier[truck] = float(self.reports.read_s[self.next_read])
                self.next_read += 1

    def _take(self, rows: np.ndarray[Any, Any]) -> None:
        r = self.reports
        fixes = Fixes(
            r.truck[rows],
            r.time_s[rows],
            r.lon[rows],
            r.lat[rows],
            r.speed_mps[rows],
            r.heading_deg[rows],
            r.accuracy_m[rows],
        )
        previous = self._last_places(np.unique(fixes.vehicle))
        places = self.matcher.match(fixes, previous)
        order = np.argsort(fixes.time_s, kind="stable")
        for i in order:
            truck, time_s, speed = int(fixes.vehicle[i]), float(fixes.time_s[i]), float(fixes.speed_mps[i])
            on_road = bool(places.status[i] == Status.ON_ROAD) and truck not in self.parked
            self.track.setdefault(truck, []).append((time_s, float(places.km[i]), speed, on_road))
            if places.road_id[i] >= 0:
                self.recent.append((time_s, int(places.road_id[i]), truck, speed))
            before = self.known.get(truck)
            was_free_s = self.free_s.get(truck)
            if is_free(speed):
                self.free_s[truck] = max(was_free_s or 0.0, time_s)
            if places.unlikely[i] or (before is not None and before.time_s >= time_s):
                continue
            site = int(places.site[i])
            if before is None or before.site != site:
                self._move(truck, before.site if before else -1, site, time_s, was_free_s)
            self.known[truck] = _Known(
                time_s,
                int(places.road_id[i]),
                float(places.offset_m[i]),
                speed,
                float(places.km[i]),
                float(fixes.lon[i]),
                float(fixes.lat[i]),
                site,
                int(places.direction[i]),
            )

    def _last_places(self, trucks: np.ndarray[Any, Any]) -> LastPlaces:
        nothing = _Known(np.nan, -1, np.nan, np.nan, np.nan, np.nan, np.nan, -1, 0)
        known = [self.known.get(int(truck), nothing) for truck in trucks]
        return LastPlaces(
            time_s=np.array([each.time_s for each in known]),
            road_id=np.array([each.road_id for each in known], np.int32),
            offset_m=np.array([each.offset_m for each in known]),
            lon=np.array([each.lon for each in known]),
            lat=np.array([each.lat for each in known]),
            site=np.array([each.site for each in known], np.int32),
            direction=np.array([each.direction for each in known], np.int8),
        )

    def _move(self, truck: int, left: int, entered: int, time_s: float, was_free_s: float | None) -> None:
        """A truck left one geofence and entered another, -1 none; `was_free_s`, when it drove freely before."""
        if left >= 0 and self.yard.get(truck, ("", 0.0))[0] == self.matcher.site_ids[left]:
            del self.yard[truck]
            self.left[(truck, self.gate_of_site[left] or "")] = time_s
        gate_id = self.gate_of_site[entered] if entered >= 0 else None
        if gate_id is None:
            return
        if (truck, gate_id) not in self.entered:
            self.entered[(truck, gate_id)] = time_s
            self.waited[(truck, gate_id)] = was_free_s
        if self.corridor.sites[self.matcher.site_ids[entered]].kind == "yard":
            self.parked.add(truck)
            self.yard[truck] = (self.matcher.site_ids[entered], time_s)

    def readings(self) -> Readings:
        """What the stores answer now."""
        now = self.at(self.now_s)
        self.recent = [row for row in self.recent if row[0] > self.now_s - SPEED_WINDOW.total_seconds()]
        seen = tuple(
            self._seen(truck, known)
            for truck, known in sorted(self.known.items())
            if known.time_s >= self.now_s - SEEN_WITHIN.total_seconds()
        )
        counted = [truck for truck in self.reads if not self.day.declared[truck]]
        return Readings(
            yards=self._yards(now),
            inside=tuple(self._inside(truck, *stay) for truck, stay in sorted(self.yard.items())),
            seen=seen,
            declared=self._declared(),
            road_speed_mps=self._speeds(),
            passages=tuple(self._passages()),
            exits=tuple(GateExit(gate_id, truck, self.at(time_s)) for (truck, gate_id), time_s in self.left.items()),
            drove_freely={
                truck.vehicle_id: self.at(self.free_s[truck.vehicle_id])
                for truck in seen
                if truck.vehicle_id in self.free_s and truck.speed_mps is not None and is_queueing(truck.speed_mps)
            },
            counted=SeenCount(len(counted), sum(truck in self.known for truck in counted)),
        )

    def _seen(self, truck: int, known: _Known) -> TruckSeen:
        declared = self.day.declared[truck]
        return TruckSeen(
            vehicle_id=truck,
            time=self.at(known.time_s),
            road_id=known.road_id if known.road_id >= 0 else None,
            offset_m=known.offset_m,
            speed_mps=known.speed_mps,
            km=known.km,
            trip_id=truck if declared else None,
            gate_id=self.day.plans[truck].gate if declared else None,
            perishable=False,
            goods_class=None,
            regime=None,
            trip_direction="export" if declared else None,
            created_at=None,
            organisation_id=None,
            driver_id=None,
            hold_until=None,
            site_id=self.matcher.site_ids[known.site] if known.site >= 0 else None,
        )

    def _inside(self, truck: int, yard_id: str, since_s: float) -> TruckInside:
        declared = self.day.declared[truck]
        gate_id = self.day.plans[truck].gate if declared else None
        return TruckInside(yard_id, truck, self.at(since_s), truck if declared else None, gate_id, False)

    def _yards(self, now: datetime) -> tuple[YardState, ...]:
        found = []
        for yard in self.corridor.yards():
            inside = sum(yard_id == yard.site_id for yard_id, _ in self.yard.values())
            capacity = yard.capacity_veh or 0
            free = max(0, capacity - inside)
            found.append(
                YardState(yard.site_id, yard.gate_id or "", yard.kind, capacity, inside, 0, free, inside, 0, now)
            )
        return tuple(found)

    def _declared(self) -> tuple[DeclaredTrip, ...]:
        """Trips of declared trucks that have not been seen on the road; declared a day before."""
        low, high = self.now_s - LATE_BY.total_seconds(), self.now_s + HORIZON.total_seconds()
        return tuple(
            DeclaredTrip(
                trip_id=plan.truck,
                vehicle_id=plan.truck,
                gate_id=plan.gate,
                perishable=False,
                goods_class="general",
                regime="export",
                planned_arrival=self.at(float(self.planned_s[plan.truck])),
                created_at=START,
                organisation_id=0,
                driver_id=None,
            )
            for plan in self.day.plans
            if self.day.declared[plan.truck]
            and plan.truck not in self.known
            and low <= self.planned_s[plan.truck] <= high
        )

    def _speeds(self) -> dict[int, float]:
        by_road: dict[int, dict[int, list[float]]] = {}
        for _, road_id, truck, speed in self.recent:
            by_road.setdefault(road_id, {}).setdefault(truck, []).append(speed)
        return {
            road_id: float(np.median([speed for own in trucks.values() for speed in own]))
            for road_id, trucks in by_road.items()
            if len(trucks) >= 2
        }

    def _last_stop(self, truck: int) -> tuple[float, float, float, float]:
        """When and where (km) a truck stood last on the road before its yard, since when, and when it was heard of
        next; NaN = it did not, or was not."""
        own = sorted(self.track.get(truck, ()))
        stops = [
            i for i, (_, km, speed, on_road) in enumerate(own) if on_road and is_creeping(speed) and np.isfinite(km)
        ]
        if not stops:
            return np.nan, np.nan, np.nan, np.nan
        stop_s, stop_km = own[stops[-1]][:2]
        since_s = stop_s
        for time_s, km, speed, _ in own[stops[-1] :: -1]:
            if abs(km - stop_km) > NEAR_STOP_KM or is_free(speed):
                break
            since_s = time_s if is_creeping(speed) else since_s
        later = own[stops[-1] + 1 :]
        return stop_s, stop_km, since_s, later[0][0] if later else np.nan

    def _passages(self) -> list[GatePassage]:
        """Who went in, by GPS and, of the undeclared, by the cameras at the barriers."""
        begin_s = self.now_s - LOOK_BACK.total_seconds()
        declared, reads = self.day.declared, self.read_at_barrier
        found = []
        for (truck, gate_id), time_s in self.entered.items():
            if not begin_s < time_s <= self.now_s:
                continue
            waited_s = self.waited[(truck, gate_id)]
            since = None if waited_s is None else self.at(waited_s)
            was_read = truck in reads and not declared[truck]
            stop_s, stop_km, since_s, until_s = self._last_stop(truck)
            found.append(
                GatePassage(
                    gate_id,
                    truck,
                    self.at(time_s),
                    since,
                    declared[truck],
                    was_read,
                    stood_until=None if np.isnan(stop_s) else self.at(stop_s),
                    stop_km=None if np.isnan(stop_km) else stop_km,
                    served_since=None if np.isnan(since_s) else self.at(since_s),
                    served_until=None if np.isnan(until_s) else self.at(until_s),
                )
            )
        by_gps = {truck for truck, _ in self.entered}
        for truck, time_s in reads.items():
            if not declared[truck] and truck not in by_gps:
                found.append(GatePassage(self.day.plans[truck].gate, None, self.at(time_s), None, False, True))
        return sorted(found, key=lambda passage: passage.time)
