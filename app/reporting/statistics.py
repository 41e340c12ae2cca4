"""Time in each stage and step, by gate, agency and hour, and who waits longest now.

Stays are kept one by one as they end, summed up for each day by control, and thrown away after some weeks, so that
neither asking nor summing costs more as years go by. Lengths are counted in classes; medians are read off the classes,
straight within each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal, Scope
from app.reporting import store
from app.reporting.tables import StepDayRow
from geo.clock import LOCAL_ZONE
from geo.errors import ForbiddenError, InvalidInputError

BOUNDS_S: Final = (
    30.0,
    60.0,
    120.0,
    180.0,
    300.0,
    450.0,
    600.0,
    900.0,
    1200.0,
    1800.0,
    2700.0,
    3600.0,
    5400.0,
    7200.0,
    10_800.0,
    14_400.0,
    21_600.0,
    43_200.0,
    86_400.0,
    172_800.0,
)
"""Where a class of length ends and the next begins, seconds."""
KEPT: Final = timedelta(days=62)
"""How long single stays are kept."""
LATE_DAYS: Final = 2
"""So many days are summed again: a phone without a line sends what it saw when it has one."""
MAX_DAYS: Final = 92
HOURS: Final = 24


@dataclass
class StepTime:
    """The time trips spent in one stage or step at one gate with one agency."""

    gate_id: str
    kind: str
    name: str
    agency: str
    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0
    longest_s: float = 0.0
    hour_trips: list[int] = field(default_factory=lambda: [0] * HOURS)
    hour_total_s: list[float] = field(default_factory=lambda: [0.0] * HOURS)

    def add(self, hour: int, classes: Sequence[int], total_s: float, longest_s: float) -> None:
        """Count more trips that ended in a local hour."""
        self.classes = [a + b for a, b in zip(self.classes, classes, strict=True)]
        self.total_s += total_s
        self.longest_s = max(self.longest_s, longest_s)
        self.hour_trips[hour] += sum(classes)
        self.hour_total_s[hour] += total_s

    @property
    def trips(self) -> int:
        """How many trips."""
        return sum(self.classes)

    def quantile_s(self, share: float) -> float | None:
        """The length that a share of the trips stayed within, read off the classes; `None` without trips."""
        return quantile_s(self.classes, share, self.longest_s)

    @property
    def mean_s(self) -> float | None:
        """The mean length; `None` without trips."""
        return self.total_s / self.trips if self.trips else None

    @property
    def median_s(self) -> float | None:
        """The length that half of the trips stayed within."""
        return self.quantile_s(0.5)

    @property
    def p90_s(self) -> float | None:
        """The length that nine of ten trips stayed within."""
        return self.quantile_s(0.9)

    @property
    def hour_mean_s(self) -> list[float | None]:
        """The mean length by local hour of its end; `None` where there was no trip."""
        return [
            total / trips if trips else None for total, trips in zip(self.hour_total_s, self.hour_trips, strict=True)
        ]


def quantile_s(classes: Sequence[int], share: float, longest_s: float) -> float | None:
    """A quantile of lengths counted in classes that end at `BOUNDS_S`, straight within a class, at most `longest_s`."""
    wanted, below = share * sum(classes), 0
    if not any(classes):
        return None
    for n, count in enumerate(classes):
        if count and below + count >= wanted:
            low = BOUNDS_S[n - 1] if n else 0.0
            high = min(BOUNDS_S[n] if n < len(BOUNDS_S) else longest_s, max(longest_s, low))
            return low + (high - low) * (wanted - below) / count
        below += count
    return longest_s


def step_times(
    session: Session, principal: Principal, *, gate_id: str | None, first: date, last: date, now: datetime
) -> list[StepTime]:
    """Time in each stage and step from a local day to a local day, today's up to now.

    Raises
    ------
    InvalidInputError
        If the days are in the wrong order or too many.
    ForbiddenError
        If the caller may see another gate only.
    """
    check_days(first, last)
    gate_id = own_gate(principal, gate_id)
    found: dict[tuple[str, str, str, str], StepTime] = {}
    today = local_day(now)
    last_over = min(last, today - timedelta(days=1))
    rows: list[StepDayRow | store.DaySum] = list(store.list_days(session, first, last_over, gate_id=gate_id))
    if first <= today <= last:
        rows += summed(store.sum_stays(session, begin_of(today), now, bounds_s=BOUNDS_S, gate_id=gate_id), today)
    for row in rows:
        key = (row.gate_id, row.kind, row.name, row.agency)
        entry = found.setdefault(key, StepTime(*key))
        entry.add(row.hour, row.trips, row.total_s, row.longest_s)
    return sorted(found.values(), key=lambda entry: (entry.gate_id, entry.kind, -entry.total_s))


def waits_now(session: Session, principal: Principal, *, gate_id: str | None, limit: int = 30) -> list[store.Wait]:
    """Who waits longest now, for whom and since when; raises ForbiddenError as `step_times`."""
    return store.longest_waits(session, gate_id=own_gate(principal, gate_id), limit=limit)


def sum_day(session: Session, day: date) -> None:
    """Sum up the stays that ended on a local day."""
    rows = store.sum_stays(session, begin_of(day), begin_of(day + timedelta(days=1)), bounds_s=BOUNDS_S)
    store.replace_day(session, day, summed(rows, day))


def summed(rows: Iterable[store.StaySum], day: date) -> list[store.DaySum]:
    """Sums by class of length as rows of `step_day`."""
    found: dict[tuple[str, str, str, str, int], store.DaySum] = {}
    for row in rows:
        key = (row.gate_id, row.kind, row.name, row.agency, row.hour)
        entry = found.setdefault(key, store.DaySum(day, *key, trips=[0] * (len(BOUNDS_S) + 1)))
        entry.trips[row.bucket] += row.trips
        entry.total_s += row.total_s
        entry.longest_s = max(entry.longest_s, row.longest_s)
    return list(found.values())


def local_day(moment: datetime) -> date:
    """The day at the border."""
    return moment.astimezone(LOCAL_ZONE).date()


def begin_of(day: date, at: time = time.min) -> datetime:
    """A local time of a local day as a moment."""
    return datetime.combine(day, at, LOCAL_ZONE)


def check_days(first: date, last: date) -> None:
    """Raises InvalidInputError if the days are in the wrong order or too many."""
    if first > last:
        raise InvalidInputError("The first day comes after the last.", field="since")
    if (last - first).days >= MAX_DAYS:
        raise InvalidInputError("Choose at most {most} days.", field="since", most=MAX_DAYS)


def own_gate(principal: Principal, gate_id: str | None) -> str | None:
    """The gate to look at: the caller's own where only that may be seen, else the one asked for (`None`: all).

    Raises
    ------
    ForbiddenError
        If another one than the own is asked for, or the account has none.
    """
    if principal.require("statistics.read") is not Scope.OWN_GATE:
        return gate_id
    if principal.gate_id is None or gate_id not in {None, principal.gate_id}:
        raise ForbiddenError("Your station sees the figures of its own gate only.", field="gate")
    return principal.gate_id


def own_gates(principal: Principal, gates: Iterable[str], gate_id: str | None) -> list[str]:
    """Of `gates` those to look at (`own_gate`), in their order.

    Raises
    ------
    ForbiddenError
        If another one than the own is asked for, or the account has none.
    """
    chosen = own_gate(principal, gate_id)
    return [gate for gate in gates if chosen in {None, gate}]
