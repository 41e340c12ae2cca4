"""The clock of storage: hours in the gate area that count, standing still during outages as the tariff says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from app.fees.assessment import Fee, assess
from app.fees.storage import counted_h, with_storage
from app.fees.tariff import Load, StorageClock, Tariff
from app.fees.tariff_definition import read_tariff
from app.fees.tariffs import SHIPPED_DIR
from app.platform.runtime import Runtime
from app.trips.service import Trip
from geo.clock import FixedClock
from geo.errors import InvalidInputError
from tests.app.stationing import Gate
from tests.conftest import NOW

DEFINITION: dict[str, Any] = yaml.safe_load((SHIPPED_DIR / "lang-son-1.yaml").read_text())
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
CLOCK = StorageClock(0, frozenset({"power"}))


def tariff(**storage: Any) -> Tariff:
    label = dict.fromkeys(("vi", "en", "zh"), "Lưu bãi")
    rates = [
        {"rate": "short", "label": label, "amount_vnd": 100_000, "when": {"storage_h": {"below": 3}}},
        {"rate": "long", "label": label, "amount_vnd": 300_000, "when": {"storage_h": {"from": 3}}},
    ]
    return read_tariff({**DEFINITION, "rates": rates, "factors": [], "storage": storage})


@pytest.mark.parametrize(
    ("stay_min", "free_h", "frozen_min", "hours"),
    [
        (0, 0, [], 0),
        (60, 0, [], 1),
        (61, 0, [], 2),
        (61, 2, [], 0),
        (180, 2, [], 1),
        (180, 0, [(30, 90)], 2),
        (180, 0, [(30, 90), (60, 120)], 2),  # they overlap: 90 minutes stand
        (180, 0, [(-600, 600)], 0),
        (180, 0, [(-60, 60), (170, 600)], 2),
        (180, 0, [(200, 300)], 3),
    ],
)
def test_hours_that_count(stay_min: int, free_h: int, frozen_min: list[tuple[int, int]], hours: int) -> None:
    frozen = [(NOW + begin * MINUTE, NOW + end * MINUTE) for begin, end in frozen_min]
    assert counted_h(StorageClock(free_h, frozenset()), NOW, NOW + stay_min * MINUTE, frozen) == hours


@given(
    stay=st.integers(0, 3000),
    spans=st.lists(st.tuples(st.integers(-500, 3500), st.integers(0, 2000)), max_size=6),
)
def test_minutes_that_are_frozen_never_count_and_the_others_do(stay: int, spans: list[tuple[int, int]]) -> None:
    frozen = [(NOW + begin * MINUTE, NOW + (begin + length) * MINUTE) for begin, length in spans]
    running = sum(not any(begin <= at < begin + length for begin, length in spans) for at in range(stay))
    assert counted_h(CLOCK, NOW, NOW + stay * MINUTE, frozen) == -(-running // 60)


@pytest.mark.parametrize(
    ("storage", "field"),
    [
        ({"frozen_by": ["weather"]}, "storage.frozen_by"),
        ({"free_h": -1}, "storage.free_h"),
        ({"free_h": True}, "storage.free_h"),
        ({"frozen": ["power"]}, "storage"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_name(storage: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        tariff(**storage)
    assert refusal.value.field == field


def test_a_tariff_without_the_rule_counts_nothing() -> None:
    assert read_tariff(DEFINITION).storage is None


@pytest.mark.parametrize(("frozen_by", "amount_vnd"), [(["power"], 100_000), (["scanner"], 300_000), ([], 300_000)])
def test_an_outage_freezes_the_clock_as_the_tariff_in_force_says(
    runtime: Runtime,
    sign_in: Callable[..., TestClient],
    clock: FixedClock,
    frozen_by: list[str],
    amount_vnd: int,
) -> None:
    gate = Gate.open(runtime, sign_in)
    trip_id = gate.declare()
    clock.advance(6 * 3600)
    body = {"system": "power", "cause": "Mất điện", "starts_at": (NOW + HOUR).isoformat()}
    made = gate.person("customs").post("/api/v1/gates/huu-nghi/outages", json=body).json()
    over: dict[str, datetime | str] = {"reason": "Có điện", "at": (NOW + 5 * HOUR).isoformat()}
    address = f"/api/v1/outages/{made['notice_id']}/end"
    assert gate.person("customs").post(address, json=over, headers={"If-Match": '"1"'}).status_code == 200
    with runtime.sessions() as session:
        session.execute(update(Trip).where(Trip.trip_id == trip_id).values(arrived_at=NOW))
        known = tariff(free_h=0, frozen_by=frozen_by)
        load = with_storage(session, known, trip_id, Load({}, ({"goods_class": "fresh_fruit"},)), NOW + 6 * HOUR)
    answer = assess(known, load)
    assert isinstance(answer, Fee)
    assert answer.amount_vnd == amount_vnd
