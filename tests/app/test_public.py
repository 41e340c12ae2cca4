"""The public page of a trip: what it tells, what it keeps, how often it may be asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.public import service as public
from app.trips.codes import find_code
from tests.app.dispatching import add_organisation, trip_body

SignIn = Callable[..., TestClient]


@pytest.fixture
def code(runtime: Runtime, sign_in: SignIn) -> str:
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "Nông sản Lạng Sơn"))
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    return str(enterprise.post("/api/v1/trips", json=body).json()["code"])


def test_the_page_tells_stage_and_gate_and_nothing_else(client: TestClient, code: str) -> None:
    page = client.get(f"/t/{code}")
    assert page.status_code == 200
    assert "Hữu Nghị" in page.text
    assert re.search(r"•••</span>45<", page.text)
    for secret in ("29C", "12345", "123.45", "Thanh long", "Nông sản", "fresh_fruit"):
        assert secret not in page.text, secret
    assert page.headers["x-robots-tag"] == "noindex"


def test_small_letters_and_missing_dashes_are_forgiven(client: TestClient, code: str) -> None:
    assert client.get(f"/t/{code.lower().replace('-', '')}").status_code == 200
    led = client.get("/t", params={"code": f" {code.lower()} "}, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (303, f"/t/{code}")


@pytest.mark.parametrize("written", ["", "nothing", "1234-5678-9012", "ABCD-EFGH-JKM", "x" * 30])
def test_what_is_no_code_is_not_found(written: str) -> None:
    assert find_code(written) is None


def test_a_scanner_reads_the_address_of_the_page() -> None:
    address = public.page_address("https://cuakhau.example/", "7KMD-2XRT-9PQW")
    assert address == "https://cuakhau.example/t/7KMD-2XRT-9PQW"
    assert find_code(address) == "7KMD-2XRT-9PQW"
    assert find_code(address + ".svg") == "7KMD-2XRT-9PQW"


def test_the_qr_code_is_an_image_of_the_address(client: TestClient, code: str) -> None:
    image = client.get(f"/t/{code}.svg")
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.content == public.draw_qr(f"http://testserver/t/{code}")
    assert client.get("/t/nothing.svg").status_code == 404


def test_a_trip_long_over_is_not_shown(client: TestClient, runtime: Runtime, code: str) -> None:
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'out', stage_since = :now"), {"now": runtime.clock.now()})
        session.commit()
    assert client.get(f"/t/{code}").status_code == 200
    runtime.clock.advance(public.SHOWN_AFTER.total_seconds() + 1)  # type: ignore[attr-defined]
    assert client.get(f"/t/{code}").status_code == 404


def test_a_code_that_is_wrong_stays_in_its_field(client: TestClient) -> None:
    for address, written in (("/t/ABCD-EFGH-JKMN", "ABCD-EFGH-JKMN"), ("/t?code=7KM", "7KM")):
        page = client.get(address, headers={"accept": "text/html"})
        assert page.status_code == 404
        assert f'name="code" value="{written}"' in page.text
        assert 'role="alert"' in page.text


def test_trying_codes_is_stopped(client: TestClient, code: str) -> None:
    unknown = ["ABCD-EFGH-JKMN"] * public.MISSES.amount
    assert {client.get(f"/t/{unknown_code}").status_code for unknown_code in unknown} == {404}
    stopped = client.get(f"/t/{code}")
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0


def test_too_many_views_are_stopped(client: TestClient, code: str) -> None:
    answers = [client.get(f"/t/{code}").status_code for _ in range(public.VIEWS.amount + 1)]
    assert answers[-1] == 429
    assert set(answers[:-1]) == {200}
