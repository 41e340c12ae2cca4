"""Webhooks: signed, tried again, given up, and never sent where they must not go."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app.notifications import delivery, webhooks
from app.notifications.delivery import deliver_waiting, is_public
from app.platform.runtime import Runtime
from geo.errors import InvalidInputError
from tests.app.dispatching import Stage, add_organisation, set_stage
from tests.app.test_notifications import follow, happen

SignIn = Callable[..., TestClient]
ALL = ["trip.changed", "trip.step", "trip.fee", "order.changed"]


class Receiver:
    """An enterprise's system: keeps what it gets, answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.status = 200
        self.location = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listener = Receiver()
    thread = threading.Thread(target=listener.server.serve_forever, daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    runtime.settings.webhook_allow_private = True
    runtime.settings.session_hours = 24 * 10  # messages are tried for two days
    stage = set_stage(runtime, sign_in)
    runtime.clock.advance(1)  # type: ignore[attr-defined]
    return stage


def hook(stage: Stage, receiver: Receiver, events: list[str] = ALL) -> dict[str, Any]:
    made = stage.enterprise.post("/api/v1/webhooks", json={"url": receiver.url, "events": events})
    assert made.status_code == 201, made.text
    return dict(made.json())


def log(stage: Stage, webhook_id: int) -> list[dict[str, Any]]:
    return list(stage.enterprise.get(f"/api/v1/webhooks/{webhook_id}/deliveries").json()["items"])


def deliver(stage: Stage) -> int:
    return deliver_waiting(stage.runtime, stage.runtime.clock.now())


def test_what_happens_is_sent_signed(stage: Stage, receiver: Receiver) -> None:
    made = hook(stage, receiver, ["trip.step"])
    happen(stage, "sheet", trip_id=stage.trip_id, step="customs", status="done", version=4)
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    assert deliver(stage) == 1
    ((headers, body),) = receiver.got
    sent = json.loads(body)
    assert sent["type"] == "trip.step"
    assert sent["data"] | {"trip_id": stage.trip_id, "plate": "29C-123.45", "step": "customs"} == sent["data"]
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["host"].startswith("localhost:")
    (line,) = log(stage, made["webhook_id"])
    assert (line["status"], line["tries"], line["answer_status"], line["answer"]) == ("delivered", 1, 200, "thanks")
    assert deliver(stage) == 0
    assert len(receiver.got) == 1


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the reference libraries of Standard Webhooks."""
    from datetime import UTC, datetime

    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhooks.sign(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), '{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_failed_message_is_tried_again_and_given_up(stage: Stage, receiver: Receiver) -> None:
    made = hook(stage, receiver)
    receiver.status = 503
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    deliver(stage)
    assert deliver(stage) == 0
    assert len(receiver.got) == 1, "not before its time"
    for wait in delivery.RETRIES.pauses:
        assert log(stage, made["webhook_id"])[0]["status"] == "waiting"
        stage.runtime.clock.advance(wait.total_seconds())  # type: ignore[attr-defined]
        deliver(stage)
    (line,) = log(stage, made["webhook_id"])
    assert (line["status"], line["tries"]) == ("dead", len(delivery.RETRIES.pauses) + 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    receiver.status = 204
    path = f"/api/v1/webhooks/{made['webhook_id']}/deliveries/{line['delivery_id']}/retry"
    assert stage.enterprise.post(path).status_code == 202
    assert deliver(stage) == 1
    assert stage.enterprise.post(path).status_code == 409


def test_a_message_claimed_by_a_process_that_died_comes_again(stage: Stage, receiver: Receiver) -> None:
    from app.notifications import store as notifications_store

    hook(stage, receiver)
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        assert (
            len(notifications_store.claim_deliveries(session, now, until=now + delivery.LEASE, limit=10, each=5)) == 1
        )
        session.commit()
    assert deliver(stage) == 0
    stage.runtime.clock.advance(delivery.LEASE.total_seconds() + 1)  # type: ignore[attr-defined]
    assert deliver(stage) == 1


def test_one_webhook_does_not_hold_up_another(stage: Stage, receiver: Receiver) -> None:
    hook(stage, receiver, ["trip.fee"])
    hook(stage, receiver, ["trip.step"])
    for version in range(20):
        happen(stage, "sheet", trip_id=stage.trip_id, step="yard", status="done", version=version)
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    assert deliver(stage) == delivery.MAX_EACH + 1


def test_redirects_are_not_followed(stage: Stage, receiver: Receiver) -> None:
    made = hook(stage, receiver)
    receiver.status, receiver.location = 302, receiver.url
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    deliver(stage)
    assert len(receiver.got) == 1
    assert log(stage, made["webhook_id"])[0]["answer_status"] == 302


def test_nobody_there_is_written_in_the_log(stage: Stage, receiver: Receiver) -> None:
    made = hook(stage, receiver)
    receiver.server.shutdown()
    receiver.server.server_close()
    stage.enterprise.post(f"/api/v1/webhooks/{made['webhook_id']}/test")
    assert deliver(stage) == 0
    (line,) = log(stage, made["webhook_id"])
    assert (line["status"], line["answer_status"]) == ("waiting", None)
    assert "ConnectError" in line["answer"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.5.5",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:1::",
        "ff02::1",
        "nonsense",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "203.162.4.190", "2606:4700:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_no_message_goes_to_the_own_machine(host: str) -> None:
    async def attempt() -> None:
        async with httpx.AsyncClient() as client:
            await delivery.prepare(client, f"https://{host}/", "{}", {}, allow_private=False)

    with pytest.raises(InvalidInputError):
        asyncio.run(attempt())


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    async def attempt() -> list[httpx.Request]:
        async with httpx.AsyncClient() as client:
            return await delivery.prepare(client, "https://localhost:8443/a?b=c", "{}", {}, allow_private=True)

    for request in asyncio.run(attempt()):
        assert request.url.host in {"127.0.0.1", "::1"}
        assert (request.url.port, request.url.raw_path) == (8443, b"/a?b=c")
        assert request.headers["host"] == "localhost:8443"
        assert request.extensions["sni_hostname"] == "localhost"


def test_an_address_that_leads_nowhere_is_passed_over(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(_host: str, _port: int) -> list[str]:
        return ["::1", "127.0.0.1"]  # the receiver listens at the second only

    monkeypatch.setattr(delivery, "_look_up", look_up)
    hook(stage, receiver, ["trip.step"])
    happen(stage, "sheet", trip_id=stage.trip_id, step="customs", status="done", version=4)
    follow(stage.runtime)
    assert deliver(stage) == 1
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example.vn/",
        "ftp://erp.example.vn/",
        "https://",
        "https://u:p@erp.example.vn/",
        "erp",
        "https://erp.example.vn/#x",
        "https://erp.example.vn:99999/",
        "https://erp.example.vn/a b",
    ],
)
def test_addresses_of_another_form_are_refused(runtime: Runtime, sign_in: SignIn, url: str) -> None:
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "A"))
    answer = enterprise.post("/api/v1/webhooks", json={"url": url, "events": ALL})
    assert (answer.status_code, answer.json()["field"]) == (422, "url")


def test_the_secret_is_told_once_and_not_kept(stage: Stage, receiver: Receiver) -> None:
    from sqlalchemy import text

    made = hook(stage, receiver)
    assert "secret" not in stage.enterprise.get(f"/api/v1/webhooks/{made['webhook_id']}").json()
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    with stage.runtime.sessions() as session:
        row = session.execute(text("SELECT CAST(w AS text), salt FROM app.webhook w")).one()
        audited = session.execute(text("SELECT CAST(after AS text) FROM app.audit WHERE action = 'webhooks.create'"))
        assert made["secret"] not in audited.scalar_one()
    assert secret.hex() not in row[0]
    assert bytes(row.salt) != secret


def test_another_enterprise_has_nothing_of_it(stage: Stage, receiver: Receiver, sign_in: SignIn) -> None:
    made = hook(stage, receiver)
    other = sign_in("enterprise", organisation_id=add_organisation(stage.runtime, "B"))
    path = f"/api/v1/webhooks/{made['webhook_id']}"
    assert other.get("/api/v1/webhooks").json() == {"items": []}
    for method, where in (("GET", path), ("DELETE", path), ("POST", f"{path}/test"), ("GET", f"{path}/deliveries")):
        assert other.request(method, where).status_code == 404, where
    assert stage.driver.get("/api/v1/webhooks").status_code == 403


def test_a_removed_webhook_gets_nothing_more(stage: Stage, receiver: Receiver) -> None:
    made = hook(stage, receiver)
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    assert stage.enterprise.delete(f"/api/v1/webhooks/{made['webhook_id']}").status_code == 204
    assert deliver(stage) == 0
    assert receiver.got == []


def test_what_happened_before_is_not_sent(stage: Stage, receiver: Receiver) -> None:
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    stage.runtime.clock.advance(1)  # type: ignore[attr-defined]
    hook(stage, receiver)
    follow(stage.runtime)
    assert deliver(stage) == 0


def test_there_are_only_so_many(stage: Stage, receiver: Receiver) -> None:
    for _ in range(webhooks.MAX_WEBHOOKS):
        hook(stage, receiver)
    assert stage.enterprise.post("/api/v1/webhooks", json={"url": receiver.url, "events": ALL}).status_code == 409


def test_the_pages_make_test_and_show_a_webhook(stage: Stage, receiver: Receiver) -> None:
    made = stage.enterprise.post("/enterprise/webhooks", data={"url": receiver.url, "events": ["trip.fee"]})
    assert made.status_code == 200
    assert "whsec_" in made.text
    (webhook,) = stage.enterprise.get("/api/v1/webhooks").json()["items"]
    stage.enterprise.post(f"/enterprise/webhooks/{webhook['webhook_id']}/test")
    assert deliver(stage) == 1
    page = stage.enterprise.get(f"/enterprise/webhooks/{webhook['webhook_id']}")
    assert "thanks" in page.text
    wrong = stage.enterprise.post("/enterprise/webhooks", data={"url": "nowhere", "events": ["trip.fee"]})
    assert wrong.status_code == 422


def test_the_deliverer_works_beside_the_tick(stage: Stage, receiver: Receiver) -> None:
    hook(stage, receiver)
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    follow(stage.runtime)
    deliverer = delivery.Deliverer(stage.runtime)
    deliverer.tend()
    assert deliverer._thread is not None
    deliverer._thread.join(timeout=10)
    assert len(receiver.got) == 1


def test_retries_end_after_about_two_days() -> None:
    assert timedelta(days=1) < sum(delivery.RETRIES.pauses, timedelta()) < timedelta(days=3)
