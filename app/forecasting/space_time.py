"""The space–time map of a gate: how fast trucks drove, kilometre by kilometre, in the past day; how far the queue may
reach in the hours ahead.

A cell of the past is half a kilometre by a quarter of an hour; its speed is the mean over the positions in it. Devices
report at even times, so that this is distance by time: Edie's generalised mean speed (Edie 1963). The lines beside are
the tails: as measured, and the quantiles of the forecast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting.service import is_current
from app.forecasting.space_time_store import CellSpeed, cell_speeds
from app.trips.places import GatePlace
from geo.corridor import Corridor
from routing import store as routing_store
from routing.store import GateForecast, QueueObservation

STEP_S: Final = 900
CELL_KM: Final = 0.5
REACH_KM: Final = 20.0
CELLS: Final = math.ceil(REACH_KM / CELL_KM)
PAST: Final = timedelta(hours=24)
READ_AGAIN: Final = 2
"""The newest columns are read each time: positions of them still come in."""
ROAD_REACH_KM: Final = 200.0
"""Gates whose road forks from another lie at any kilometre of that."""


@dataclass(frozen=True)
class SpaceTime:
    """The map of a gate.

    The first column begins at `begins_at` and each lasts `step_s`; cell `i` reaches from kilometre `i · cell_km` from
    the border by the gate's road. `speed_kmh[column][cell]` is of the past, `null` where no truck was.
    `tail_km[column]` was measured, the largest of the column, `null` where nothing was; `forecast_km` are the quantiles
    0.1, 0.5, 0.9 of the forecast made at `forecast_made_at`, by column from `forecast_column` on.
    """

    gate: str
    gate_km: float
    begins_at: datetime
    now: datetime
    step_s: int
    cell_km: float
    cells: int
    speed_kmh: list[list[int | None]]
    tail_km: list[float | None]
    forecast_made_at: datetime | None
    forecast_column: int
    forecast_km: list[list[float]]


@dataclass
class SpeedHistory:
    """The columns of the past day, kept by a process: what is over is read once."""

    _columns: dict[int, list[CellSpeed]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def read(self, session: Session, first: int, last: int) -> list[CellSpeed]:
        """The speeds of the columns `first` to `last`, those of all roads."""
        with self._lock:
            kept = self._columns
            missing = next((column for column in range(first, last + 1) if column not in kept), last)
            begin = min(missing, last + 1 - READ_AGAIN)
            found: dict[int, list[CellSpeed]] = {column: [] for column in range(begin, last + 1)}
            spans = (datetime.fromtimestamp(column * STEP_S, UTC) for column in (begin, last + 1))
            for speed in cell_speeds(session, *spans, step_s=STEP_S, cell_km=CELL_KM, reach_km=ROAD_REACH_KM):
                found[speed.column].append(speed)
            self._columns = {column: speeds for column, speeds in kept.items() if first <= column < begin} | found
            return [speed for column in range(first, last + 1) for speed in self._columns.get(column, ())]


def draw_space_time(
    session: Session, history: SpeedHistory, corridor: Corridor, place: GatePlace, now: datetime
) -> SpaceTime:
    """The space–time map of a gate as of `now`."""
    last = column_of(now)
    first = column_of(now - PAST)
    begins_at = datetime.fromtimestamp(first * STEP_S, UTC)
    measured = routing_store.queue_observations(session, place.gate_id, begins_at, now + timedelta(seconds=1))
    forecast = routing_store.latest_forecast(session, place.gate_id)
    current = forecast if forecast is not None and is_current(forecast.made_at, now) else None
    return SpaceTime(
        gate=place.gate_id,
        gate_km=place.km,
        begins_at=begins_at,
        now=now,
        step_s=STEP_S,
        cell_km=CELL_KM,
        cells=CELLS,
        speed_kmh=speeds_by_cell(history.read(session, first, last), corridor, place, first, last),
        tail_km=tails_by_column(measured, first, last),
        forecast_made_at=None if current is None else current.made_at,
        forecast_column=0 if current is None else column_of(current.made_at) - first,
        forecast_km=[] if current is None else forecast_tails(current),
    )


def column_of(moment: datetime) -> int:
    """The column in which a moment lies."""
    return math.floor(moment.timestamp() / STEP_S)


def speeds_by_cell(
    speeds: Iterable[CellSpeed], corridor: Corridor, place: GatePlace, first: int, last: int
) -> list[list[int | None]]:
    """Mean speeds, km/h, [column][cell], of what is on the way to a gate."""
    sums = [[0.0] * CELLS for _ in range(first, last + 1)]
    counts = [[0] * CELLS for _ in range(first, last + 1)]
    for speed in speeds:
        km = place.distance_km(corridor.roads[speed.road_id].road, (speed.cell + 0.5) * CELL_KM)
        if km is None or km >= REACH_KM:
            continue
        column, cell = speed.column - first, int(km / CELL_KM)
        sums[column][cell] += speed.sum_mps
        counts[column][cell] += speed.fixes
    return [
        [round(3.6 * total / count) if count else None for total, count in zip(row, counted, strict=True)]
        for row, counted in zip(sums, counts, strict=True)
    ]


def tails_by_column(measured: Sequence[QueueObservation], first: int, last: int) -> list[float | None]:
    """The farthest tail that was measured in each column, km."""
    tails: list[float | None] = [None] * (last + 1 - first)
    for observation in measured:
        column = column_of(observation.time) - first
        if 0 <= column < len(tails):
            tails[column] = max(tails[column] or 0.0, round(observation.tail_km, 2))
    return tails


def forecast_tails(forecast: GateForecast) -> list[list[float]]:
    """The quantiles 0.1, 0.5, 0.9 of the tail, km, the farthest of each column from that of `made_at` on."""
    rows = [forecast.row_of(quantile) for quantile in (0.1, 0.5, 0.9)]
    first, tails = column_of(forecast.made_at), list[list[float]]()
    for step in range(forecast.tail_km.shape[1]):
        column = column_of(forecast.made_at + timedelta(seconds=step * forecast.step_s)) - first
        found = [round(float(forecast.tail_km[row, step]), 2) for row in rows]
        if column == len(tails):
            tails.append(found)
        else:
            tails[column] = list(map(max, tails[column], found))
    return tails
