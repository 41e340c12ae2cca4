"""Whether a truck did what it was ordered, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.dispatch.compliance import Demand, Evidence, Sighting, judge_one
from app.trips.places import Places
from geo.corridor import Corridor

START = datetime(2026, 3, 2, 3, tzinfo=UTC)
PLACES = Places.of(Corridor.default())
BEFORE = Evidence("QL1A", 30.0)


def demand(kind: str, **target: str) -> Demand:
    return Demand(kind, START, START, START + timedelta(hours=2), **target)


def seen(
    minutes: float,
    km: float | None,
    speed_mps: float = 12.0,
    *,
    road: str = "QL1A",
    site_id: str | None = None,
    entered: bool = False,
) -> Sighting:
    time = START + timedelta(minutes=minutes)
    return Sighting(time, None if km is None else road, km, speed_mps, site_id, time if entered else None)


HOLD = demand("hold", site_id="staging-lang-son")  # km 16.1
DIVERT = demand("divert", gate_id="tan-thanh")
BACK = demand("divert", gate_id="huu-nghi")
YARD = demand("yard", site_id="xuan-cuong")
STOP, PROCEED = demand("stop"), demand("proceed")
NEVER = Sighting(None)


@pytest.mark.parametrize(
    ("told", "evidence", "sighting", "now_min", "present", "verdict"),
    [
        # hold
        (HOLD, BEFORE, seen(10, 20.0), 10, "pending", "pending"),
        (HOLD, BEFORE, seen(20, 16.1, 0.0, site_id="staging-lang-son"), 20, "pending", "complied"),
        (HOLD, BEFORE, seen(20, 16.9, 0.0), 20, "pending", "complied"),
        (HOLD, BEFORE, seen(20, 16.1, 12.0, site_id="staging-lang-son"), 20, "pending", "pending"),
        (HOLD, BEFORE, seen(30, 15.8), 30, "complied", "complied"),
        (HOLD, BEFORE, seen(30, 15.0), 30, "complied", "not_complied"),
        (HOLD, BEFORE, seen(30, 8.0, road="QL4A"), 30, "pending", "not_complied"),
        (HOLD, Evidence("QL1A", 9.0), seen(30, 8.0), 30, "pending", "unknown"),
        (HOLD, BEFORE, seen(115, 18.0, 0.0), 120, "pending", "complied"),
        (HOLD, BEFORE, seen(5, 28.0), 120, "pending", "unknown"),
        (HOLD, BEFORE, NEVER, 120, "pending", "unknown"),
        (HOLD, BEFORE, seen(60, 16.1, 0.0), 120, "complied", "complied"),
        # divert
        (DIVERT, BEFORE, seen(10, 20.0), 10, "pending", "pending"),
        (DIVERT, BEFORE, seen(30, 12.0, road="QL4A"), 30, "pending", "complied"),
        (DIVERT, BEFORE, seen(30, 3.5), 30, "pending", "not_complied"),
        (DIVERT, Evidence("QL1A", 3.0), seen(10, 2.5), 10, "pending", "pending"),
        (DIVERT, Evidence("QL1A", 3.0), seen(110, 2.5), 120, "pending", "not_complied"),
        (DIVERT, BEFORE, seen(110, 20.0), 120, "pending", "unknown"),
        (DIVERT, Evidence("QL1A", 3.0), seen(40, 2.5), 120, "pending", "unknown"),  # silent since
        (BACK, Evidence("QL4A", 12.0), seen(30, 3.0), 30, "pending", "complied"),
        # yard
        (YARD, BEFORE, seen(30, 5.0), 30, "pending", "pending"),
        (YARD, BEFORE, seen(30, 0.8, 0.0, site_id="xuan-cuong"), 30, "pending", "complied"),
        (YARD, BEFORE, seen(40, 0.9, entered=True), 40, "pending", "complied"),
        (YARD, BEFORE, seen(110, 5.0), 120, "pending", "not_complied"),
        (YARD, BEFORE, seen(60, 5.0), 120, "pending", "unknown"),  # silent since
        (YARD, BEFORE, NEVER, 120, "pending", "unknown"),
        # stop
        (STOP, BEFORE, seen(2, 29.0), 2, "pending", "pending"),
        (STOP, BEFORE, seen(4, 28.0, 0.1), 4, "pending", "complied"),
        (STOP, BEFORE, seen(12, 24.0), 12, "pending", "not_complied"),
        (STOP, BEFORE, seen(8, 24.0), 20, "pending", "pending"),
        (STOP, BEFORE, NEVER, 20, "pending", "pending"),
        (STOP, BEFORE, NEVER, 120, "pending", "unknown"),
        # proceed
        (PROCEED, BEFORE, seen(5, 29.8), 5, "pending", "pending"),
        (PROCEED, BEFORE, seen(10, 29.2), 10, "pending", "complied"),
        (PROCEED, BEFORE, seen(20, 29.8, 0.0), 20, "pending", "not_complied"),
        (PROCEED, BEFORE, seen(14, 29.8, 0.0), 20, "pending", "pending"),
        (PROCEED, BEFORE, NEVER, 120, "pending", "unknown"),
        # what was seen before the order says nothing
        (PROCEED, BEFORE, seen(-1, 20.0), 1, "pending", "pending"),
    ],
)
def test_judge_one(
    told: Demand, evidence: Evidence, sighting: Sighting, now_min: float, present: str, verdict: str
) -> None:
    now = START + timedelta(minutes=now_min)
    assert judge_one(told, evidence, sighting, present, places=PLACES, now=now)[0] == verdict


def test_the_first_sighting_is_remembered_where_none_was() -> None:
    verdict, kept = judge_one(PROCEED, Evidence(), seen(3, 30.0), "pending", places=PLACES, now=START)
    assert (verdict, kept) == ("pending", BEFORE)
    assert judge_one(PROCEED, kept, seen(6, 29.0), "pending", places=PLACES, now=START)[0] == "complied"


def test_a_deadline_runs_from_the_confirmation() -> None:
    told = Demand("proceed", START, START + timedelta(minutes=30), START + timedelta(hours=2))
    now = START + timedelta(minutes=40)
    assert judge_one(told, BEFORE, seen(40, 29.9, 0.0), "pending", places=PLACES, now=now)[0] == "pending"


@pytest.mark.parametrize("told", [HOLD, DIVERT, YARD, STOP, PROCEED])
def test_no_verdict_stays_pending_at_the_end(told: Demand) -> None:
    for sighting in (NEVER, seen(1, 29.9), seen(100, 5.0, 1.0), seen(119, None)):
        verdict, _ = judge_one(told, BEFORE, sighting, "pending", places=PLACES, now=told.valid_to)
        assert verdict != "pending"
