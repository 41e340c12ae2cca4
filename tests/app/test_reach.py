"""Drivers whose page is closed: Web Push by the standards, text messages by a port, and who cannot be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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

from app.notifications import reach
from app.notifications.push_crypto import MAX_BYTES, BrowserKeys, encrypt
from app.notifications.text_messages import FileTexts, HttpTexts, TextMessage, TextPort, open_port
from app.platform.runtime import Runtime
from app.registers.service import Contact, Reaching, find_contacts
from app.registers.tables import RegisteredDriver
from app.settings import Settings
from geo.errors import InvalidInputError, UnavailableError
from tests.app.dispatching import Stage, add_organisation, set_stage
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


def send(stage: Stage, texts: TextPort | None = None, after_s: float = 0.0) -> int:
    """Let time pass, then what control does; how many messages were taken."""
    stage.runtime.clock.advance(after_s)  # type: ignore[attr-defined]
    now = stage.runtime.clock.now()
    for _ in range(2):  # put down twice, sent once
        with stage.runtime.sessions() as session:
            reach.put_down(session, now, with_texts=texts is not None)
            session.commit()
    return reach.send_due(stage.runtime, texts, now)


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
    texts = FileTexts(tmp_path / "texts.jsonl")
    assert send(stage, texts) == 0, "the page may be open"
    assert states(stage, order_id) == [("trying", "")]
    assert send(stage, texts, after_s=121) == 1
    assert send(stage, texts, after_s=60) == 0
    (line,) = (tmp_path / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    message = json.loads(line)
    assert (message["channel"], message["to"]) == ("sms", PHONE)
    assert message["text"].startswith("Lệnh của cảnh sát giao thông: Dừng chờ tại")
    assert states(stage, order_id) == [("texted", "")]
    recall(stage, order_id)
    assert send(stage, texts, after_s=121) == 1
    assert "thu hồi" in (tmp_path / "texts.jsonl").read_text(encoding="utf-8").splitlines()[1]


def test_who_looks_gets_none(stage: Stage, tmp_path: Path) -> None:
    with_phone(stage)
    stage.issue()
    own(stage.driver)
    assert send(stage, FileTexts(tmp_path / "texts.jsonl"), after_s=300) == 0


def test_without_a_telephone_nobody_is_reached_and_the_police_see_it(stage: Stage, tmp_path: Path) -> None:
    order_id = stage.issue()
    texts = FileTexts(tmp_path / "texts.jsonl")
    send(stage, texts, after_s=121)
    assert states(stage, order_id) == [("unreached", reach.NO_TELEPHONE)]
    assert stage.enterprise.get(f"/api/v1/orders/{order_id}/reach").status_code == 403


def test_another_enterprise_gets_no_messages_for_a_truck(stage: Stage, tmp_path: Path) -> None:
    other = add_organisation(stage.runtime, "Khác")
    with stage.runtime.sessions() as session:
        created = {"created_at": stage.runtime.clock.now(), "full_name": "Kẻ Nghe Trộm", "phone": PHONE}
        session.add(RegisteredDriver(organisation_id=other, usual_vehicle_id=stage.vehicle_id, **created))
        session.commit()
    stage.issue()
    assert send(stage, FileTexts(tmp_path / "texts.jsonl"), after_s=121) == 0


def test_who_has_no_account_is_written_to_in_their_language(stage: Stage, tmp_path: Path) -> None:
    with stage.runtime.sessions() as session:
        session.execute(text("UPDATE app.account SET vehicle_id = NULL"))
        whose = {"organisation_id": stage.organisation_id, "usual_vehicle_id": stage.vehicle_id, "language": "zh"}
        created = {"created_at": stage.runtime.clock.now(), "full_name": "Lò Văn Tài", "phone": PHONE}
        session.add(RegisteredDriver(**whose, **created))
        session.commit()
    stage.issue()
    assert send(stage, FileTexts(tmp_path / "texts.jsonl"), after_s=121) == 1
    assert "请在谅山待行区停车等候" in (tmp_path / "texts.jsonl").read_text(encoding="utf-8")


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
    texts = HttpTexts(f"{service.origin}/sms", b"s" * 32)
    service.status = 500
    assert send(stage, texts, after_s=121) == 0
    assert states(stage, order_id) == [("trying", "")]
    service.status = 202
    assert send(stage, texts, after_s=11) == 1
    first, second = service.got
    assert first.body == second.body, "the same message, known by its id"
    assert second.headers["webhook-id"] == json.loads(second.body)["id"]
    assert second.headers["webhook-signature"].startswith("v1,")


def test_the_port_is_what_the_settings_say(tmp_path: Path) -> None:
    def port(url: str, secret: str = "") -> Any:
        return open_port(Settings(text_messages_url=SecretStr(url), text_messages_secret=SecretStr(secret)))

    assert port("") is None
    assert port("file:///var/lib/a%20b.jsonl") == FileTexts(Path("/var/lib/a b.jsonl"))
    assert port("https://sms.example/send", "whsec_c3Nz") == HttpTexts("https://sms.example/send", b"sss")
    for url, secret in (("ftp://x/y", ""), ("sms", ""), ("https://sms.example/", "whsec_?")):
        with pytest.raises(InvalidInputError):
            port(url, secret)
    with pytest.raises(UnavailableError):
        FileTexts(tmp_path / "none" / "x").send(TextMessage("1", "sms", PHONE, "x"), NOW)
