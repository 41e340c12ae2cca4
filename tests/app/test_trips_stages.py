"""How far a trip has come, as a table; and that it never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.trips.places import Places
from app.trips.stages import RANK, Passage, Seen, TripState, next_stage
from geo.corridor import Corridor

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
PLACES = Places.of(Corridor.default())
HUU_NGHI, TAN_THANH = PLACES.gates["huu-nghi"], PLACES.gates["tan-thanh"]


def seen(
    km: float | None,
    speed_mps: float | None = 12.0,
    *,
    road: str | None = "QL1A",
    direction: int = 1,
    site_id: str | None = None,
    motion: str = "moving",
) -> Seen:
    return Seen(NOW, None if km is None else road, km, direction, speed_mps, site_id, motion)


def passage(site_id: str, kind: str, minutes_ago: float = 10) -> Passage:
    return Passage(NOW - timedelta(minutes=minutes_ago), site_id, kind)


YARD = [passage("xuan-cuong", "enter", 60)]
THROUGH = [passage("huu-nghi", "enter", 70), *YARD, passage("xuan-cuong", "leave", 5)]


def state(stage: str, direction: str = "export", arrival_h: float = 3.0) -> TripState:
    return TripState(stage, direction, NOW + timedelta(hours=arrival_h))


def test_the_corridor_gives_the_forks() -> None:
    assert HUU_NGHI.fork_km == pytest.approx(4.045, abs=0.01)
    assert TAN_THANH.fork_km == pytest.approx(13.138, abs=0.01)
    assert TAN_THANH.distance_km("QL1A", 10.0) == pytest.approx(13.138 + 10.0 - 4.045, abs=0.01)
    assert HUU_NGHI.is_on_branch("QL1A", 3.0)
    assert not HUU_NGHI.is_on_branch("QL1A", 5.0)
    assert TAN_THANH.is_on_branch("QL4A", 9.0)


@pytest.mark.parametrize(
    ("trip", "position", "passages", "tail_km", "stage", "reason"),
    [
        # nothing known, nothing moves
        (state("planned"), None, [], None, None, None),
        (state("planned"), seen(60, 0.0), [], None, None, None),
        # on the road
        (state("planned"), seen(60), [], None, "on_the_road", "moving"),
        (state("planned", arrival_h=100), seen(60), [], None, "on_the_road", "moving"),
        (state("planned", arrival_h=100), seen(60, direction=-1), [], None, None, None),
        (state("planned"), seen(60, direction=-1), [], None, "on_the_road", "moving"),
        (state("planned"), seen(None), [], None, None, None),
        # in the queue
        (state("on_the_road"), seen(6.3, 1.0, motion="slow"), [], 6.0, "queued", "slow_in_queue"),
        (state("on_the_road"), seen(7.0, 1.0, motion="slow"), [], 6.0, None, None),
        (state("planned"), seen(2.0, 0.0, motion="stopped"), [], None, "queued", "slow_near_gate"),
        (state("on_the_road"), seen(3.5, 0.0, motion="stopped"), [], None, None, None),
        (state("on_the_road"), seen(6.0, 1.0, direction=-1, motion="slow"), [], 6.0, None, None),
        (state("on_the_road"), seen(16.1, 0.0, site_id="staging-lang-son", motion="staging"), [], 20.0, None, None),
        (state("on_the_road", "import"), seen(2.0, 1.0, motion="slow"), [], None, None, None),
        # the queue dissolves
        (state("queued"), seen(8.0, 10.0), [], 2.0, "on_the_road", "queue_left"),
        (state("queued"), seen(2.0, 10.0), [], 1.5, None, None),
        (state("queued"), seen(8.0, 4.0), [], 2.0, None, None),
        # in the yard
        (state("queued"), seen(0.8, 1.0), YARD, None, "in_the_yard", "entered_yard"),
        (state("planned"), None, YARD, None, "in_the_yard", "entered_yard"),
        (state("queued"), seen(0.8, 0.0, site_id="xuan-cuong", motion="yard"), [], None, "in_the_yard", "seen_in_yard"),
        (state("queued"), seen(0.9, 0.0), [passage("bao-nguyen", "enter")], None, None, None),
        (state("in_the_yard"), seen(0.9, 0.0), YARD, None, None, None),
        # out, exports
        (state("in_the_yard"), seen(0.3, 5.0), THROUGH, None, "out", "passed_gate"),
        (state("queued"), seen(0.3, 5.0), [], None, "out", "passed_gate"),
        (state("in_the_yard"), seen(0.52, 0.0, site_id="xuan-cuong", motion="yard"), YARD, None, None, None),
        (state("planned"), seen(0.3, 5.0, direction=-1), [], None, "on_the_road", "moving"),
        (
            state("in_the_yard"),
            seen(None, 5.0, motion="off_road"),
            [*THROUGH, passage("huu-nghi", "leave", 1)],
            None,
            "out",
            "left_gate_area",
        ),
        (state("in_the_yard"), seen(None, 5.0, motion="off_road"), THROUGH, None, None, None),
        (state("in_the_yard"), seen(15.0, 12.0, direction=-1), THROUGH, None, "out", "turned_back"),
        (state("in_the_yard"), seen(15.0, 12.0, direction=-1), YARD, None, None, None),
        (state("in_the_yard"), seen(4.0, 12.0, direction=-1), THROUGH, None, None, None),
        # out, imports
        (
            state("on_the_road", "import"),
            seen(12.0, 12.0, direction=-1),
            [passage("huu-nghi", "enter", 40)],
            None,
            "out",
            "left_gate_area",
        ),
        (state("on_the_road", "import"), seen(12.0, 12.0, direction=-1), [], None, None, None),
        (state("in_the_yard", "import"), seen(12.0, 12.0, direction=-1), [], None, "out", "left_gate_area"),
        (state("in_the_yard", "import"), seen(5.0, 12.0, direction=-1), [], None, None, None),
        # over
        (state("out"), seen(60), [], None, None, None),
        (state("cancelled"), seen(60), [], None, None, None),
    ],
)
def test_next_stage(
    trip: TripState,
    position: Seen | None,
    passages: list[Passage],
    tail_km: float | None,
    stage: str | None,
    reason: str | None,
) -> None:
    change = next_stage(trip, HUU_NGHI, position, passages, tail_km=tail_km)
    assert (change and (change.stage, change.reason)) == (stage and (stage, reason))


def test_a_queue_beyond_the_fork_counts_for_the_other_gate() -> None:
    change = next_stage(state("on_the_road"), TAN_THANH, seen(5.0, 1.0, motion="slow"), [], tail_km=15.0)
    assert change is not None
    assert change.stage == "queued"
    near = next_stage(state("on_the_road"), TAN_THANH, seen(2.0, 1.0, motion="slow"), [], tail_km=None)
    assert near is None


sightings = st.builds(
    Seen,
    time=st.just(NOW),
    road=st.sampled_from(["QL1A", "QL4A", None]),
    km=st.one_of(st.none(), st.floats(0, 110)),
    direction=st.sampled_from([-1, 0, 1]),
    speed_mps=st.one_of(st.none(), st.floats(0, 30)),
    site_id=st.sampled_from([None, "huu-nghi", "xuan-cuong", "bao-nguyen", "staging-lang-son"]),
    motion=st.sampled_from(["moving", "slow", "stopped", "off_road", "yard", "staging", "gate"]),
)
passages_seen = st.lists(
    st.builds(
        Passage,
        time=st.integers(0, 1440).map(lambda minutes: NOW - timedelta(minutes=minutes)),
        site_id=st.sampled_from(["huu-nghi", "xuan-cuong", "tan-thanh", "bao-nguyen"]),
        kind=st.sampled_from(["enter", "leave"]),
    ),
    max_size=4,
).map(lambda found: sorted(found, key=lambda one: one.time))


@given(
    st.sampled_from(["export", "import"]),
    st.lists(st.tuples(sightings, passages_seen, st.one_of(st.none(), st.floats(0, 40))), max_size=25),
)
def test_stages_never_go_back(direction: str, story: list[tuple[Seen, list[Passage], float | None]]) -> None:
    stage = "planned"
    for position, passages, tail_km in story:
        change = next_stage(state(stage, direction), HUU_NGHI, position, passages, tail_km=tail_km)
        if change is None:
            continue
        assert change.stage != stage
        assert RANK[change.stage] > RANK[stage] or {stage, change.stage} == {"queued", "on_the_road"}
        stage = change.stage
