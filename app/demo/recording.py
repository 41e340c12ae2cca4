"""The recorded demo day, and how its moments become moments of the platform's time.

A recorded day holds the whole journeys of the trucks that set out within 24 hours; some end after midnight. Played
one after the other, such days join without a seam: while a day begins, the last trucks of the one before are still
under way. Everything here is simulated; nothing was observed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from geo.errors import InvalidInputError

DATA = Path(__file__).parent / "data"
DAY_S = 86_400


@dataclass(frozen=True)
class DemoTruck:
    """One truck of the day. Seconds count from the recorded day's start; `depart_s` lies within it, `end_s` may not."""

    truck: int
    plate: str
    gate: str
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    enterprise: int
    driver: str
    device_kind: str
    depart_s: int
    planned_arrival_s: int
    end_s: int


@dataclass(frozen=True)
class Timeline:
    """Where in platform time the recorded days lie: second 0 of day 0 is at `origin`."""

    origin: datetime

    @classmethod
    def starting(cls, now: datetime, start_s: int) -> Timeline:
        """The timeline on which it is `start_s` of day 0 at `now`."""
        return cls(now - timedelta(seconds=start_s))

    def moment(self, day: int, t_s: float) -> datetime:
        """The platform's time at second `t_s` of recorded day `day`."""
        return self.origin + timedelta(seconds=day * DAY_S + float(t_s))

    def seconds(self, moment: datetime) -> float:
        """Seconds from the start of day 0 to a moment."""
        return (moment - self.origin).total_seconds()

    def day_of(self, moment: datetime) -> int:
        """The recorded day that is played at a moment."""
        return math.floor(self.seconds(moment) / DAY_S)

    def journey_at(self, truck: DemoTruck, moment: datetime) -> int:
        """The day of the journey that a truck is on at a moment, or else of its next one."""
        return math.floor((self.seconds(moment) - truck.end_s) / DAY_S) + 1


class RecordedGate(TypedDict):
    """How a gate of the recording works: lanes, and the mean (s) and variation of its service."""

    lanes: int
    service_mean_s: float
    service_cv: float
    service_shape: str
    hours: str


class RecordedDwell(TypedDict):
    """How long trucks stay in the yard: mean (s) and variation."""

    mean_s: float
    cv: float


class DemoDay(TypedDict):
    """What the recording says of itself; gates by name, dwells by direction, `scales` of its columns by name."""

    simulated: bool
    generator: str
    seed: int
    trucks: int
    start_s: int
    driver_truck: int
    scales: dict[str, float]
    gates: dict[str, RecordedGate]
    dwell: dict[str, RecordedDwell]


@dataclass(frozen=True)
class Recording:
    """The fixes as columns in order of the time they were sent, and the trucks they are of."""

    about: DemoDay
    trucks: list[DemoTruck]
    truck: NDArray[np.int16]
    t_s: NDArray[np.int32]
    sent_s: NDArray[np.int32]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    speed_mps: NDArray[np.float32]
    heading_deg: NDArray[np.float32]
    accuracy_m: NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path = DATA) -> Recording:
        """Read the recording.

        Raises
        ------
        InvalidInputError
            If the file does not say that it is simulated: nothing else may be played as a demo.
        """
        table = pq.read_table(folder / "demo_day_fixes.parquet")
        metadata = table.schema.metadata or {}
        if metadata.get(b"simulated") != b"true":
            raise InvalidInputError("{value} is not marked as simulated; it cannot be the demo day.", value=str(folder))
        about = json.loads(metadata[b"demo_day"])
        columns = {name: table[name].to_numpy() for name in table.column_names if name != "simulated"}
        sent = columns["t_s"] + columns["delay_s"].astype(np.int32)
        order = np.lexsort((columns["t_s"], sent))
        scales = about["scales"]
        names = DemoTruck.__dataclass_fields__
        rows = pq.read_table(folder / "demo_day_trucks.parquet", columns=list(names)).to_pylist()
        return cls(
            about=about,
            trucks=[DemoTruck(**row) for row in rows],
            truck=columns["truck"][order],
            t_s=columns["t_s"][order],
            sent_s=sent[order].astype(np.int32),
            lon=np.round(columns["lon"][order] * scales["lon"], 5),
            lat=np.round(columns["lat"][order] * scales["lat"], 5),
            speed_mps=(columns["speed"][order] * scales["speed_mps"]).astype(np.float32),
            heading_deg=(columns["heading"][order] * scales["heading_deg"]).astype(np.float32),
            accuracy_m=columns["accuracy_m"][order],
        )

    def thinned(self, every: int) -> Recording:
        """The day with every `every`-th truck only, the demo driver's among them; the others were never there."""
        kept = np.arange(self.driver_truck % every, len(self.trucks), every)
        number_of = np.full(len(self.trucks), -1, dtype=self.truck.dtype)
        number_of[kept] = np.arange(len(kept))
        own = number_of[self.truck] >= 0
        return replace(
            self,
            about={**self.about, "driver_truck": int(number_of[self.driver_truck]), "trucks": len(kept)},
            trucks=[replace(self.trucks[old], truck=new) for new, old in enumerate(kept)],
            truck=number_of[self.truck][own],
            t_s=self.t_s[own],
            sent_s=self.sent_s[own],
            lon=self.lon[own],
            lat=self.lat[own],
            speed_mps=self.speed_mps[own],
            heading_deg=self.heading_deg[own],
            accuracy_m=self.accuracy_m[own],
        )

    @property
    def start_s(self) -> int:
        """The moment of the day at which a first start begins."""
        return int(self.about["start_s"])

    @property
    def driver_truck(self) -> int:
        """The truck of the demo driver."""
        return int(self.about["driver_truck"])

    @cached_property
    def longest_s(self) -> int:
        """The last second at which a fix of the day is sent; beyond `DAY_S`."""
        return int(self.sent_s[-1])

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.truck, kind="stable")
        return order, np.searchsorted(self.truck[order], np.arange(len(self.trucks) + 1))

    def fixes_of(self, truck: int) -> NDArray[np.int64]:
        """Indices of a truck's fixes, in order of the time they were sent."""
        order, bounds = self._bounds
        return order[bounds[truck] : bounds[truck + 1]]

    def sent_between(self, start_s: float, end_s: float) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Fixes sent in (start_s, end_s], in seconds from the start of day 0: for each day its number and indices."""
        first = math.floor((start_s - self.longest_s) / DAY_S)
        for day in range(first, math.floor(end_s / DAY_S) + 1):
            low, high = np.searchsorted(self.sent_s, [start_s - day * DAY_S, end_s - day * DAY_S], side="right")
            if high > low:
                yield day, np.arange(low, high)

    def last_sent(self, at_s: float, *, within_s: float) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """The newest fix, by its own time, of each truck at a moment, if it is not older than `within_s`."""
        for day, indices in self.sent_between(at_s - within_s, at_s):
            newest: dict[int, int] = {}
            for index in indices[np.argsort(self.t_s[indices], kind="stable")]:
                newest[int(self.truck[index])] = int(index)
            yield day, np.array(sorted(newest.values()), dtype=np.int64)
