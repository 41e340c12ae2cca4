"""The soak's judgement: what levels off is no leak, what grows is, and a burst is not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.soak import Samples, figures

HOURS = 4


def samples_of(values: np.ndarray, hours: float = HOURS) -> Samples:
    samples = Samples()
    for at_s, value in zip(np.linspace(0, hours * 3600, values.size), values, strict=True):
        samples.add(float(at_s), {"web_rss_mb": float(value), "web_files": 40.0, "table app.trip": value / 100})
    return samples


def test_a_warm_up_a_burst_and_noise_are_no_leak() -> None:
    hours = np.linspace(0, HOURS, 240)
    values = 300 + 150 * (1 - np.exp(-hours * 6)) + np.random.default_rng(1).normal(0, 5, hours.size)
    values[150:160] += 400
    found = figures(samples_of(values))
    assert found["leaks"] == []
    assert found["web_rss_mb"] == pytest.approx(450, abs=5)
    assert abs(found["web_rss_mb_per_h"]) < 5


def test_what_grows_is_named_with_its_slope() -> None:
    values = 300 + 30 * np.linspace(0, HOURS, 240) + np.random.default_rng(1).normal(0, 5, 240)
    found = figures(samples_of(values))
    assert found["leaks"] == ["web_rss_mb"]
    assert found["web_rss_mb_per_h"] == pytest.approx(30, rel=0.1)
    assert found["tables_mb_per_h"]["app.trip"] == pytest.approx(0.3, rel=0.1)


def test_some_minutes_find_gross_leaks_and_no_caches_that_fill() -> None:
    minutes = np.linspace(0, 6, 75)
    noise = np.random.default_rng(1).normal(0, 1, minutes.size)
    assert figures(samples_of(409 + 20 * minutes + noise, hours=0.1))["leaks"] == []
    assert figures(samples_of(409 + 50 * minutes + noise, hours=0.1))["leaks"] == ["web_rss_mb"]


def test_a_table_that_is_new_was_empty_before() -> None:
    samples = Samples()
    samples.add(0.0, {"table a": 1.0})
    samples.add(60.0, {"table a": 1.0, "table b": 2.0})
    assert samples.values["table b"] == [0.0, 2.0]
