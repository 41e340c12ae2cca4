"""Who will come: what is learned of hours, seasons and holidays, and what is assumed where little was seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.forecasting.arrival_store import HourCount, count_hours, hour_counts
from app.forecasting.arrivals import ASSUMED, DayKind, day_kind, learn_arrivals
from app.gates.holidays import lunar_new_year
from geo.clock import LOCAL_ZONE
from tests.conftest import NOW

NOTHING = learn_arrivals(())


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=LOCAL_ZONE)


def simulated(
    first: date, days: int, kinds: Mapping[DayKind, float], *, veh_per_h: float = 20.0, seed: int = 1
) -> tuple[HourCount, ...]:
    """Poisson arrivals that follow the hour of the day, Sundays, and kinds of days as given."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(days * 24):
        at = datetime(first.year, first.month, first.day, tzinfo=LOCAL_ZONE) + timedelta(hours=number)
        by_day = 1.0 + 0.8 * np.sin((at.hour - 8) / 24.0 * 2.0 * np.pi)
        rate = veh_per_h * by_day * (0.5 if at.weekday() == 6 else 1.0) * kinds.get(day_kind(at.date()), 1.0)
        found.append(HourCount(at.astimezone(UTC), int(rng.poisson(rate))))
    return tuple(found)


@given(st.dates(date(2020, 1, 1), date(2049, 12, 31)), st.integers(0, 23))
def test_without_a_history_an_hour_is_what_is_assumed_of_its_day(day: date, hour: int) -> None:
    at = noon(day).replace(hour=hour)
    assert NOTHING.relative_rate(at) == pytest.approx(ASSUMED[day_kind(day)])
    assert NOTHING.relative_rate(at.astimezone(UTC)) == NOTHING.relative_rate(at)


@given(st.integers(2020, 2049))
def test_every_year_has_its_tet(year: int) -> None:
    first = lunar_new_year(year)
    kinds = [day_kind(first + timedelta(days=k)) for k in range(-22, 17)]
    assert kinds[22] == DayKind.TET
    assert [kinds.count(kind) for kind in list(DayKind)[1:6]] == [14, 6, 5, 5, 7]
    assert not {kinds[0], kinds[-1]} & set(list(DayKind)[1:6])
    # The lunar year may begin early, but its weeks before it never lie in another year's lunar phases.
    assert date(year, 1, 20) <= first <= date(year, 2, 21)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-03-11", DayKind.ORDINARY),
        ("2026-01-31", DayKind.WEEKS_BEFORE_TET),
        ("2026-02-17", DayKind.TET),
        ("2026-02-23", DayKind.AFTER_TET),
        ("2026-05-01", DayKind.HOLIDAY_OF_BOTH),
        ("2026-09-02", DayKind.HOLIDAY_OF_VIET_NAM),
        ("2026-06-19", DayKind.HOLIDAY_OF_CHINA),
        ("2026-10-02", DayKind.CHINA_NATIONAL_WEEK),
    ],
)
def test_days_have_the_kind_of_their_holidays(day: str, kind: DayKind) -> None:
    assert day_kind(date.fromisoformat(day)) == kind


@given(
    st.integers(0, 400), st.integers(0, 23), st.integers(1, 60), st.sampled_from([date(2026, 3, 2), date(2026, 2, 16)])
)
def test_what_is_learned_lies_between_what_is_assumed_and_what_was_seen(
    trucks: int, hour: int, days: int, first: date
) -> None:
    """The more trucks an hour of the day has beside the others, the more are expected in it, never more than seen."""
    at = noon(first).replace(hour=hour)
    history = tuple(
        HourCount(at + timedelta(days=k, hours=h), trucks if h == 0 else 10) for k in range(days) for h in range(24)
    )
    model = learn_arrivals(history)
    rates = np.array([model.relative_rate(at + timedelta(days=days, hours=h)) for h in range(24)])
    ratio, seen = rates[0] / rates[12], trucks / 10.0
    assert np.isfinite(rates).all()
    assert (rates > 0).all()
    if day_kind(first) == DayKind.ORDINARY:
        assert min(1.0, seen) - 0.02 <= ratio <= max(1.0, seen) + 0.02


@given(st.integers(1, 40))
def test_more_trucks_in_an_hour_never_lower_what_is_expected_in_it(more: int) -> None:
    base = simulated(date(2026, 3, 2), 21, {})
    at = base[-1].hour
    other = (*base[:-1], HourCount(at, base[-1].trucks + more))
    before, after = learn_arrivals(base), learn_arrivals(other)
    assert after.relative_rate(at) >= before.relative_rate(at) - 1e-3


def test_kinds_of_days_are_shrunk_to_what_is_assumed() -> None:
    """Of a Tết with ten trucks where hundreds were to be expected much is learned, of a single holiday little."""
    tet = simulated(date(2026, 1, 5), 60, {DayKind.TET: 0.03}, veh_per_h=30.0)
    assert learn_arrivals(tet).of_kind(DayKind.TET) == pytest.approx(0.03, abs=0.02)
    quiet = simulated(date(2026, 1, 5), 60, {DayKind.TET: 0.03}, veh_per_h=0.3)
    assert 0.06 < learn_arrivals(quiet).of_kind(DayKind.TET) < ASSUMED[DayKind.TET] + 0.01
    assert learn_arrivals(tet).of_kind(DayKind.CHINA_NATIONAL_WEEK) == pytest.approx(0.7, rel=0.1)


def test_an_example_year_is_forecast_from_the_one_before() -> None:
    """A year is counted; the next one's days are forecast by hour of the day, weekday and holidays at new dates."""
    true = {
        DayKind.WEEKS_BEFORE_TET: 1.6,
        DayKind.WEEK_BEFORE_TET: 1.1,
        DayKind.TET: 0.05,
        DayKind.AFTER_TET: 0.3,
        DayKind.BACK_FROM_TET: 0.8,
        DayKind.CHINA_NATIONAL_WEEK: 0.5,
        DayKind.HOLIDAY_OF_BOTH: 0.4,
    }
    model = learn_arrivals(simulated(date(2026, 1, 1), 366, true))
    coming = simulated(date(2027, 1, 1), 365, true, seed=2)
    counted = np.array([row.trucks for row in coming], float)
    known = np.array([model.relative_rate(row.hour) for row in coming])
    assumed = np.array([NOTHING.relative_rate(row.hour) for row in coming])
    kinds = np.array([day_kind(row.hour.astimezone(LOCAL_ZONE).date()) for row in coming])

    def error(relative: np.ndarray, which: np.ndarray) -> float:
        return float(np.abs(relative * counted.mean() / relative.mean() - counted)[which].mean())

    everything = np.ones(len(coming), bool)
    noise = float(np.mean(np.sqrt(2.0 / np.pi * np.maximum(counted, 1.0))))  # of a Poisson count about its own mean
    assert error(known, everything) < 1.15 * noise
    assert error(known, everything) < 0.45 * error(assumed, everything)
    assert error(known, kinds == DayKind.TET) < 1.5
    for kind, factor in true.items():
        assert model.of_kind(kind) == pytest.approx(factor, abs=0.12)


def test_hours_are_counted_once_and_again_when_positions_come_late(session: Session) -> None:
    gate = session.execute(text("SELECT site_id FROM geo.site WHERE kind = 'gate' ORDER BY site_id LIMIT 1")).scalar()
    vehicles = [
        session.execute(
            text(
                "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at)"
                " VALUES (:p, :p, 'truck', :at) RETURNING vehicle_id"
            ),
            {"p": plate, "at": NOW},
        ).scalar()
        for plate in ("29C99901", "29C99902")
    ]
    session.execute(text("DELETE FROM ingest.site_event"))
    session.execute(text("DELETE FROM app.arrival_hour"))

    def enters(vehicle: object, at: datetime) -> None:
        session.execute(
            text(
                "INSERT INTO ingest.site_event (vehicle_id, site_id, kind, time, source)"
                " VALUES (:v, :s, 'enter', :t, 'gps')"
            ),
            {"v": vehicle, "s": gate, "t": at},
        )

    hour = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    enters(vehicles[0], hour + timedelta(minutes=5))
    enters(vehicles[0], hour + timedelta(minutes=65))  # again on the same day
    for _ in range(2):
        assert count_hours(session, NOW) >= 24
        found = {row.hour: row.trucks for row in hour_counts(session, since=NOW - timedelta(days=2), until=NOW)}
        assert found[hour] == 1
        assert sum(found.values()) == 1
        assert max(found) <= NOW - timedelta(hours=1)
    enters(vehicles[1], hour + timedelta(minutes=50))
    count_hours(session, NOW)
    again = {row.hour: row.trucks for row in hour_counts(session, since=NOW - timedelta(days=2), until=NOW)}
    assert again[hour] == 2
    assert len({row.astimezone(LOCAL_ZONE).date() for row in again}) == 1  # days without a truck are left out
