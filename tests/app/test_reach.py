"""Drivers whose page is closed: Web Push by the standards, text messages by a port, and who cannot be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.event import listen

from app.declarations.contacts import declared_telephones
from app.integrations.adapter import Outcome
from app.integrations.circuit import OPEN_AFTER
from app.integrations.exchange import Exchanger
from app.integrations.messages import JsonCodec, Message
from app.integrations.running import addresses
from app.integrations.service import health_of, prune
from app.integrations.simulators.text_messages import GatewayCodec, TextMessagesScript
from app.integrations.text_messages import NAME, FileAdapter, OutboxTexts, text_messages
from app.integrations.vocabulary import Health
from app.notifications import reach
from app.notifications.push_crypto import MAX_BYTES, BrowserKeys, encrypt
from app.notifications.reach import NEEDLESS
from app.platform.runtime import Runtime
from app.registers.service import Contact, Reaching, find_contacts
from app.registers.tables import RegisteredDriver
from app.settings import NeighbourSettings, Settings
from geo.errors import InvalidInputError
from tests.app.dispatching import Stage, add_organisation, set_stage
from tests.app.neighbouring import connect, simulated
from tests.app.pushing import Browser, PushService, base64url, check_sender, unbase64url
from tests.app.test_orders import own
from tests.conftest import NOW
from tests.profiles import examples

SignIn = Callable[..., TestClient]
PHONE = "0912 345 678"


@pytest.fixture
def service() -> Iterator[PushService]:
    running = PushService()
    yield running
    running.close()


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    runtime.settings.webhook_allow_private = True
    return set_stage(runtime, sign_in)


def subscribe(stage: Stage, service: PushService, browser: Browser, path: str = "/send/1") -> int:
    body = {
        "endpoint": f"{service.origin}{path}",
        "expirationTime": None,
        "keys": {"p256dh": base64url(browser.public), "auth": base64url(browser.secret)},
    }
    answer = stage.driver.post("/api/v1/push/subscriptions", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["subscription_id"])


def send(stage: Stage, gateway: Exchanger | None = None, after_s: float = 0.0) -> int:
    """Let time pass, then what control does; how many messages were taken."""
    stage.runtime.clock.advance(after_s)  # type: ignore[attr-defined]
    now = stage.runtime.clock.now()
    for _ in range(2):  # put down twice, sent once
        with stage.runtime.sessions() as session:
            reach.put_down(session, now, OutboxTexts(), channel="sms", declared=declared_telephones)
            session.commit()
    pushed = reach.send_due(stage.runtime, now)
    return pushed + (0 if gateway is None else gateway.send_due())


def to_file(stage: Stage, folder: Path) -> Exchanger:
    """What sends text messages to `texts.jsonl` of a folder."""
    return connect(stage.runtime, text_messages(), f"file://{folder}/texts.jsonl")


def texts_in(folder: Path) -> list[dict[str, Any]]:
    path = folder / "texts.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def states(stage: Stage, order_id: int, kind: str = "order") -> list[tuple[str, str]]:
    answer = stage.police.get(f"/api/v1/orders/{order_id}/reach", params={"kind": kind})
    assert answer.status_code == 200, answer.text
    return [(item["state"], item["error"]) for item in answer.json()["items"]]


def recall(stage: Stage, order_id: int) -> None:
    version = stage.police.get(f"/api/v1/orders/{order_id}").json()["version"]
    answer = stage.police.post(f"/api/v1/orders/{order_id}/cancel", headers={"If-Match": f'"{version}"'})
    assert answer.status_code == 200, answer.text


# What is sent


def test_the_example_of_the_standard() -> None:
    """RFC 8291, appendix A."""
    private = int.from_bytes(unbase64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    keys = BrowserKeys.parse(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    sent = encrypt(
        b"When I grow up, I want to be a watermelon",
        keys,
        salt=unbase64url("DGv6ra1nlYgDCS1FRnbzlw"),
        own=ec.derive_private_key(private, ec.SECP256R1()),
    )
    assert base64url(sent) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@examples(300)
@given(st.binary(max_size=MAX_BYTES))
def test_a_browser_reads_what_was_written_to_it(message: bytes) -> None:
    browser = Browser()
    body = encrypt(message, BrowserKeys(browser.public, browser.secret))
    assert browser.read(body) == message
    assert len(body) <= 4096


def test_what_is_too_long_or_no_key_is_refused() -> None:
    browser = Browser()
    with pytest.raises(InvalidInputError):
        encrypt(b"x" * (MAX_BYTES + 1), BrowserKeys(browser.public, browser.secret))
    for p256dh, auth in (
        ("", ""),
        ("AAAA", "AAAA"),
        (base64url(b"\x04" + b"1" * 64), base64url(browser.secret)),
        ("ô", "ô"),
    ):
        with pytest.raises(InvalidInputError):
            BrowserKeys.parse(p256dh, auth)


def test_an_order_reaches_a_closed_page(stage: Stage, service: PushService) -> None:
    browser = Browser()
    assert subscribe(stage, service, browser) == subscribe(stage, service, browser)
    order_id = stage.issue()
    assert send(stage) == 1
    assert send(stage, after_s=30) == 0, "once"
    (pushed,) = service.got
    assert json.loads(browser.read(pushed.body)) == {
        "kind": "order",
        "tag": f"order-{order_id}",
        "title": "Lệnh của cảnh sát giao thông",
        "text": "Dừng chờ tại Điểm dừng chờ Lạng Sơn đến 12:00. Cửa khẩu đang ùn tắc.",
        "language": "vi",
    }
    assert pushed.headers["content-encoding"] == "aes128gcm"
    assert (pushed.headers["ttl"], pushed.headers["urgency"]) == ("7200", "high")
    key, claims = check_sender(pushed.headers)
    assert key == stage.driver.get("/api/v1/push/key").json()["public_key"]
    assert claims["aud"] == service.origin
    assert states(stage, order_id) == [("pushed", "")]
    own(stage.driver)
    assert states(stage, order_id) == [("read", "")]


def test_a_recall_takes_the_place_of_the_order(stage: Stage, service: PushService) -> None:
    browser = Browser()
    subscribe(stage, service, browser)
    order_id = stage.issue()
    send(stage)
    recall(stage, order_id)
    assert send(stage) == 1
    order, taken_back = service.got
    assert order.headers["topic"] == taken_back.headers["topic"]
    assert json.loads(browser.read(taken_back.body))["kind"] == "recall"
    assert states(stage, order_id, "recall") == [("pushed", "")]
    assert stage.driver.post(f"/api/v1/orders/{order_id}/recall-read").status_code == 200
    assert states(stage, order_id, "recall") == [("read", "")]


def test_a_browser_that_is_gone_is_forgotten_and_a_busy_service_tried_again(stage: Stage, service: PushService) -> None:
    subscribe(stage, service, Browser())
    order_id = stage.issue()
    service.status = 503
    assert [send(stage), send(stage, after_s=5), send(stage, after_s=6)] == [0, 0, 0]
    assert len(service.got) == 2
    service.status = 410
    send(stage, after_s=61)
    assert states(stage, order_id) == [("trying", "The push service answered 410.")]
    assert send(stage, after_s=3600) == 0
    assert len(service.got) == 3
    assert states(stage, order_id)[0][0] == "unreached"


def test_who_signs_the_subscription_away_gets_nothing(stage: Stage, service: PushService, sign_in: SignIn) -> None:
    number = subscribe(stage, service, Browser())
    other = sign_in("driver")
    assert other.delete(f"/api/v1/push/subscriptions/{number}").status_code == 404
    assert stage.driver.delete(f"/api/v1/push/subscriptions/{number}").status_code == 204
    stage.issue()
    assert send(stage) == 0


def test_a_telephone_belongs_to_who_uses_it_now(stage: Stage, service: PushService, sign_in: SignIn) -> None:
    browser = Browser()
    subscribe(stage, service, browser)
    stage.driver = sign_in("driver")
    subscribe(stage, service, browser)
    stage.issue()
    assert send(stage) == 0


def test_push_goes_to_public_addresses_only(stage: Stage, service: PushService) -> None:
    subscribe(stage, service, Browser())
    stage.issue()
    stage.runtime.settings.webhook_allow_private = False
    assert send(stage) == 0
    assert service.got == []
    body = {"endpoint": service.origin, "keys": {"p256dh": base64url(Browser().public), "auth": "AAAA"}}
    assert stage.driver.post("/api/v1/push/subscriptions", json=body).status_code == 422


def test_keys_lie_encrypted(stage: Stage, service: PushService) -> None:
    browser = Browser()
    subscribe(stage, service, browser)
    stage.driver.get("/api/v1/push/key")
    with stage.runtime.sessions() as session:
        rows = session.execute(text("SELECT k::text || s::text FROM app.push_key k, app.push_subscription s")).scalars()
        (lying,) = rows
    for secret in (base64url(browser.secret), base64url(browser.public), "/send/1", "PRIVATE KEY"):
        assert secret not in lying, secret


# Text messages


def with_phone(stage: Stage) -> None:
    driver = {"full_name": "Lò Văn Tài", "phone": PHONE, "account_id": stage.driver.account_id}  # type: ignore[attr-defined]
    answer = stage.enterprise.post("/api/v1/registers/drivers", json=driver)
    assert answer.status_code == 201, answer.text


def test_who_does_not_look_gets_a_text_message(stage: Stage, tmp_path: Path) -> None:
    with_phone(stage)
    order_id = stage.issue()
    gateway = to_file(stage, tmp_path)
    assert send(stage, gateway) == 0, "the page may be open"
    assert states(stage, order_id) == [("trying", "")]
    assert send(stage, gateway, after_s=121) == 1
    assert send(stage, gateway, after_s=60) == 0
    (message,) = texts_in(tmp_path)
    assert (message["channel"], message["to"]) == ("sms", PHONE)
    assert message["text"].startswith("Lệnh của cảnh sát giao thông: Dừng chờ tại")
    assert states(stage, order_id) == [("texted", "")]
    recall(stage, order_id)
    assert send(stage, gateway, after_s=121) == 1
    assert "thu hồi" in texts_in(tmp_path)[1]["text"]


def test_who_looks_gets_none(stage: Stage, tmp_path: Path) -> None:
    with_phone(stage)
    stage.issue()
    own(stage.driver)
    assert send(stage, to_file(stage, tmp_path), after_s=300) == 0


def test_without_a_gateway_no_text_is_put_down(stage: Stage) -> None:
    with_phone(stage)
    stage.issue()
    send(stage, after_s=300)
    with stage.runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM app.reach_message")) == 0


def test_without_a_telephone_nobody_is_reached_and_the_police_see_it(stage: Stage, tmp_path: Path) -> None:
    order_id = stage.issue()
    send(stage, to_file(stage, tmp_path), after_s=121)
    assert states(stage, order_id) == [("unreached", reach.NO_TELEPHONE)]
    assert stage.enterprise.get(f"/api/v1/orders/{order_id}/reach").status_code == 403


def test_another_enterprise_gets_no_messages_for_a_truck(stage: Stage, tmp_path: Path) -> None:
    other = add_organisation(stage.runtime, "Khác")
    with stage.runtime.sessions() as session:
        created = {"created_at": stage.runtime.clock.now(), "full_name": "Kẻ Nghe Trộm", "phone": PHONE}
        session.add(RegisteredDriver(organisation_id=other, usual_vehicle_id=stage.vehicle_id, **created))
        session.commit()
    stage.issue()
    assert send(stage, to_file(stage, tmp_path), after_s=121) == 0


def test_who_has_no_account_is_written_to_in_their_language(stage: Stage, tmp_path: Path) -> None:
    with stage.runtime.sessions() as session:
        session.execute(text("UPDATE app.account SET vehicle_id = NULL"))
        whose = {"organisation_id": stage.organisation_id, "usual_vehicle_id": stage.vehicle_id, "language": "zh"}
        created = {"created_at": stage.runtime.clock.now(), "full_name": "Lò Văn Tài", "phone": PHONE}
        session.add(RegisteredDriver(**whose, **created))
        session.commit()
    stage.issue()
    assert send(stage, to_file(stage, tmp_path), after_s=121) == 1
    assert "请在谅山待行区停车等候" in texts_in(tmp_path)[0]["text"]


def test_however_many_are_texted_their_telephones_are_one_question(stage: Stage) -> None:
    with_phone(stage)
    other = add_organisation(stage.runtime, "Khác")
    driver = int(stage.driver.account_id)  # type: ignore[attr-defined]
    own = Reaching(stage.vehicle_id, driver, stage.organisation_id)
    nobodys = [Reaching(stage.vehicle_id, driver, other), Reaching(stage.vehicle_id, None, stage.organisation_id)]
    asked: list[str] = []
    with stage.runtime.sessions() as session:
        listen(session.get_bind(), "before_cursor_execute", lambda *given: asked.append(given[2]))
        found = find_contacts(session, [own, *nobodys, own])
    assert found == {own: Contact(PHONE, "vi")}
    assert len([statement for statement in asked if "registered_driver" in statement]) == 1


def test_the_gateway_is_posted_to_and_tried_again(stage: Stage, service: PushService) -> None:
    with_phone(stage)
    order_id = stage.issue()
    gateway = connect(stage.runtime, text_messages(), f"{service.origin}/sms", "whsec_" + "c3Nz" * 8)
    service.status = 401
    assert send(stage, gateway, after_s=121) == 0
    assert states(stage, order_id) == [("trying", "401")], "a wrong secret is no fault of the message"
    service.status = 500
    send(stage, gateway, after_s=3)
    assert states(stage, order_id) == [("trying", "500")]
    service.status = 202
    assert send(stage, gateway, after_s=3) == 1
    zeroth, first, second = service.got
    assert zeroth.body == first.body == second.body, "the same message, known by its id"
    assert set(json.loads(second.body)) == {"id", "channel", "to", "text"}
    assert second.headers["idempotency-key"] == second.headers["webhook-id"] == json.loads(second.body)["id"]
    assert second.headers["webhook-signature"].startswith("v1,")
    assert states(stage, order_id) == [("texted", "")]


def test_a_text_outlasts_an_outage_and_a_process_that_dies_and_is_one_text(stage: Stage, tmp_path: Path) -> None:
    """The gateway takes it, and the sender dies before it could note that: it comes again under the same identity."""
    with_phone(stage)
    order_id = stage.issue()
    with simulated(stage.runtime, TextMessagesScript(), tmp_path, codec=GatewayCodec()) as simulator:
        gateway = connect(stage.runtime, text_messages(), "http://127.0.0.1:9/sms")
        for _ in range(OPEN_AFTER):
            send(stage, gateway, after_s=121)
        with stage.runtime.sessions() as session:
            assert health_of(session, NAME) is Health.DOWN
        assert states(stage, order_id)[0][0] == "trying"
        gateway = connect(stage.runtime, text_messages(), simulator.url)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(gateway, "_settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                send(stage, gateway, after_s=240)
        assert states(stage, order_id)[0][0] == "unreached", "7 minutes, and as far as is known nothing left"
        assert send(stage, gateway, after_s=61) == 1
        figures = simulator.storage.figures()
        assert (figures.received, figures.repeats, figures.acted) == (1, 1, 1)
        assert states(stage, order_id) == [("texted", "")]


def test_what_is_needless_when_the_gateway_returns_is_not_sent(stage: Stage, tmp_path: Path) -> None:
    with_phone(stage)
    order_id = stage.issue()
    send(stage, connect(stage.runtime, text_messages(), "http://127.0.0.1:9/sms"), after_s=121)
    recall(stage, order_id)
    gateway = to_file(stage, tmp_path)
    for _ in range(3):
        send(stage, gateway, after_s=61)
    assert texts_in(tmp_path) == [], "nobody had been told of the order, so nobody is told that it was taken back"
    assert states(stage, order_id) == [("unreached", NEEDLESS)]


def test_a_refused_text_is_mended_by_the_administrator_and_nobody_else_sees_it(
    stage: Stage, service: PushService, sign_in: SignIn
) -> None:
    with_phone(stage)
    order_id = stage.issue()
    gateway = connect(stage.runtime, text_messages(), f"{service.origin}/sms")
    service.status, service.says = 422, f"{PHONE} is no telephone".encode()
    send(stage, gateway, after_s=121)
    assert states(stage, order_id) == [("unreached", "422 … is no telephone")]
    administrator, auditor = sign_in("administrator"), sign_in("auditor")
    path = "/api/v1/neighbours/dead-letters"
    ((seen,), (masked,)) = (who.get(path).json()["items"] for who in (administrator, auditor))
    assert json.loads(seen["body"])["to"] == PHONE
    assert "Dừng chờ" in seen["body"]
    page = auditor.get("/admin/neighbours").text
    for secret in (PHONE, PHONE[:8], "Dừng chờ"):
        assert secret not in masked["body"] + masked["about"] + masked["error"] + page, secret
    with stage.runtime.sessions() as session:
        (lying,) = session.execute(text("SELECT o::text FROM app.neighbour_outbox o")).scalars()
        assert PHONE not in lying
        assert "Dừng" not in lying
    mended = {**json.loads(seen["body"]), "to": "0912 000 111"}
    service.status = 202
    again = administrator.post(f"{path}/out/{seen['number']}/mend", json={"body": json.dumps(mended)})
    assert again.status_code == 204, again.text
    assert send(stage, gateway) == 1
    assert json.loads(service.got[-1].body)["to"] == "0912 000 111"
    assert states(stage, order_id) == [("texted", "")]


def test_texts_are_kept_as_long_as_is_set_and_those_that_wait_until_they_left(stage: Stage, tmp_path: Path) -> None:
    with_phone(stage)
    stage.issue()
    send(stage, to_file(stage, tmp_path), after_s=121)
    counted = text("SELECT count(*) FROM app.neighbour_outbox")
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        for keep, status, left in ((2, "sent", 1), (0, "waiting", 1), (0, "dead", 0)):
            session.execute(text("UPDATE app.neighbour_outbox SET status = :status"), {"status": status})
            prune(session, now + timedelta(days=1), keep_out={NAME: timedelta(days=keep)})
            assert session.scalar(counted) == left, (keep, status)


def test_the_gateway_is_what_the_settings_say(tmp_path: Path) -> None:
    def found(url: str, secret: str = "") -> Any:
        settings = Settings(text_messages_url=SecretStr(url), text_messages_secret=SecretStr(secret))
        address = addresses(settings, NeighbourSettings()).get(NAME)
        return None if address is None else text_messages().connect(address.url, address.secret, JsonCodec())

    assert found("") is None
    assert found("file:///var/lib/a%20b.jsonl") == FileAdapter(Path("/var/lib/a b.jsonl"))
    gateway = found("https://sms.example/send/", "whsec_c3Nz")
    assert (gateway.url, gateway.secret) == ("https://sms.example/send/", b"sss")
    for url, secret in (("ftp://x/y", ""), ("sms", ""), ("https://sms.example/", "whsec_?")):
        with pytest.raises(InvalidInputError):
            found(url, secret)
    body = {"channel": "sms", "to": PHONE, "text": "x"}
    message = Message(id="1", kind="text.message", about="…678", sent_at=NOW, body=body)
    answer = FileAdapter(tmp_path / "none" / "x").send(message, NOW)
    assert (answer.outcome, "cannot be written" in answer.error) == (Outcome.AWAY, True)
