"""Advice is kept as it was first given and judged by what came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app.dispatch import advice_outcomes
from app.dispatch.advice_outcome_store import GivenAdvice
from app.dispatch.advice_outcomes import Measured, outcome_of
from app.dispatch.vocabulary import AdviceKind, Outcome
from app.platform.runtime import Runtime
from tests.app.dispatching import Stage
from tests.app.test_advisories import refresh, stage, standing

__all__ = ["stage"]
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
BY = NOW + timedelta(hours=2)
SignIn = Callable[..., TestClient]


def measured(*, tail_km: float | None = None, queue_veh: float = 0.0, inside_veh: float = 0.0) -> Measured:
    return Measured(
        {} if tail_km is None else {"huu-nghi": tail_km}, {"huu-nghi": queue_veh}, {"xuan-cuong": inside_veh}
    )


@pytest.mark.parametrize(
    ("kind", "threshold", "came", "after_min", "is_followed", "expected"),
    [
        (AdviceKind.QUEUE, 6.0, measured(tail_km=6.2), 30, False, Outcome.RIGHT),
        (AdviceKind.QUEUE, 6.0, measured(tail_km=5.8), 30, False, None),
        (AdviceKind.QUEUE, 6.0, measured(tail_km=5.8), 150, False, None),  # half an hour late is early enough
        (AdviceKind.QUEUE, 6.0, measured(tail_km=5.8), 181, False, Outcome.WRONG),
        (AdviceKind.QUEUE, 6.0, measured(), 181, False, Outcome.WRONG),
        (AdviceKind.QUEUE, 6.0, measured(tail_km=5.8), 181, True, Outcome.ACTED_ON),
        (AdviceKind.QUEUE, 6.0, measured(tail_km=7.0), 100, True, Outcome.RIGHT),
        (AdviceKind.YARD, 360.0, measured(inside_veh=360), 100, False, Outcome.RIGHT),
        (AdviceKind.YARD, 360.0, measured(inside_veh=300), 200, False, Outcome.WRONG),
        (AdviceKind.CLOSING, 20.0, measured(queue_veh=30), 100, False, None),
        (AdviceKind.CLOSING, 20.0, measured(queue_veh=30), 121, False, Outcome.RIGHT),
        (AdviceKind.CLOSING, 20.0, measured(queue_veh=3), 121, False, Outcome.WRONG),
        (AdviceKind.CLOSING, 20.0, measured(queue_veh=30), 150, False, Outcome.UNKNOWN),  # nobody measured then
        (AdviceKind.RELEASE, 3.0, measured(tail_km=2.0), 60, False, None),
        (AdviceKind.RELEASE, 3.0, measured(tail_km=3.5), 60, True, Outcome.WRONG),
        (AdviceKind.RELEASE, 3.0, measured(), 121, False, Outcome.RIGHT),
    ],
)
def test_what_became_of_an_advice(
    kind: AdviceKind, threshold: float, came: Measured, after_min: int, is_followed: bool, expected: Outcome | None
) -> None:
    place_id = "xuan-cuong" if kind is AdviceKind.YARD else "huu-nghi"
    given = GivenAdvice(1, kind, place_id, threshold, NOW, BY)
    assert outcome_of(given, came, NOW + timedelta(minutes=after_min), is_followed=is_followed) == expected


def judge(stage: Stage, tail_km: float) -> int:
    with stage.runtime.sessions() as session:
        judged = advice_outcomes.judge(session, measured(tail_km=tail_km), stage.runtime.clock.now())
        session.commit()
    return judged


def test_advice_carries_how_often_its_kind_came_as_told(stage: Stage) -> None:
    refresh(stage, 9.0)
    (first,) = standing(stage)
    assert first["hit_rate"] is None, "nothing has been judged"
    assert judge(stage, 2.0) == 0
    refresh(stage, 9.0, after_min=1)
    threshold_km = 6.0 if first["severity"] == "warning" else 3.0
    assert judge(stage, threshold_km + 0.1) == 1
    assert judge(stage, threshold_km + 0.1) == 0, "an advice is judged once"
    (again,) = standing(stage)
    assert (again["hit_rate"]["right"], again["hit_rate"]["judged"]) == (1, 1)
    assert "1/1" in again["hit_rate"]["text"] or "1 of 1" in again["hit_rate"]["text"]


def test_what_stands_already_is_no_forecast(stage: Stage) -> None:
    """The queue is beyond the kilometre in the first sample: seen, not foreseen."""
    refresh(stage, 1.0)
    with stage.runtime.sessions() as session:
        assert advice_outcomes.hit_rates(session, stage.runtime.clock.now()) == {}
    assert judge(stage, 20.0) == 0


def test_old_advice_is_forgotten(stage: Stage) -> None:
    refresh(stage, 9.0)
    runtime: Runtime = stage.runtime
    with runtime.sessions() as session:
        advice_outcomes.prune(session, runtime.clock.now() + timedelta(days=500))
        session.commit()
    assert judge(stage, 20.0) == 0
