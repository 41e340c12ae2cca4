"""The bulk format."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import batch
from tests.ingest.test_osmand import VALUES
from tests.profiles import examples

GOOD: dict[str, Any] = {"device": "a", "time": "2026-03-02T10:00:00+07:00", "lat": 21.9, "lon": 106.7}


def lines(*documents: Any) -> bytes:
    return b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in documents)


def test_columns() -> None:
    found = batch.decode(lines(GOOD, b"", {**GOOD, "speed_mps": 5, "heading_deg": 360, "accuracy_m": -1}) + b"\n")
    assert found.device == ["a", "a"]
    assert found.line.tolist() == [1, 3]
    assert found.time_us.tolist() == [1772420400000000] * 2
    assert np.isnan(found.speed_mps[0])
    assert found.speed_mps[1] == 5
    assert found.heading_deg[1] == 0
    assert np.isnan(found.accuracy_m[1])
    assert found.errors == []


def test_a_bad_line_is_named_and_the_others_kept() -> None:
    found = batch.decode(lines(GOOD, b"{not json", {**GOOD, "lat": "x"}, GOOD, {**GOOD, "time": "2026-03-02T10:00:00"}))
    assert found.line.tolist() == [1, 4]
    assert [error.line for error in found.errors] == [2, 3, 5]
    assert "{not json" in found.errors[0].detail
    assert "lat=x" in found.errors[1].detail
    assert "2026-03-02T10:00:00" in found.errors[2].detail


def test_slow_and_quick_way_agree() -> None:
    documents = [
        {**GOOD, "speed_mps": value, "heading_deg": value, "accuracy_m": value, "time": moment}
        for value in (None, -1, 0, 359.5, 361, 12)
        for moment in (1772420400, 1772420400123, "2026-03-02T03:00:00.5Z", None, "1772420400")
    ]
    quick = batch.decode(lines(*documents))
    slow = batch.decode(lines(*documents, b"bad"))
    assert len(slow.errors) == 1
    for name in ("time_us", "lat", "lon", "speed_mps", "heading_deg", "accuracy_m", "line", "mock"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name), err_msg=name)


@pytest.mark.parametrize(
    "change",
    [
        {"device": ""},
        {"device": None},
        {"lat": None},
        {"lat": True},
        {"lat": [1]},
        {"time": "soon"},
        {"time": 1e300},
        {"speed_mps": "fast"},
        {"speed_mps": True},
        {"device": "x" * 200},
        {"time": {}},
    ],
)
def test_refused_lines(change: dict[str, Any]) -> None:
    found = batch.decode(lines(GOOD, {**GOOD, **change}))
    assert [error.line for error in found.errors] == [2]
    assert found.line.tolist() == [1]


def test_empty() -> None:
    assert batch.decode(b"").device == []
    assert batch.decode(b"\n \n").errors == []


@examples(200)
@given(
    st.lists(
        st.binary(max_size=60)
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("device", "time", "lat", "lon", "speed_mps", "mock"), VALUES)
        )
        | st.just(GOOD),
        max_size=5,
    )
)
def test_any_body_is_decoded(documents: list[Any]) -> None:
    found = batch.decode(lines(*documents))
    assert len(found.device) == len(found.lat) == len(found.time_us) == len(found.line)
