"""Who guesses is slowed down, and not whose account it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from sqlalchemy.orm import Session

from app.accounts.tables import Account
from app.platform.runtime import Runtime
from app.platform.tables import AuditRow
from app.signin import known_devices, throttle
from app.signin.service import begin
from app.signin.throttle import Knock, count, forgive, network_of
from geo.errors import TooManyRequestsError, UnauthenticatedError
from tests.app.signing import OTHER_PASSWORD, PASSWORD, make_account, open_door


@pytest.fixture
def door_of(runtime: Runtime) -> Iterator[Any]:
    """Doors of an account `mai`, from any address and any browser."""
    make_account(runtime, "planner", "mai")
    with runtime.sessions() as session:

        def open_it(address: str = "192.0.2.1", device: str = "") -> Any:
            now = runtime.clock.now()
            return open_door(session, runtime.redis, runtime.settings, now, address=address, device=device)

        yield open_it


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_customer_of_a_network_is_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_addresses_of_one_ipv6_customer_share_a_count(redis: Redis) -> None:
    for host in range(throttle.PAIR.amount):
        count(redis, Knock("mai", f"2001:db8::{host:x}:1").passwords())
    with pytest.raises(TooManyRequestsError):
        count(redis, Knock("mai", "2001:db8::ffff").passwords())
    count(redis, Knock("mai", "2001:db8:0:1::1").passwords())


def test_of_many_at_once_no_more_are_judged_than_the_limit(redis: Redis) -> None:
    def attempt(_: int) -> bool:
        try:
            count(redis, Knock("mai", "192.0.2.1").passwords())
        except TooManyRequestsError:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        judged = sum(pool.map(attempt, range(60)))
    assert judged == throttle.PAIR.amount


def tried(redis: Redis, networks: range, times: int) -> int:
    """How many attempts on an account were judged, of so many from each network."""
    judged = 0
    for network in networks:
        for _ in range(times):
            with suppress(TooManyRequestsError):
                count(redis, Knock("mai", f"198.51.100.{network}").passwords())
                judged += 1
    return judged


def test_one_network_fills_the_count_of_no_account(redis: Redis) -> None:
    assert tried(redis, range(1), 2 * throttle.ACCOUNT.amount) == throttle.PAIR.amount
    count(redis, Knock("mai", "203.0.113.1").passwords())


def test_an_account_is_tried_a_hundred_times_an_hour_at_most(redis: Redis) -> None:
    judged = 0
    for quarter in range(4):
        judged += tried(redis, range(20 * quarter, 20 * quarter + 20), throttle.PAIR.amount)
        throttle.limiter(redis).clear(throttle.ACCOUNT, throttle.hash_name("mai"))  # a quarter of an hour later
    assert judged == throttle.ACCOUNT_HOUR.amount


def test_questions_of_a_stranger_do_not_fill_redis(client: TestClient) -> None:
    assert client.post("/signin/passkey/options").status_code == 200
    for _ in range(throttle.QUESTIONS.amount - 1):
        throttle.count_question(client.app.state.runtime.redis, "testclient")
    assert client.post("/signin/passkey/options").status_code == 429


def test_what_succeeds_counts_nothing(redis: Redis) -> None:
    for _ in range(throttle.ADDRESS.amount + 5):
        counters = Knock("mai", "192.0.2.1").passwords()
        count(redis, counters)
        forgive(redis, counters)


def test_a_stranger_locks_nobody_out_of_a_known_browser(door_of: Any) -> None:
    account = door_of().session.query(Account).one()
    known = known_devices.remember(door_of().settings, "", account)
    for network in range(throttle.ACCOUNT.amount // throttle.PAIR.amount + 1):
        for _ in range(throttle.PAIR.amount):
            with pytest.raises((UnauthenticatedError, TooManyRequestsError)):
                begin(door_of(f"198.51.100.{network}"), "mai", "a wrong one", "/")
    with pytest.raises(TooManyRequestsError):
        begin(door_of("203.0.113.1"), "mai", PASSWORD, "/")
    assert begin(door_of("203.0.113.1", known), "mai", PASSWORD, "/").account_id == account.account_id
    assert begin(door_of("198.51.100.1", known), "mai", PASSWORD, "/").account_id == account.account_id
    for _ in range(throttle.DEVICE.amount):
        with pytest.raises(UnauthenticatedError):
            begin(door_of("203.0.113.1", known), "mai", "a wrong one", "/")
    with pytest.raises(TooManyRequestsError):
        begin(door_of("203.0.113.1", known), "mai", PASSWORD, "/")


def test_a_browser_is_known_to_accounts_until_their_password_changes(runtime: Runtime, session: Session) -> None:
    settings, now = runtime.settings, runtime.clock.now()
    mai, lan = (Account(account_id=number, password_set_at=now) for number in (1, 2))
    cookie = known_devices.remember(settings, known_devices.remember(settings, "", mai), lan)
    assert known_devices.find_device(settings, cookie, mai) != known_devices.find_device(settings, cookie, lan)
    assert known_devices.find_device(settings, cookie, lan) is not None
    assert known_devices.find_device(settings, cookie, None) is None
    assert known_devices.find_device(settings, cookie + "x", mai) is None
    mai.password_set_at = now + timedelta(seconds=1)
    assert known_devices.find_device(settings, cookie, mai) is None
    for number in range(3, 40):
        cookie = known_devices.remember(settings, cookie, Account(account_id=number, password_set_at=now))
    assert known_devices.find_device(settings, cookie, lan) is None
    assert len(cookie) < 4000


def test_failures_are_written_down_and_shown_to_the_owner(runtime: Runtime, client: TestClient) -> None:
    account_id = make_account(runtime, "planner", "mai", locale="en")
    for username in ("mai", "mai", "hunter2 typed into the wrong field"):
        client.post("/signin", data={"username": username, "password": "a wrong one"})
    assert client.post("/api/v1/tokens", data={"username": "mai", "password": "a wrong one"}).status_code == 401
    with runtime.sessions() as session:
        rows = session.query(AuditRow).filter(AuditRow.action == "sessions.fail").order_by(AuditRow.audit_id).all()
    assert [(row.object_type, row.after["why"]) for row in rows] == [
        ("account", "password"),
        ("account", "password"),
        ("user_name", "unknown_user"),
        ("account", "password"),
    ]
    assert rows[0].object_id == str(account_id)
    assert not any("hunter2" in str(vars(row)) or "wrong one" in str(vars(row)) for row in rows)
    client.post("/signin", data={"username": "mai", "password": PASSWORD})
    page = client.get("/account").text
    assert "3 failed attempts to sign in to your account" in page
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    client.post("/api/v1/session/failures-seen", headers={"X-CSRF-Token": token})
    assert "failed attempts" not in client.get("/account").text
    client.post("/signout", data={"csrf_token": token})
    client.post("/signin", data={"username": "mai", "password": PASSWORD})
    assert "failed attempts" not in client.get("/account").text


def test_the_first_password_of_somebody_else_opens_nothing(runtime: Runtime, client: TestClient, sign_in: Any) -> None:
    administrator = sign_in("administrator")
    body = {"username": "moi", "password": PASSWORD, "full_name": "Nguyễn Văn Mới", "role": "customs"}
    made = administrator.post("/api/v1/accounts", json=body)
    assert made.json()["awaits_owner"] is True
    form = {"username": "moi", "password": PASSWORD, "next": "/account"}
    refused = client.post("/api/v1/tokens", data=form)
    assert (refused.status_code, refused.json()["code"]) == (401, "new_password_needed")
    begun = client.post("/signin", data=form, follow_redirects=False)
    assert begun.headers["location"] == "/signin/new-password"
    assert "session" not in client.cookies
    assert client.get("/api/v1/me").status_code == 401
    assert client.post("/signin/finish", follow_redirects=False).headers["location"] == "/signin/new-password"
    for wrong in (PASSWORD, "short", "password1234", "moi moi moi moi"):
        assert client.post("/signin/new-password", data={"password": wrong, "repeated": wrong}).status_code == 422
    unequal = {"password": OTHER_PASSWORD, "repeated": PASSWORD}
    assert client.post("/signin/new-password", data=unequal).status_code == 422
    chosen = {"password": OTHER_PASSWORD, "repeated": OTHER_PASSWORD}
    done = client.post("/signin/new-password", data=chosen, follow_redirects=False)
    assert done.headers["location"] == "/account"
    assert client.get("/api/v1/me").json()["username"] == "moi"
    assert client.post("/api/v1/tokens", data=form).status_code == 401
    assert client.post("/api/v1/tokens", data=form | {"password": OTHER_PASSWORD}).status_code == 200
    address = f"/api/v1/accounts/{made.json()['account_id']}"
    shown = administrator.get(address)
    reset = administrator.patch(address, json={"password": PASSWORD}, headers={"If-Match": shown.headers["etag"]})
    assert reset.json()["awaits_owner"] is True
    assert client.get("/api/v1/me").status_code == 401
