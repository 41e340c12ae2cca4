"""The public board: what everybody may know of the gates now, whoever they are.

For each gate whether it is open, queue, wait and forecast with their ranges; of its yards free places, closures and
when the next place is free; intake bans and outages; the notice of the day. Nothing of it is about a truck, a person or
an enterprise. The numbers are those of every other page: the queue as the minute loop measured it, its newest forecast,
the yards' ledger and plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.bookings.service import count_expected
from app.dispatch.diversion_store import public_diversions
from app.dispatch.policy import POLICY, AdvicePolicy
from app.dispatch.severity import severities
from app.dispatch.vocabulary import Severity
from app.forecasting.service import GateNow, gate_now, is_current
from app.gates.notice import GateNotice
from app.gates.profile import GateProfile
from app.gates.service import profiles_without_bans
from app.gates.vocabulary import NoticeKind, NoticeState
from app.notices import service as notices
from app.notices.board_notice import BOARD_NOTICE
from app.yards.service import fills_by_yard
from app.yards.zone_fill import ZoneFill
from capacity import store as capacity_store
from capacity import zone_store
from capacity.ledger import YardState
from capacity.records import PlanInSum
from capacity.vocabulary import ZoneKind
from capacity.windows import FreeWindow, first_window
from capacity.zones import Closure
from geo.clock import LOCAL_ZONE
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
class ClosureOnBoard:
    """What is closed of a yard, the whole (`zone` is `None`) or a zone; `places_left` stay, `until` is expected."""

    zone: str | None
    cause: str
    since: datetime
    until: datetime | None
    places_left: int
    is_in_force: bool

    @property
    def shuts(self) -> bool:
        """Whether it leaves the whole yard no place now."""
        return self.is_in_force and self.zone is None and self.places_left == 0


@dataclass(frozen=True)
class KindOnBoard:
    """Places of one kind in a yard now, and those that are free: trucks inside are counted where their goods need
    them."""

    kind: ZoneKind
    places: int
    free: int


@dataclass(frozen=True)
class YardOnBoard:
    """A yard and its free places, by kind where it has zones.

    `next_free`: when a newcomer could have one, `None` if not within what is planned; `is_planned`: whether the yard
    plan is young enough to tell of that. A yard is closed outside its `hours` (empty: round the clock) and while a
    closure of the whole leaves it no place.
    """

    yard_id: str
    name: Mapping[str, str]
    kind: str
    is_open: bool
    hours: str
    capacity: int
    free: int
    kinds: tuple[KindOnBoard, ...]
    is_planned: bool
    next_free: FreeWindow | None
    closures: tuple[ClosureOnBoard, ...]

    @property
    def is_shut(self) -> bool:
        """Whether a closure leaves it no place now, whatever its hours."""
        return any(each.shuts for each in self.closures)


@dataclass(frozen=True)
class NoticeOnBoard:
    """An intake ban or outage, in force or announced at `announced_at`; `text` says it in the reader's language."""

    notice_id: int
    kind: NoticeKind
    state: NoticeState
    text: str
    cause: str
    announced_at: datetime
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class DiversionOnBoard:
    """Trucks of this gate are being sent to another, by an order of the police that stands; to how many."""

    diversion_id: int
    to_gate_id: str
    to_name: Mapping[str, str]
    veh: int
    since: datetime
    until: datetime


@dataclass(frozen=True)
class GateOnBoard:
    """A gate now. `hours` are those of exports on a regular day, `changes_at` when it opens or closes next.

    `booked_veh` are trucks that have a place booked and have not come, `queue_veh` those that stand at the gate.
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
    booked_veh: int
    tail_km: float | None
    measured_at: datetime | None
    wait_s: Band | None
    ahead: tuple[Ahead, ...]
    forecast_made_at: datetime | None
    reach_s: float | None
    severity: Severity | None
    yards: tuple[YardOnBoard, ...]
    notices: tuple[NoticeOnBoard, ...]
    diversions: tuple[DiversionOnBoard, ...]

    @property
    def free_veh(self) -> int:
        """Free places in the yards of the gate, as `GateNow.free_veh`."""
        return sum(yard.free for yard in self.yards if yard.kind == "yard")

    @property
    def next_free(self) -> FreeWindow | None:
        """The first window of the same yards."""
        windows = [yard.next_free for yard in self.yards if yard.kind == "yard" and yard.next_free is not None]
        return min(windows, key=lambda window: window.since, default=None)


@dataclass(frozen=True)
class Board:
    """All gates as of `made_at`, and the notice of the day; `simulated` where the numbers are of a demonstration."""

    made_at: datetime
    simulated: bool
    notice: str
    gates: tuple[GateOnBoard, ...]


def make_board(
    session: Session,
    corridor: Corridor,
    now: datetime,
    *,
    language: str,
    simulated: bool,
    say: Callable[[GateNotice], str],
) -> Board:
    """The board as of `now` in a language; `say` puts an announcement in words."""
    profiles = profiles_without_bans(session, now, corridor)
    policy = POLICY.get(session).value
    booked = count_expected(session)
    yards = _YardsKnown.read(session, corridor, now)
    diversions = public_diversions(session, now)
    gates = []
    for gate in corridor.gates():
        known = gate_now(session, gate.site_id, now)
        announced = notices.list_notices(session, now, gate_id=gate.site_id)
        profile, booked_veh = profiles.get(gate.site_id), booked.get(gate.site_id, 0)
        diverted = tuple(
            DiversionOnBoard(
                each.order_id,
                each.to_gate_id,
                corridor.get_site(each.to_gate_id).name,
                each.veh,
                each.since,
                each.until,
            )
            for each in diversions
            if each.gate_id == gate.site_id and each.to_gate_id in corridor.sites
        )
        gates.append(_gate(known, gate.name, profile, yards, now, policy, announced, say, booked_veh, diverted))
    notice = BOARD_NOTICE.get(session).value.text_on(now.astimezone(LOCAL_ZONE).date(), language)
    return Board(now, simulated, notice, tuple(gates))


@dataclass(frozen=True)
class _YardsKnown:
    """Hours, closures and the plan of all yards, read once for all gates."""

    corridor: Corridor
    fills: Mapping[str, Sequence[ZoneFill]]
    hours: Mapping[str, str]
    closures: Sequence[Closure]
    plan: PlanInSum | None

    @classmethod
    def read(cls, session: Session, corridor: Corridor, now: datetime) -> _YardsKnown:
        plan = capacity_store.latest_plan(session)
        if plan is not None and not is_current(plan.made_at, now):
            plan = None
        hours = {yard.yard_id: yard.opening_hours for yard in capacity_store.list_yards(session)}
        return cls(corridor, fills_by_yard(session, now), hours, zone_store.list_closures(session, now), plan)

    def show(self, yard: YardState, now: datetime) -> YardOnBoard:
        """A yard as everybody sees it."""
        closures = [closure for closure in self.closures if closure.yard_id == yard.yard_id]
        shown = tuple(
            ClosureOnBoard(each.zone_id, each.reason, each.since, each.until, each.places_left_veh, each.holds_at(now))
            for each in closures
        )
        hours = self.hours.get(yard.yard_id, "")
        is_open = zone_store.hours_of(hours).open_at(now) and not any(each.shuts for each in shown)
        planned = None if self.plan is None else self.plan.summary["yards"].get(yard.yard_id)
        is_planned, window = False, None
        if self.plan is not None and planned is not None and "free_veh" in planned and "has_room" in planned:
            is_planned = True
            step_s = self.plan.summary["step_s"]
            window = first_window(planned["free_veh"], planned["has_room"], self.plan.made_at, step_s, now)
            if window is not None and _is_overtaken(window, closures, now, has_place=is_open and yard.free_veh > 0):
                is_planned, window = False, None  # the next plan knows of it
        return YardOnBoard(
            yard.yard_id,
            self.corridor.sites[yard.yard_id].name,
            yard.kind,
            is_open,
            hours,
            yard.capacity_veh,
            max(0, yard.free_veh),
            _kinds(self.fills.get(yard.yard_id, ()), max(0, yard.free_veh)),
            is_planned,
            window,
            shown,
        )


def _is_overtaken(window: FreeWindow, closures: Sequence[Closure], now: datetime, *, has_place: bool) -> bool:
    """Whether something changed since the plan told of a window: there is no place now though it says so, or the yard
    is closed then."""
    says_place = window.since <= now or window.has_room_before
    is_closed = any(
        each.zone_id is None and each.places_left_veh == 0 and each.holds_at(max(window.since, now))
        for each in closures
    )
    return is_closed or (says_place and not has_place)


def _kinds(zones: Sequence[ZoneFill], free_veh: int) -> tuple[KindOnBoard, ...]:
    """Places of each kind; together they are no more free than the yard is."""
    places: dict[ZoneKind, int] = {}
    free: dict[ZoneKind, int] = {}
    for zone in zones:
        places[zone.kind] = places.get(zone.kind, 0) + zone.open_veh
        free[zone.kind] = free.get(zone.kind, 0) + max(0, zone.open_veh - zone.inside_veh)
    return tuple(KindOnBoard(kind, places[kind], min(free[kind], free_veh)) for kind in ZoneKind if kind in places)


def _gate(
    known: GateNow,
    name: Mapping[str, str],
    profile: GateProfile | None,
    yards_known: _YardsKnown,
    now: datetime,
    policy: AdvicePolicy,
    announced: list[GateNotice],
    say: Callable[[GateNotice], str],
    booked_veh: int,
    diversions: tuple[DiversionOnBoard, ...],
) -> GateOnBoard:
    hours = None if profile is None else profile.of("export").opening_hours
    is_open = hours is not None and hours.open_at(now)
    changes_at = None if hours is None else hours.next_close(now) if is_open else hours.next_open(now)
    forecast = known.current_forecast(now)
    wait_s, ahead, severity = _forecast(forecast, now, policy)
    yards = tuple(yards_known.show(yard, now) for yard in known.yards if yard.yard_id in yards_known.corridor.sites)
    shown = tuple(
        NoticeOnBoard(
            notice.notice_id,
            NoticeKind(notice.kind),
            notice.state(now),
            say(notice),
            notice.cause,
            notice.created_at or notice.starts_at,
            notice.starts_at,
            notice.ends_at,
        )
        for notice in announced
    )
    return GateOnBoard(
        gate_id=known.gate_id,
        name=name,
        is_open=is_open,
        changes_at=changes_at,
        hours="" if hours is None else str(hours.without_holidays()),
        booked_veh=booked_veh,
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
        diversions=diversions,
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
