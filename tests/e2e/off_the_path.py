"""What tests off the straight path begin with: people at another gate, an order that diverts, an open station."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Platform, act

THERE = "tan-thanh"


def hire(platform: Platform, role: str, gate_id: str) -> dict[str, str]:
    """An account of a role at a gate."""
    account = {"username": f"{role}.{uuid.uuid4().hex[:8]}".replace("_", "."), "password": uuid.uuid4().hex}
    with platform.client("administrator") as administrator:
        body = {**account, "full_name": f"Cán bộ {uuid.uuid4().hex[:4]}", "role": role, "gate_id": gate_id}
        answer = administrator.post("/api/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text
    return platform.taken_over(account)


def divert(platform: Platform, vehicle_id: int) -> int:
    """The traffic police send one truck to the other gate; the order."""
    body = {
        "kind": "divert",
        "selection": {"vehicle_ids": [vehicle_id]},
        "parameters": {"gate_id": THERE, "reason": "shorter_wait"},
        "valid_to": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    with platform.client("traffic_police") as police:
        answer = police.post("/api/v1/orders", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["order_id"])


def confirm_there(platform: Platform, role: str, trip_id: int, step: str) -> dict[str, Any]:
    """Confirm a step at the other gate over the API."""
    with platform.client(account=hire(platform, role, THERE)) as officer:
        where = f"/api/v1/trips/{trip_id}/steps/{step}/confirm"
        answer = act(officer, f"/api/v1/trips/{trip_id}/sheet", "POST", where, {})
    assert answer.status_code == 200, f"{step}: {answer.text}"
    return dict(answer.json())


def open_station(platform: Platform, page: Page, step: str, trip_id: int) -> Page:
    """A station with the sheet of a trip."""
    page.goto(f"{platform.url}/station?at={step}&trip={trip_id}")
    expect(page.locator(".st-sheet")).to_be_visible()
    return page
