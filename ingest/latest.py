"""The newest trusted place of each vehicle, in columns, as the worker that owns the vehicle's shard knows it.

A copy of what `ingest.last_position` says, so that a batch need not ask for vehicles it has just seen. Only the
owner of a shard advances its vehicles; whoever takes a shard over starts with nothing and asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from geo.matching import LastPlaces

NEVER = np.iinfo(np.int64).min
"""`time_us` of a vehicle that was never seen."""

SUSPECTS = 2
"""How many fixes out of reach are remembered of a vehicle: as many as confirm the next (`geo.reach`)."""

LATEST = np.dtype(
    [
        ("vehicle_id", "i8"),
        ("time_us", "i8"),
        ("lon", "f8"),
        ("lat", "f8"),
        ("road_id", "i4"),
        ("offset_m", "f8"),
        ("direction", "i1"),
        ("site", "i4"),
        ("passage", "i8"),
        # the newest fixes after it that were out of reach, older first; if the next ones agree, they are believed
        ("suspect_us", "i8", (SUSPECTS,)),
        ("suspect_lon", "f8", (SUSPECTS,)),
        ("suspect_lat", "f8", (SUSPECTS,)),
        ("suspect_accuracy_m", "f4", (SUSPECTS,)),
        # of the truck's receivers the one that leads, when it was heard last, since when without a gap
        ("leader_id", "i8"),
        ("leader_us", "i8"),
        ("leader_since_us", "i8"),
        # the newest fix stored of any kind
        ("stored_us", "i8"),
    ]
)

Slots = npt.NDArray[np.intp]


class Latest:
    """Rows of `LATEST` by vehicle."""

    MAX_VEHICLES = 500_000

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Know nothing."""
        self._slot: dict[int, int] = {}
        self._used = 0
        self.rows: npt.NDArray[np.void] = np.zeros(1024, LATEST)

    def forget(self, vehicle_ids: list[int]) -> None:
        """Ask for these vehicles again."""
        for vehicle_id in vehicle_ids:
            self._slot.pop(vehicle_id, None)

    def missing(self, vehicle_ids: npt.NDArray[np.integer[Any]]) -> list[int]:
        """Those of `vehicle_ids` that were not learned yet."""
        if self._used > self.MAX_VEHICLES:
            self.clear()
        return [vehicle_id for vehicle_id in vehicle_ids.tolist() if vehicle_id not in self._slot]

    def learn(self, vehicle_ids: list[int], rows: npt.NDArray[np.void]) -> None:
        """Learn `rows` of the database; vehicles of `vehicle_ids` without one were never seen."""
        start, self._used = self._used, self._used + len(vehicle_ids)
        if start + len(vehicle_ids) > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros(len(self.rows) + len(vehicle_ids), LATEST)])
        self._slot.update((vehicle_id, start + number) for number, vehicle_id in enumerate(vehicle_ids))
        new = self.rows[start : start + len(vehicle_ids)]
        new["vehicle_id"] = vehicle_ids
        for name in ("time_us", "suspect_us", "leader_us", "leader_since_us", "stored_us"):
            new[name] = NEVER
        new["road_id"] = new["site"] = -1
        new["lon"] = new["lat"] = new["offset_m"] = np.nan
        if len(rows):
            self.rows[self.slots(rows["vehicle_id"])] = rows

    def slots(self, vehicle_ids: npt.NDArray[np.integer[Any]]) -> Slots:
        """The row numbers of learned vehicles."""
        return np.fromiter((self._slot[vehicle_id] for vehicle_id in vehicle_ids.tolist()), np.intp, len(vehicle_ids))

    def places(self, slots: Slots) -> LastPlaces:
        """What the matcher is told of these vehicles."""
        rows = self.rows[slots]
        seen = rows["time_us"] != NEVER
        return LastPlaces(
            time_s=np.where(seen, rows["time_us"] / 1e6, np.nan),
            road_id=rows["road_id"].astype(np.int32),
            offset_m=rows["offset_m"].copy(),
            lon=rows["lon"].copy(),
            lat=rows["lat"].copy(),
            site=rows["site"].astype(np.int32),
            direction=rows["direction"].copy(),
        )


def add_suspect(row: np.void, time_us: int, lon: float, lat: float, accuracy_m: float) -> None:
    """Remember a fix out of reach in a row of `LATEST`, and forget the oldest one."""
    for name, value in (
        ("suspect_us", time_us),
        ("suspect_lon", lon),
        ("suspect_lat", lat),
        ("suspect_accuracy_m", accuracy_m),
    ):
        row[name][:-1] = row[name][1:]
        row[name][-1] = value
