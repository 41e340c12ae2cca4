"""Characters, numbers and years that nothing can keep are the caller's fault, not ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

SignIn = Callable[..., TestClient]
NUL = "%00"


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("administrator", f"/admin?q={NUL}"),
        ("auditor", f"/audit?q={NUL}"),
        ("planner", f"/api/v1/gates/{NUL}/settings"),
        ("traffic_police", f"/api/v1/positions?gate={NUL}"),
        ("traffic_police", "/api/v1/positions?since=0001-01-01T00:00:00%2B14:00"),
        ("traffic_police", "/api/v1/positions?since=9999-12-31T23:59:59-14:00"),
        ("traffic_police", "/api/v1/history/positions?at=0001-01-02T00:00:00Z"),
        ("auditor", "/api/v1/audit?since=0001-01-01T00:00:00%2B14:00"),
        ("support", f"/support?q=a{NUL}b"),
    ],
)
def test_an_address_with_it_is_refused(sign_in: SignIn, role: str, address: str) -> None:
    gate = {"gate_id": "huu-nghi"} if role == "support" else {}
    answer = sign_in(role, **gate).get(address)
    assert answer.status_code in {200, 400, 404, 422}, answer.text[:300]


@pytest.mark.parametrize("name", ["a\0b", "\0"])
def test_a_body_with_nul_is_refused(sign_in: SignIn, name: str) -> None:
    administrator = sign_in("administrator")
    made = administrator.post("/api/v1/organisations", json={"name": name, "kind": "enterprise"})
    assert made.status_code == 422, made.text
    device = administrator.post("/api/v1/devices", json={"plate": f"29C-1{name}", "kind": "tracker"})
    assert device.status_code == 422, device.text


def test_a_number_beyond_the_database_is_refused(sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    for number in (2**31, 2**63, 10**30):
        assert police.get(f"/api/v1/orders/{number}").status_code in {404, 422}
