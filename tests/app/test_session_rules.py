"""Sessions: they end, they lock, they ask for a fresh proof, and their owner sees and ends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.accounts.tables import SessionRow
from app.platform.permissions import NEEDING_PROOF, PERMISSIONS, Role
from app.platform.runtime import Runtime
from app.platform.tables import PolicyRow
from app.signin.rules import SIGN_IN_RULES, RoleRules, SignInRules
from tests.app.signing import OTHER_PASSWORD, PASSWORD, make_account

HTML = {"accept": "text/html", "sec-fetch-mode": "navigate"}
BACKGROUND = {"accept": "text/html", "sec-fetch-mode": "cors"}
RULES = RoleRules(idle_min=60, absolute_h=3, lock_after_min=10, proof_min=15)


@pytest.fixture
def rules(runtime: Runtime) -> None:
    """The same rules for every role: 60 minutes unused, 3 hours at most, a lock after 10, a proof for 15."""
    value = SignInRules(roles=dict.fromkeys(Role, RULES)).model_dump(mode="json")
    with runtime.sessions.begin() as session:
        session.add(PolicyRow(key=SIGN_IN_RULES.key, value=value, version=1, updated_at=runtime.clock.now()))


@pytest.fixture
def enter(runtime: Runtime, client: TestClient, rules: None) -> Iterator[Callable[..., TestClient]]:
    """A function that signs somebody in with a browser of their own, which sends the session's CSRF token along."""
    opened: list[TestClient] = []

    def enter(role: str, username: str, **values: Any) -> TestClient:
        make_account(runtime, role, username, locale="en", **values)
        return enter_again(username)

    def enter_again(username: str) -> TestClient:
        browser = TestClient(client.app, headers={"accept": "application/json"})
        browser.portal = client.portal
        opened.append(browser)
        answer = browser.post("/signin", data={"username": username, "password": PASSWORD}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        page = browser.get("/account", headers=HTML).text
        browser.headers["X-CSRF-Token"] = re.search(r'name="csrf-token" content="([^"]+)"', page)[1]
        return browser

    enter.again = enter_again  # type: ignore[attr-defined]
    yield enter
    for browser in opened:
        browser.close()


def prove(browser: TestClient, password: str = PASSWORD) -> int:
    return browser.post("/api/v1/session/proof", json={"password": password}).status_code


def code_of(answer: Any) -> tuple[int, str | None]:
    body = answer.json()
    return answer.status_code, body.get("code")


def test_a_session_ends_unused_and_at_the_latest(enter: Any, runtime: Runtime) -> None:
    browser = enter("planner", "mai")
    for _ in range(8):
        runtime.clock.advance(20 * 60)
        assert browser.get("/api/v1/session").status_code == 200
    runtime.clock.advance(21 * 60)
    assert browser.get("/api/v1/session").status_code == 401, "3 hours, however much it is used"
    browser = enter.again("mai")
    runtime.clock.advance(61 * 60)
    assert browser.get("/api/v1/session").status_code == 401


def test_a_desk_that_nobody_touches_locks_and_keeps_what_was_written(enter: Any, runtime: Runtime) -> None:
    browser = enter("customs", "mai", gate_id="huu-nghi")
    for _ in range(3):
        runtime.clock.advance(9 * 60)
        assert browser.get("/account", headers=HTML).status_code == 200, "somebody opens pages"
    for _ in range(2):
        runtime.clock.advance(4 * 60)
        assert browser.get("/api/v1/me", headers=BACKGROUND).status_code == 200
    runtime.clock.advance(3 * 60)  # 11 minutes: the page asked by itself, nobody was there
    assert code_of(browser.get("/api/v1/me")) == (403, "session_locked")
    assert code_of(browser.post("/language", data={"language": "vi"}))[0] in {200, 303, 403}
    page = browser.get("/account", headers=HTML)
    assert page.status_code == 403
    assert 'data-prove="session_locked"' in page.text
    kept = browser.post("/account/password", headers=HTML, data={"note": 'a"<b'})
    assert 'data-prove="session_locked"' in kept.text
    assert 'name="note">\na&#34;&lt;b</textarea>' in kept.text
    secret = browser.post("/account/password", headers=HTML, data={"old_password": 'a"<b', "new_password": "c"})
    assert 'data-prove="session_locked"' in secret.text
    assert "textarea" not in secret.text, "a password is written again"
    assert browser.post("/api/v1/session/activity").status_code == 204
    assert code_of(browser.get("/api/v1/me")) == (403, "session_locked"), "being there opens no lock"
    assert browser.get("/api/v1/session").json()["is_locked"] is True
    assert prove(browser, "a wrong one") == 422
    assert prove(browser) == 204
    assert browser.get("/api/v1/me").status_code == 200


def test_somebody_who_is_there_puts_the_lock_off(enter: Any, runtime: Runtime) -> None:
    browser = enter("customs", "mai", gate_id="huu-nghi")
    for _ in range(4):
        runtime.clock.advance(8 * 60)
        assert browser.post("/api/v1/session/activity").status_code == 204
    assert browser.get("/api/v1/me").status_code == 200
    assert browser.post("/api/v1/session/lock").status_code == 204
    assert code_of(browser.get("/api/v1/me")) == (403, "session_locked")
    assert browser.post("/signout", follow_redirects=False).status_code == 303, "who is locked may leave"


def test_acts_that_need_a_fresh_proof_ask_for_one(enter: Any, runtime: Runtime) -> None:
    browser = enter("administrator", "mai")
    body = {"name": "Công ty Một", "kind": "enterprise"}
    assert browser.post("/api/v1/organisations", json=body).status_code == 201
    runtime.clock.advance(8 * 60)
    browser.post("/api/v1/session/activity")
    runtime.clock.advance(8 * 60)
    body["name"] = "Công ty Hai"
    refused = browser.post("/api/v1/organisations", json=body)
    assert code_of(refused) == (403, "proof_needed")
    assert refused.headers["content-type"] == "application/problem+json"
    assert browser.get("/api/v1/organisations").status_code == 200, "reading asks for none"
    form = browser.post("/admin/organisations", data=body, headers=HTML)
    assert (form.status_code, 'action="/admin/organisations"' in form.text) == (403, True)
    assert ">\nCông ty Hai</textarea>" in form.text
    assert prove(browser) == 204
    assert browser.post("/api/v1/organisations", json=body).status_code == 201


def test_exports_ask_for_a_fresh_proof(enter: Any, runtime: Runtime) -> None:
    browser = enter("auditor", "mai")
    assert browser.get("/audit/export.csv").status_code == 200
    for _ in range(2):
        runtime.clock.advance(8 * 60)
        browser.post("/api/v1/session/activity")
    assert browser.get("/audit").status_code == 200
    assert code_of(browser.get("/audit/export.csv")) == (403, "proof_needed")
    assert 'data-prove="proof_needed"' in browser.get("/audit/export.csv", headers=HTML).text


@pytest.mark.parametrize(
    ("role", "method", "address"),
    [
        ("auditor", "GET", "/audit/export.csv"),
        ("auditor", "GET", "/api/v1/me/data"),
        ("administrator", "GET", "/api/v1/privacy/accounts/1/data"),
        ("traffic_police", "GET", "/api/v1/vehicles/1/track?from=2026-03-01T00:00Z&to=2026-03-02T00:00Z&format=gpx"),
        ("administrator", "POST", "/api/v1/privacy/requests"),
        ("administrator", "PATCH", "/api/v1/equipment/1"),
        ("administrator", "POST", "/api/v1/equipment"),
    ],
)
def test_what_takes_data_out_or_moves_a_barrier_asks_for_a_fresh_proof(
    enter: Any, runtime: Runtime, role: str, method: str, address: str
) -> None:
    browser, body = enter(role, "mai"), None if method == "GET" else {}
    assert "proof_needed" not in browser.request(method, address, json=body).text
    for _ in range(2):
        runtime.clock.advance(8 * 60)
        browser.post("/api/v1/session/activity")
    assert code_of(browser.request(method, address, json=body)) == (403, "proof_needed")


def test_a_program_proves_with_its_token(enter: Any, runtime: Runtime, client: TestClient) -> None:
    enter("administrator", "mai")
    token = client.post("/api/v1/tokens", data={"username": "mai", "password": PASSWORD}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    runtime.clock.advance(16 * 60)
    body = {"name": "Công ty Một", "kind": "enterprise"}
    assert code_of(client.post("/api/v1/organisations", json=body, headers=headers)) == (403, "proof_needed")
    assert client.post("/api/v1/session/proof", json={"password": PASSWORD}, headers=headers).status_code == 204
    assert client.post("/api/v1/organisations", json=body, headers=headers).status_code == 201


def test_a_barrier_officer_is_asked_once_a_shift() -> None:
    rules = SignInRules().of(Role.BORDER_GUARD)
    assert (rules.proof_min, rules.absolute_h) == (480, 12)
    assert SignInRules().of(Role.GATE_MANAGEMENT).proof_min == 15
    assert set(NEEDING_PROOF) <= set(PERMISSIONS)
    for act in ("fees.collect", "barriers.open", "accounts.write", "corrections.write", "factors.own"):
        assert set(PERMISSIONS[act]) <= set(NEEDING_PROOF[act])


def test_one_sees_where_one_is_signed_in_and_ends_it(enter: Any, runtime: Runtime) -> None:
    here = enter("planner", "mai")
    there = enter.again("mai")
    page = here.get("/account", headers=HTML).text
    (short_id,) = re.findall(r"/account/sessions/([0-9a-f]{16})/end", page)
    stranger = enter("planner", "lan")
    assert stranger.post(f"/account/sessions/{short_id}/end").status_code == 404
    assert here.post(f"/account/sessions/{short_id}/end", follow_redirects=False).status_code == 303
    assert there.get("/api/v1/me").status_code == 401
    assert here.get("/api/v1/me").status_code == 200
    there = enter.again("mai")
    change = {"old_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert here.post("/account/password", data=change, follow_redirects=False).status_code == 303
    assert there.get("/api/v1/me").status_code == 401


def test_who_signs_in_again_leaves_no_session_behind(enter: Any, runtime: Runtime) -> None:
    browser = enter("planner", "mai")
    browser.post("/signin", data={"username": "mai", "password": PASSWORD})
    with runtime.sessions() as session:
        assert session.query(SessionRow).count() == 1


def test_nobody_changes_their_own_rights(enter: Any, runtime: Runtime) -> None:
    browser = enter("administrator", "mai")
    own = browser.get("/api/v1/me").json()["account_id"]
    headers = {"If-Match": browser.get(f"/api/v1/accounts/{own}").headers["etag"]}
    for change in ({"role": "gate_management"}, {"gate_id": "huu-nghi"}, {"password": OTHER_PASSWORD}, {"person": "x"}):
        assert browser.patch(f"/api/v1/accounts/{own}", json=change, headers=headers).status_code == 403, change
    renamed = browser.patch(f"/api/v1/accounts/{own}", json={"full_name": "Mai"}, headers=headers)
    assert renamed.json()["full_name"] == "Mai"


def test_a_new_session_remembers_how_it_was_opened(enter: Any, runtime: Runtime) -> None:
    enter("planner", "mai")
    with runtime.sessions() as session:
        row = session.query(SessionRow).one()
    assert (row.method, row.idle_s, row.lock_after_s, row.proof_lasts_s) == ("password", 3600, 600, 900)
    assert (row.ends_at - row.created_at).total_seconds() == 3 * 3600
