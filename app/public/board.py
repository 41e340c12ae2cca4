"""The public board: what everybody may know of the gates now, whoever they are.

For each gate whether it is open, queue, wait and forecast with their ranges, free places in its yards, intake bans and
outages. Nothing of it is about a truck, a person or an enterprise. The numbers are those of every other page: the queue
as the minute loop measured it, its newest forecast, the yards' ledger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.dispatch.policy import POLICY, AdvicePolicy
from app.dispatch.severity import severities
from app.dispatch.vocabulary import Severity
from app.forecasting.service import GateNow, gate_now
from app.gates.notice import GateNotice
from app.gates.profile import GateProfile
from app.gates.service import profiles_without_bans
from app.gates.vocabulary import NoticeKind, NoticeState
from app.notices import service as notices
from geo.corridor import Corridor
from routing.arrays import FloatArray
from routing.store import GateForecast

LEADS_S: Final = (3600.0, 10_800.0, 21_600.0)
"""How far ahead the board looks."""

Band = tuple[float | None, float | None, float | None]
"""The quantiles 0.1, 0.5, 0.9; a wait that is `None` is longer than the forecast reaches."""


@dataclass(frozen=True)
class Ahead:
    """Queue (trucks) and wait (s) at a moment to come."""

    lead_s: float
    at: datetime
    queue_veh: Band
    wait_s: Band


@dataclass(frozen=True)
class YardOnBoard:
    """A yard and its free places."""

    yard_id: str
    name: Mapping[str, str]
    kind: str
    capacity: int
    free: int


@dataclass(frozen=True)
class NoticeOnBoard:
    """An intake ban or outage, in force or announced; `text` says it in the reader's language."""

    kind: NoticeKind
    state: NoticeState
    text: str
    cause: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class GateOnBoard:
    """A gate now. `hours` are those of exports on a regular day, `changes_at` when it opens or closes next.

    `queue_veh` and `tail_km` (kilometre of the road from the border) were measured at `measured_at`, `None` where
    nothing was of late; `wait_s` and `ahead` are of the forecast made at `forecast_made_at`, which looks `reach_s`
    ahead. `severity` is the worst of now and the next hours.
    """

    gate_id: str
    name: Mapping[str, str]
    is_open: bool
    changes_at: datetime | None
    hours: str
    queue_veh: float | None
    tail_km: float | None
    measured_at: datetime | None
    wait_s: Band | None
    ahead: tuple[Ahead, ...]
    forecast_made_at: datetime | None
    reach_s: float | None
    severity: Severity | None
    yards: tuple[YardOnBoard, ...]
    notices: tuple[NoticeOnBoard, ...]

    @property
    def free_veh(self) -> int:
        """Free places in the yards of the gate, as `GateNow.free_veh`."""
        return sum(yard.free for yard in self.yards if yard.kind == "yard")


@dataclass(frozen=True)
class Board:
    """All gates as of `made_at`; `simulated` where the numbers are those of a demonstration."""

    made_at: datetime
    simulated: bool
    gates: tuple[GateOnBoard, ...]


def make_board(
    session: Session,
    corridor: Corridor,
    now: datetime,
    *,
    simulated: bool,
    say: Callable[[GateNotice], str],
) -> Board:
    """The board as of `now`; `say` puts an announcement in words."""
    profiles = profiles_without_bans(session, now, corridor)
    policy = POLICY.get(session).value
    gates = []
    for gate in corridor.gates():
        known = gate_now(session, gate.site_id, now)
        announced = notices.list_notices(session, now, gate_id=gate.site_id)
        gates.append(_gate(known, gate.name, profiles.get(gate.site_id), corridor, now, policy, announced, say))
    return Board(now, simulated, tuple(gates))


def _gate(
    known: GateNow,
    name: Mapping[str, str],
    profile: GateProfile | None,
    corridor: Corridor,
    now: datetime,
    policy: AdvicePolicy,
    announced: list[GateNotice],
    say: Callable[[GateNotice], str],
) -> GateOnBoard:
    hours = None if profile is None else profile.of("export").opening_hours
    is_open = hours is not None and hours.open_at(now)
    changes_at = None if hours is None else hours.next_close(now) if is_open else hours.next_open(now)
    forecast = known.current_forecast(now)
    wait_s, ahead, severity = _forecast(forecast, now, policy)
    yards = tuple(
        YardOnBoard(
            yard.yard_id, corridor.sites[yard.yard_id].name, yard.kind, yard.capacity_veh, max(0, yard.free_veh)
        )
        for yard in known.yards
        if yard.yard_id in corridor.sites
    )
    shown = tuple(
        NoticeOnBoard(
            NoticeKind(notice.kind), notice.state(now), say(notice), notice.cause, notice.starts_at, notice.ends_at
        )
        for notice in announced
    )
    return GateOnBoard(
        gate_id=known.gate_id,
        name=name,
        is_open=is_open,
        changes_at=changes_at,
        hours="" if hours is None else str(hours.without_holidays()),
        queue_veh=None if known.queue is None else known.queue.queue_veh,
        tail_km=None if known.queue is None else known.queue.tail_km,
        measured_at=None if known.queue is None else known.queue.time,
        wait_s=wait_s,
        ahead=ahead,
        forecast_made_at=None if forecast is None else forecast.made_at,
        reach_s=None if forecast is None else forecast.horizon_s,
        severity=severity,
        yards=yards,
        notices=shown,
    )


def _forecast(
    forecast: GateForecast | None, now: datetime, policy: AdvicePolicy
) -> tuple[Band | None, tuple[Ahead, ...], Severity | None]:
    """Wait now, queue and wait at `LEADS_S`, the worst severity from now to the last of them."""
    if forecast is None:
        return None, (), None
    last = forecast.queue_veh.shape[1] - 1

    def band(values: FloatArray, moment: datetime) -> Band:
        low, middle, high = forecast.at(values, moment)
        return _finite(low), _finite(middle), _finite(high)

    ahead = []
    for lead_s in LEADS_S:
        at = now + timedelta(seconds=lead_s)
        if at <= forecast.made_at + timedelta(seconds=forecast.step_s * (last + 0.5)):
            ahead.append(Ahead(lead_s, at, band(forecast.queue_veh, at), band(forecast.wait_s, at)))
    first, end = forecast.step_at(now), forecast.step_at(now + timedelta(seconds=LEADS_S[-1]))
    median = forecast.row_of(0.5)
    worst = severities(
        forecast.tail_km[median], forecast.wait_s[median], forecast.queue_veh[median], forecast.step_s, policy
    )[first : end + 1]
    order = list(Severity)
    severity = max((each for each in worst if each is not None), key=order.index, default=None)
    return band(forecast.wait_s, now), tuple(ahead), severity


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
