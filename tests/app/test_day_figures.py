"""The day in figures: what stands is what stood and came, less what went; by gate and goods, with sheets and yards."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.reporting import day_figures
from app.reporting.day_figures import Figures, count, span_of, total_of
from app.reporting.visits import GateChange, Spell, TripRecord, Visit, visits_of
from geo.clock import FixedClock
from tests.app.stationing import Gate
from tests.app.test_bulletin import DAY, Day, at, set_clock
from tests.drawing import Drawn, cases

SignIn = Callable[..., TestClient]
GATES = ("huu-nghi", "tan-thanh", "coc-nam")
GOODS = ("fresh_fruit", "ore", "empty")
BEGIN = span_of(DAY)[0] - timedelta(days=2)
DAYS = [DAY - timedelta(days=2) + timedelta(days=n) for n in range(6)]


def trips_of(read: Drawn) -> list[TripRecord]:
    """Up to eight trips."""
    return [trip_of(read) for _ in range(read.number(9))]


def trip_of(read: Drawn) -> TripRecord:
    """A trip in any order that the platform might have noted it, also with times that cannot be."""

    def moment() -> datetime:
        return BEGIN + timedelta(minutes=read.number(6 * 1440 + 1))

    times = sorted(moment() for _ in range(read.number(6)))
    stages = [read.choice(("planned", "on_the_road", "queued", "in_the_yard")) for _ in times]
    left_at = moment() if read.number(2) else None
    ends = [*times[1:], left_at] if times else []
    return TripRecord(
        trip_id=1 + read.number(9),
        gate_id=read.choice(GATES),
        direction=read.choice(("export", "import")),
        goods_class=read.choice(GOODS),
        simulated=bool(read.number(2)),
        seen_at=moment() if read.number(2) else None,
        left_at=left_at,
        turned_back=bool(read.number(2)),
        cancelled=bool(read.number(2)),
        spells=tuple(Spell(*spell) for spell in zip(stages, times, ends, strict=True)),
        changes=tuple(GateChange(moment(), read.choice(GATES), read.choice(GATES)) for _ in range(read.number(3))),
    )


@cases(10_000, 200)
def test_what_stands_is_what_stood_and_came_less_what_went(raw: bytes) -> None:
    read = Drawn(raw)
    hour, records = read.number(24), trips_of(read)
    visits = [visit for record in records for visit in visits_of(record)]
    standing: dict[tuple[str, str], int] = {}
    for number, day in enumerate(DAYS):
        figures = count(visits, day, GATES)
        for row in figures:
            assert row.adds_up, row
            assert row.outside <= row.standing
            assert row.sent_on <= row.turned_back
            assert min(getattr(row, name) for name in day_figures.COUNTS) >= 0
        for gate in GATES:
            assert total_of(day, gate, [row for row in figures if row.gate_id == gate]).adds_up
        if number:  # the evening before is the morning of this day, class by class
            assert {key: n for key, n in standing.items() if n} == {
                (row.gate_id, row.goods_class): row.standing_before for row in figures if row.standing_before
            }
        standing = {(row.gate_id, row.goods_class): row.standing for row in figures}
        assert all(figures.adds_up for figures in count(visits, day, GATES, span_of(day)[0] + timedelta(hours=hour)))


@cases(2_000, 200)
def test_nobody_stands_at_two_gates_and_all_that_ended_went_once(raw: bytes) -> None:
    for record in trips_of(Drawn(raw)):
        visits = list(visits_of(record))
        for moment in (span_of(day)[1] for day in DAYS):
            assert sum(visit.stands_at(moment) for visit in visits) <= 1
        left = [visit.leaving for visit in visits if visit.leaving not in {None, "sent_on"}]
        assert len(left) == (record.left_at is not None and bool(visits))
        assert all(visit.left_at is None or visit.arrived_at <= visit.left_at for visit in visits)


def test_a_queue_that_dissolves_ends_no_visit() -> None:
    spells = (
        Spell("queued", at(9), at(10)),
        Spell("on_the_road", at(10), at(15)),
        Spell("queued", at(15), None),
    )
    record = TripRecord(1, "huu-nghi", "export", "ore", False, None, None, False, False, spells)
    (visit,) = visits_of(record)
    assert (visit.arrived_at, visit.left_at) == (at(9), None)
    assert visit.stands_at(at(12))
    assert not visit.is_inside_at(at(12))


def test_a_truck_sent_on_turns_back_here_and_arrives_there() -> None:
    spells = (Spell("queued", at(9), at(16)), Spell("in_the_yard", at(16), None))
    changes = (GateChange(at(11), "huu-nghi", "tan-thanh"),)
    record = TripRecord(1, "tan-thanh", "export", "ore", False, None, None, False, False, spells, changes)
    figures = count(visits_of(record), DAY, GATES)
    assert figures == [
        Figures(DAY, "huu-nghi", "ore", arrivals=1, turned_back=1, sent_on=1),
        Figures(DAY, "tan-thanh", "ore", arrivals=1, standing=1),
    ]


@pytest.mark.parametrize(
    ("left", "changes", "counts"),
    [
        ({"left_at": at(12)}, {}, {"went_out": 1}),
        ({"left_at": at(12)}, {"direction": "import"}, {"went_in": 1}),
        ({"left_at": at(12)}, {"turned_back": True}, {"turned_back": 1}),
        ({"left_at": at(12)}, {"cancelled": True}, {"turned_back": 1}),
        ({"left_at": at(20)}, {}, {"went_out": 1}),  # the last moment of the day
        ({"left_at": at(20, 1)}, {}, {"standing": 1, "outside": 1}),
        ({"left_at": None}, {}, {"standing": 1, "outside": 1}),
    ],
)
def test_how_a_truck_leaves(left: dict[str, Any], changes: dict[str, Any], counts: dict[str, int]) -> None:
    values: dict[str, Any] = {"direction": "export", "turned_back": False, "cancelled": False, **left, **changes}
    record = TripRecord(1, "huu-nghi", goods_class="ore", simulated=False, seen_at=at(8), **values)
    assert count(visits_of(record), DAY, GATES) == [Figures(DAY, "huu-nghi", "ore", arrivals=1, **counts)]


def test_what_was_taken_back_before_it_came_never_came() -> None:
    record = TripRecord(1, "huu-nghi", "export", "ore", False, None, at(9), False, True)
    assert list(visits_of(record)) == []
    crossed = TripRecord(1, "huu-nghi", "export", "ore", False, None, at(9), False, False)
    assert [type(visit) for visit in visits_of(crossed)] == [Visit]  # ended by its sheet, never seen: came as it went


# From the database


@pytest.fixture
def day(runtime: Runtime) -> Day:
    return Day(runtime)


def ask(client: TestClient, since: date = DAY, until: date = DAY) -> dict[tuple[str, str], dict[str, int]]:
    answer = client.get("/api/v1/statistics/days", params={"since": str(since), "until": str(until)})
    assert answer.status_code == 200, answer.text
    found = {}
    for item in answer.json()["items"]:
        for row in (*item["by_goods"], item["total"]):
            counts = {name: row[name] for name in day_figures.COUNTS if row[name]}
            found[row["day"], row["gate_id"], row["goods_class"]] = counts
    return {(gate, goods): counts for (day, gate, goods), counts in found.items() if day == str(until)}


def test_the_notice_of_a_day(day: Day, runtime: Runtime, sign_in: SignIn) -> None:
    yesterday = timedelta(days=1)
    day.trip(queued=at(18) - yesterday, yard=at(21) - yesterday, out=at(9))  # stood here the evening before
    day.trip(queued=at(8), yard=at(10), out=at(15))
    day.trip(queued=at(8), yard=at(10), out=at(15), turned_back=True)
    day.trip(queued=at(19))
    day.trip(queued=at(18), yard=at(19, 30))
    day.trip(queued=at(18), yard=at(19), out=at(20, 30))
    day.trip(goods_class="vehicles", direction="import", yard=at(9), out=at(11))
    day.trip(goods_class="ore", gate_id="tan-thanh", queued=at(21))
    set_clock(runtime, at(22))
    figures = ask(sign_in("planner"))
    fruit = {
        "standing_before": 1,
        "arrivals": 5,
        "went_out": 2,
        "turned_back": 1,
        "standing": 3,
        "outside": 1,
    }
    assert figures["huu-nghi", "fresh_fruit"] == fruit
    assert figures["huu-nghi", "vehicles"] == {"arrivals": 1, "went_in": 1}
    assert figures["huu-nghi", ""] == {**fruit, "arrivals": 6, "went_in": 1}
    assert figures["tan-thanh", ""] == {}  # it came after 20:00: the next day's
    assert ask(sign_in("planner"), DAY, DAY + yesterday)["tan-thanh", "ore"] == {
        "arrivals": 1,
        "standing": 1,
        "outside": 1,
    }


def test_days_that_are_over_are_kept_and_late_reports_are_said(day: Day, runtime: Runtime, sign_in: SignIn) -> None:
    def control(moment: datetime) -> int:
        set_clock(runtime, moment)
        with runtime.sessions() as session:
            found = day_figures.sum_up(session, moment, ["huu-nghi", "tan-thanh"])
            session.commit()
        return found

    day.trip(queued=at(8), yard=at(9), out=at(12))
    day.trip(queued=at(8))
    assert control(at(20, 5)) >= 1
    assert control(at(20, 6)) == 0
    assert ask(sign_in("planner"))["huu-nghi", ""] == {"arrivals": 2, "went_out": 1, "standing": 1, "outside": 1}
    assert control(at(20, 5) + timedelta(days=9)) >= 1
    with runtime.sessions() as session:
        rows = session.execute(text("SELECT * FROM app.day_figure ORDER BY day, gate_id")).all()
    by_day = {row.day: row for row in rows if row.gate_id == "huu-nghi"}
    assert by_day[DAY + timedelta(days=8)].standing_before == by_day[DAY + timedelta(days=8)].standing == 1


def test_it_adds_up_with_the_sheets(runtime: Runtime, sign_in: SignIn, clock: FixedClock) -> None:
    gate = Gate.open(runtime, sign_in)
    first, second = gate.declare("29C-123.45"), gate.declare("29C-555.55")
    for trip_id in (first, second):
        gate.pass_steps(trip_id, ("health_quarantine", "health"), ("border_guard", "barrier_1"))
    figures = ask(gate.person("planner"))
    assert figures["huu-nghi", "fresh_fruit"]["arrivals"] == 2
    clock.advance(3600)
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE app.trip SET stage = 'out', stage_since = :now WHERE trip_id = :id"),
            {"now": clock.now(), "id": first},
        )
        session.commit()
    figures = ask(gate.person("planner"))
    counts = figures["huu-nghi", "fresh_fruit"]
    with runtime.sessions() as session:
        standing = session.execute(
            text("SELECT count(*) FROM app.trip WHERE arrived_at IS NOT NULL AND stage <> 'out'")
        ).scalar_one()
    assert (counts["went_out"], counts["standing"]) == (1, standing)


def test_page_csv_and_pdf_say_the_same(day: Day, runtime: Runtime, sign_in: SignIn) -> None:
    day.trip(queued=at(8), yard=at(9), out=at(12))
    day.trip(queued=at(8), simulated=True)
    set_clock(runtime, at(21))
    planner = sign_in("planner", locale="en")
    query = "?since=2026-03-02&until=2026-03-02"
    page = planner.get(f"/statistics/day{query}")
    assert page.status_code == 200
    assert "of these outside the gate" in page.text
    rows = list(csv.reader(io.StringIO(planner.get(f"/statistics/day.csv{query}").text.lstrip("\ufeff"))))
    total = next(row for row in rows if row[2] == "All goods" and row[4] != "0")
    assert total[3:11] == ["0", "2", "0", "1", "0", "0", "1", "1"]
    assert planner.get(f"/statistics/day.pdf{query}").content.startswith(b"%PDF-")
    without_dates = planner.get("/api/v1/statistics/days").json()["items"][0]["total"]
    assert without_dates["day"] == "2026-03-03", "after 20:00 the next notice is counted"
    assert "2026-03-03" in planner.get("/statistics/day.csv").text
    station = sign_in("customs", gate_id="tan-thanh")
    assert {item["total"]["gate_id"] for item in station.get("/api/v1/statistics/days").json()["items"]} == {
        "tan-thanh"
    }
    assert station.get("/api/v1/statistics/days", params={"gate": "huu-nghi"}).status_code == 403
