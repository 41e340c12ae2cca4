"""Forecasts are kept, scored when their hour has come, calibrated, and give way to what is better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.control.minute import Minute
from app.forecasting import skill_scoring, skill_store
from app.forecasting.skill_publish import Published, publish
from app.forecasting.skill_rivals import GateRules, realised_wait_s
from app.forecasting.skill_store import SeriesLead, Visit
from app.forecasting.skill_tables import CheckRow, SkillRow, TrackRow
from app.forecasting.skill_vocabulary import LEADS_S, Quantity, Source
from app.trips.service import Trip
from routing import store as routing_store

from .skilling import GATE, YARD, corridor_now, forecast_of, measured
from .test_control import put_trucks
from .test_forecasts import ready

__all__ = ["ready"]
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def minute(session: Session, now: datetime, queue_veh: float, predicted_veh: object, **more: object) -> Published:
    """One round without the engine: measure, score, publish, keep."""
    corridor = corridor_now(now, queue_veh)
    routing_store.save_queue_observations(session, now, [GATE], measured(queue_veh, 1.0 + queue_veh / 50))
    skill_scoring.score_due(session, now, corridor.yards)
    published = publish(session, corridor, forecast_of(now, predicted_veh, **more))  # type: ignore[arg-type]
    skill_store.insert_checks(session, published.checks)
    return published


def sums(session: Session, quantity: Quantity, lead_s: int, source: Source) -> SkillRow | None:
    rows = session.scalars(
        select(SkillRow).where(SkillRow.quantity == quantity, SkillRow.lead_s == lead_s, SkillRow.source == source)
    ).all()
    return rows[0] if rows else None


def test_a_forecast_is_scored_when_its_hour_has_come_beside_what_it_has_to_beat(session: Session) -> None:
    minute(session, START, 100.0, 130.0)
    assert session.scalar(select(func.count()).select_from(SkillRow)) == 0
    minute(session, START + timedelta(minutes=60), 120.0, 120.0)
    model, stays = (sums(session, Quantity.QUEUE, 3600, source) for source in (Source.MODEL, Source.PERSISTENCE))
    assert model is not None
    assert stays is not None
    assert (model.n, model.abs_error, model.error) == (1, pytest.approx(10.0), pytest.approx(10.0))
    assert (stays.abs_error, stays.error) == (pytest.approx(20.0), pytest.approx(-20.0))
    assert (model.below_n, model.above_n) == (1, 0)  # 130 ± 5, and 120 came
    assert model.pinball_low == pytest.approx(0.9 * 5)
    assert model.pinball_middle == pytest.approx(0.5 * 10)
    assert model.pinball_high == pytest.approx(0.1 * 15)
    assert model.hour == START + timedelta(hours=1)
    yard = sums(session, Quantity.YARD, 3600, Source.PUBLISHED)
    assert yard is not None
    assert yard.abs_error == 0.0


@pytest.mark.parametrize("measured_veh", [0.0, 12.0, 40.0])
def test_what_is_published_and_it_stays_as_it_is_begin_with_the_same_measured_number(
    session: Session, measured_veh: float
) -> None:
    """Whatever the runs' median is: of those that nobody sees it is another number than the expected one."""
    corridor = corridor_now(START, measured_veh)
    published = publish(session, corridor, forecast_of(START, 15.0, spread=5.0))
    shown, tail_km = published.forecast, 1.0 + measured_veh / 50
    for series, now_is in ((shown.queue_veh, measured_veh), (shown.tail_km, tail_km)):
        low, middle, high = series[:, 0, 0]
        assert middle == now_is
        assert low <= middle <= high
    (check,) = [check for check in published.checks if check.series == SeriesLead(Quantity.QUEUE, GATE, LEADS_S[0])]
    assert check.centre[check.sources.index(Source.PERSISTENCE)] == measured_veh


def test_a_horizon_whose_hour_nobody_measured_is_not_scored_and_forgotten(session: Session) -> None:
    minute(session, START, 100.0, 130.0)
    minute(session, START + timedelta(minutes=80), 120.0, 120.0)  # 60 min ahead was 20 min ago
    assert sums(session, Quantity.QUEUE, 3600, Source.MODEL) is None
    left = session.scalars(select(CheckRow.lead_s).where(CheckRow.quantity == "queue_veh", CheckRow.made_at == START))
    assert set(left) == {7200, 10800, 21600}


def test_the_same_minute_again_scores_and_keeps_nothing_twice(session: Session) -> None:
    for at in (0, 60, 60, 60):
        minute(session, START + timedelta(minutes=at), 100.0, 130.0)
    found = sums(session, Quantity.QUEUE, 3600, Source.MODEL)
    assert found is not None
    assert found.n == 1
    kept = select(func.count()).select_from(CheckRow).where(CheckRow.quantity == "queue_veh", CheckRow.lead_s == 3600)
    assert session.scalar(kept) == 1


def test_what_is_kept_does_not_grow_with_history(session: Session) -> None:
    for day in range(3):
        for step in range(0, 24, 2):
            minute(session, START + timedelta(days=day, hours=step), 100.0 + step, 100.0)
    now = START + timedelta(days=70)
    before = session.scalar(select(func.count()).select_from(SkillRow))
    assert before
    skill_scoring.prune(session, now)
    assert session.scalar(select(func.count()).select_from(SkillRow)) == 0
    assert session.scalar(select(func.count()).select_from(CheckRow)) == 0
    tracks = session.scalar(select(func.count()).select_from(TrackRow))
    assert tracks is not None
    assert tracks <= len(LEADS_S) * sum(1 + len(quantity.rivals) for quantity in Quantity)


def test_a_forecast_that_is_lost_gives_way_to_what_is_better_and_comes_back(session: Session) -> None:
    """The model believes the queue grows by 60; it stays at 100. Then the model is right and the queue jumps."""
    series = SeriesLead(Quantity.QUEUE, GATE, 3600)

    def source() -> Source:
        standing = skill_store.load_standings(session).get(series)
        return standing.published if standing else Source.MODEL

    at = START
    noise = np.random.default_rng(3).normal(0, 60, 400)
    found = None
    for step in range(60):
        found = minute(session, at + timedelta(minutes=15 * step), 100.0, max(100.0 + noise[step], 0.0))
    assert found is not None
    assert source() is Source.PERSISTENCE
    index = round(3600 / 300)
    low, middle, high = found.forecast.queue_veh[:, 0, index]
    assert middle == pytest.approx(100.0)
    assert low <= 100.0 <= high
    assert high - low < 30.0, "the band is that of the errors of what is published"
    at += timedelta(minutes=15 * 60)
    queues = 100.0 + 80.0 * np.sin(np.arange(500) / 3.0)
    for step in range(320):
        minute(session, at + timedelta(minutes=15 * step), queues[step], queues[step + 4])
        if step % 10 == 0 and source() is Source.MODEL:
            break
    assert source() is Source.MODEL
    assert step > 10, "skill is shown, not assumed"


def test_published_bands_learn_from_errors(session: Session) -> None:
    noise = np.random.default_rng(4).normal(0, 30, 400)
    for step in range(200):
        at = START + timedelta(minutes=30 * step)
        minute(session, at, 200.0 + noise[step], 200.0, spread=2.0)
    raw, published = (sums_of(session, source) for source in (Source.RAW, Source.PUBLISHED))
    assert raw < 0.2
    assert 0.7 <= published <= 0.85


def sums_of(session: Session, source: Source) -> float:
    """Share inside the band, one hour ahead."""
    query = select(func.sum(SkillRow.n), func.sum(SkillRow.below_n + SkillRow.above_n)).where(
        SkillRow.quantity == "queue_veh", SkillRow.lead_s == 3600, SkillRow.source == source
    )
    n, outside = session.execute(query).one()
    return 1.0 - outside / n


def test_single_trucks_are_scored_when_they_are_let_in(ready, sign_in) -> None:
    vehicles = put_trucks(ready, [4.0, 9.0])
    with ready.sessions() as session:
        trips = session.scalars(select(Trip.trip_id).where(Trip.vehicle_id.in_(vehicles)).order_by(Trip.trip_id)).all()
        now = ready.clock.now()
        corridor = corridor_now(now, 12.0, trips=trips)
        predicted = forecast_of(now, 12.0, entrance_s=[3000.0, 3000.0], free_s=[600.0, 600.0])
        published = publish(session, corridor, predicted)
        assert published.truck_wait_s[1].tolist() == [2400.0, 2400.0]
        skill_store.insert_checks(session, published.checks)
        skill_store.insert_checks(session, publish(session, corridor, predicted).checks)
        place(session, trips[0], "queued", now + timedelta(minutes=10), now + timedelta(minutes=45))
        place(session, trips[0], "gate_area", now + timedelta(minutes=45), None)
        skill_scoring.score_due(session, now + timedelta(minutes=46), ())
        entry = sums(session, Quantity.ENTRY, 3600, Source.MODEL)
        wait = sums(session, Quantity.TRUCK_WAIT, 3600, Source.MODEL)
        assert entry is not None
        assert wait is not None
        assert (entry.n, entry.error) == (1, pytest.approx(3000 - 45 * 60))
        assert (wait.n, wait.error) == (1, pytest.approx(2400 - 35 * 60))
        left = session.scalars(select(CheckRow.key).where(CheckRow.target_at.is_(None)).distinct()).all()
        assert left == [trips[1]], "the other has not come yet"


def test_the_bands_of_single_trucks_learn_from_when_they_were_let_in(ready) -> None:
    """Trucks expected in 50 minutes are let in after some 75: by and by the band lies around that."""
    vehicles = put_trucks(ready, [6.0] * 150)
    late_min = np.random.default_rng(8).normal(75.0, 6.0, len(vehicles))
    with ready.sessions() as session:
        trips = session.scalars(select(Trip.trip_id).where(Trip.vehicle_id.in_(vehicles)).order_by(Trip.trip_id)).all()
        start = ready.clock.now()
        bands = []
        for step, trip in enumerate(trips):
            now = start + timedelta(minutes=15 * step)
            skill_scoring.score_due(session, now, ())
            corridor = corridor_now(now, 12.0, trips=[trip])
            published = publish(session, corridor, forecast_of(now, 12.0, entrance_s=[3000.0], free_s=[600.0]))
            skill_store.insert_checks(session, published.checks)
            bands.append(published.forecast.truck_entrance_s[:, 0] / 60)
            entered_at = now + timedelta(minutes=float(late_min[step]))
            place(session, trip, "queued", now + timedelta(minutes=10), entered_at)
            place(session, trip, "gate_area", entered_at, None)
        low, middle, high = np.array(bands).T
        held = (low <= late_min) & (late_min <= high)
        assert not held[0]
        assert held[75:].mean() >= 0.7
        assert np.abs(middle[75:] - 75).mean() < 8
        entry = SeriesLead(Quantity.ENTRY, GATE, 3600)
        assert skill_store.load_standings(session)[entry].tracks[Source.MODEL].evidence_h > 20


def place(session: Session, trip_id: int, kind: str, began_at: datetime, ended_at: datetime | None) -> None:
    session.execute(
        text(
            "INSERT INTO app.trip_place (trip_id, began_at, ended_at, kind, gate_id) "
            "VALUES (:trip, :began, :ended, :kind, :gate)"
        ),
        {"trip": trip_id, "began": began_at, "ended": ended_at, "kind": kind, "gate": GATE},
    )


def visit(trip: int, joined: float | None, entered: float | None, *, waiting: bool = False) -> Visit:
    """A truck that joined and was let in so many minutes after `START`."""
    at = [None if minutes is None else START + timedelta(minutes=minutes) for minutes in (joined, entered)]
    return Visit(trip, GATE, at[0], at[1], waiting)


def test_the_drivers_rules() -> None:
    now = START + timedelta(minutes=120)
    visits = [
        visit(1, 0, 70),
        visit(2, 20, 100),
        visit(3, None, 110),
        visit(4, 50, None, waiting=True),
        visit(5, 90, None, waiting=True),
    ]
    rules = GateRules.of(visits, 12.0, now)
    assert rules.head_age_s == 70 * 60
    assert rules.throughput_veh_per_h == 3
    waits = rules.waits_s()
    assert waits[Source.AGE_OF_HEAD] == 70 * 60
    assert waits[Source.QUEUE_OVER_THROUGHPUT] == 4 * 3600
    assert waits[Source.PERSISTENCE] == 70 * 60
    behind = rules.entry_s(5, 0.0, now)
    assert behind[Source.AGE_OF_HEAD] == 40 * 60  # it has stood 30 of the 70 minutes
    assert behind[Source.QUEUE_OVER_THROUGHPUT] == 1200  # one truck ahead at three an hour
    coming = rules.entry_s(9, 600.0, now)
    assert coming[Source.QUEUE_OVER_THROUGHPUT] == 600 + 4 * 3600


def test_without_a_queue_nobody_waits() -> None:
    assert set(GateRules.of([], 0.0, START).waits_s().values()) == {0.0}


def test_where_none_was_let_in_the_age_of_the_head_stands_for_the_rule() -> None:
    rules = GateRules.of([visit(1, 0, None, waiting=True)], 5.0, START + timedelta(minutes=90))
    assert rules.waits_s()[Source.QUEUE_OVER_THROUGHPUT] == 90 * 60


@pytest.mark.parametrize(
    ("visits", "minutes"),
    [
        ([visit(1, 0, 30)], 30),
        ([visit(1, 0, 30), visit(2, 5, 95), visit(3, -4, 36)], 40),
        ([visit(1, 0, 30), visit(2, 5, None, waiting=True), visit(3, 6, None, waiting=True)], None),
        ([visit(1, 0, 30), visit(2, 5, 45), visit(3, 6, None, waiting=True)], 40),
        ([visit(1, 0, None)], None),  # turned back
        ([visit(1, 20, 30)], None),  # joined too late
    ],
)
def test_the_wait_that_came_is_the_median_of_those_that_joined_then(visits: list[Visit], minutes: float | None) -> None:
    assert realised_wait_s(visits, START) == (None if minutes is None else minutes * 60)


def test_through_the_minute_the_first_scores_come_after_five_minutes(ready, sign_in) -> None:
    put_trucks(ready, list(np.linspace(1, 30, 30)), speed_mps=1.0)
    loop = Minute.of(ready)
    for _ in range(7):
        assert loop.run().failed == []
        ready.clock.advance(60)
    with ready.sessions() as session:
        rows = session.scalars(select(SkillRow).where(SkillRow.source == Source.PUBLISHED)).all()
        found = {(row.quantity, row.place_id) for row in rows if row.lead_s == 300}
        assert {("queue_veh", GATE), ("tail_km", GATE), ("queue_veh", "tan-thanh")} <= found
        assert ("occupancy_veh", YARD) in found
        kept = session.scalars(text("SELECT DISTINCT quantity FROM app.forecast_check"))
        assert {"queue_veh", "wait_s", "tail_km", "occupancy_veh", "entry_s", "truck_wait_s"} <= set(kept)
