"""How bad a queue is, from its length, its wait and its growth together; and what of an advice has changed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dispatch.advice_changes import ToldRecord, find_change
from app.dispatch.policy import AdvicePolicy
from app.dispatch.severity import (
    growths,
    level_of,
    queue_levels,
    queue_severity,
    severities,
    severity_of,
    steady_severity,
)
from app.dispatch.vocabulary import Severity

POLICY = AdvicePolicy()
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
KM = st.floats(0, 150)
WAIT_S = st.floats(0, 48 * 3600) | st.just(math.inf)
GROWTH = st.floats(-500, 500)
MORE = st.floats(0, 50)


def weight(severity: Severity | None) -> int:
    return 0 if severity is None else 1 + list(Severity).index(severity)


@given(KM, WAIT_S, GROWTH, MORE, MORE, MORE)
def test_no_queue_is_less_bad_for_being_longer_slower_or_growing(
    km: float, wait_s: float, growth: float, more_km: float, more_min: float, more_growth: float
) -> None:
    least = weight(queue_severity(km, wait_s, growth, POLICY))
    for worse in (
        (km + more_km, wait_s, growth),
        (km, wait_s + 60 * more_min, growth),
        (km, wait_s, growth + more_growth),
        (km + more_km, wait_s + 60 * more_min, growth + more_growth),
    ):
        assert weight(queue_severity(*worse, POLICY)) >= least


@given(KM, WAIT_S, GROWTH)
def test_each_of_the_three_counts_but_none_alone_decides(km: float, wait_s: float, growth: float) -> None:
    level = float(queue_levels(km, wait_s, growth, POLICY))
    length = float(level_of(km, (POLICY.queue_notice_km, POLICY.queue_warning_km, POLICY.queue_alarm_km)))
    wait = float(level_of(wait_s, (POLICY.wait_notice_s, POLICY.wait_warning_s, POLICY.wait_alarm_s)))
    assert min(length, wait) - 0.5 <= level <= max(length, wait) + 0.5
    assert level >= max(length, wait) - 1.5, "a queue that is very long or very slow is never nothing"


@pytest.mark.parametrize(
    ("km", "wait_h", "growth", "severity"),
    [
        (0.0, 0.0, 0.0, None),
        (0.0, 0.0, 500.0, None),
        (3.0, 1.0, 0.0, Severity.NOTICE),
        (6.0, 2.0, 0.0, Severity.WARNING),
        (10.0, 4.0, 0.0, Severity.ALARM),
        (6.0, 0.2, 0.0, Severity.NOTICE),
        (6.0, 4.0, 0.0, Severity.WARNING),
        (6.0, 4.0, 60.0, Severity.ALARM),
        (3.0, 1.0, -60.0, None),
        (10.0, 0.0, 0.0, Severity.WARNING),
        (0.5, math.inf, 0.0, Severity.ALARM),
    ],
)
def test_what_queues_are_called(km: float, wait_h: float, growth: float, severity: Severity | None) -> None:
    assert queue_severity(km, wait_h * 3600, growth, POLICY) == severity


def test_a_forecast_is_judged_sample_by_sample_as_single_queues_are() -> None:
    queue_veh, wait_s, tail_km = np.linspace(10, 300, 73), np.linspace(0, 5 * 3600, 73), np.linspace(1, 14, 73)
    grow = growths(queue_veh, 300.0)
    assert grow == pytest.approx(290 / 6.0)
    found = severities(tail_km, wait_s, queue_veh, 300.0, POLICY)
    each = zip(tail_km, wait_s, grow, strict=True)
    assert found == [queue_severity(float(k), float(w), float(g), POLICY) for k, w, g in each]
    assert [weight(severity) for severity in found] == sorted(weight(severity) for severity in found)


@given(st.floats(0, 5))
def test_levels_are_named_by_whole_steps(level: float) -> None:
    assert weight(severity_of(level)) == min(int(level), 3)


@given(st.floats(0, 5), st.sampled_from(list(Severity)))
def test_a_severity_that_stands_falls_only_when_it_is_clearly_less(level: float, before: Severity) -> None:
    found, plain = weight(steady_severity(level, before)), weight(severity_of(level))
    assert found in {plain, weight(before)}
    assert found >= plain
    if level < weight(before) - 0.3:
        assert found == plain


def test_a_queue_at_the_edge_is_not_renamed_each_minute() -> None:
    assert steady_severity(1.9, Severity.WARNING) is Severity.WARNING
    assert steady_severity(1.6, Severity.WARNING) is Severity.NOTICE
    assert steady_severity(2.1, Severity.NOTICE) is Severity.WARNING
    assert steady_severity(0.8, Severity.NOTICE) is Severity.NOTICE


# What has changed


def told(severity: str = "warning", in_min: float = 60, probability: float = 0.7) -> ToldRecord:
    return {
        "severity": severity,
        "by": (NOW + timedelta(minutes=in_min)).isoformat(),
        "probability": probability,
    }


def test_what_hardly_moves_is_the_same_story() -> None:
    assert find_change(None, told(), NOW) is None
    assert find_change(told(), told(in_min=70, probability=0.8), NOW) is None
    assert find_change(told(in_min=-40), told(in_min=0), NOW) is None, "what is there has no hour any more"


def test_what_has_changed_is_told_before_and_after() -> None:
    change = find_change(told(), told("alarm", in_min=20, probability=0.9), NOW)
    assert change == {
        "severity": ["warning", "alarm"],
        "by": [told()["by"], told(in_min=20)["by"]],
        "probability": [0.7, 0.9],
    }
    assert find_change(told(), told(probability=0.5), NOW) == {"probability": [0.7, 0.5]}


def test_another_kilometre_is_another_thing_than_another_hour() -> None:
    before: ToldRecord = {**told(), "km": 6.0}
    after: ToldRecord = {**told("notice", in_min=5, probability=1.0), "km": 3.0}
    assert find_change(before, after, NOW) == {"severity": ["warning", "notice"], "km": [6.0, 3.0]}
