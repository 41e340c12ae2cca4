"""The fee of a trip on a real database: opened, asked, decided, paid, waived, given back, guarded on the sheet."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.fees import service, store, tariffs
from app.fees.reference import CHARACTERS, check_character, find_references, new_reference
from app.fees.tables import FeeRow
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


# Opening and questions


def test_a_declared_trip_has_a_fee_or_a_question(counter: Counter) -> None:
    trip_id = counter.trip()
    fee = counter.fee(trip_id)
    assert (fee["status"], fee["collector"], fee["amount_vnd"]) == ("open_question", "gate_management", None)
    assert (fee["question"]["kind"], fee["question"]["facts"]) == ("missing_fact", ["payload_kg"])
    assert fee["tariff"] == {"code": "lang-son", "version": 1, "complete": False}
    assert fee["ready"] is True
    events = counter.rows("SELECT data FROM app.outbox WHERE type = 'fee'")
    assert [event.data["status"] for event in events] == ["open_question"]


def test_an_answer_gives_the_amount_with_its_derivation(counter: Counter) -> None:
    trip_id = counter.trip()
    answer = counter.act(trip_id, "answers", facts={"payload_kg": 1999})
    assert answer.status_code == 200, answer.text
    fee = answer.json()
    assert (fee["status"], fee["amount_vnd"], fee["outstanding_vnd"]) == ("due", 100_000, 100_000)
    assert sum(line["amount_vnd"] for line in fee["derivation"]) == 100_000
    assert fee["derivation"][0]["label"]["vi"] == "Nông sản tươi xuất khẩu, xe dưới 2 tấn"
    assert fee["answers"] == {"payload_kg": 1999}


@pytest.mark.parametrize(
    "facts", [{}, {"payload_kg": "1999"}, {"payload_kg": -1}, {"regime": "import"}, {"container": "30"}, {"x": 1}]
)
def test_an_answer_that_does_not_fit_is_refused(counter: Counter, facts: dict[str, object]) -> None:
    assert counter.act(counter.trip(), "answers", facts=facts).status_code == 422


def test_a_collector_decides_with_a_reason_that_is_kept(counter: Counter) -> None:
    trip_id = counter.trip()
    assert counter.act(trip_id, "decision", amount_vnd=500_000, reason=" ").status_code == 422
    fee = counter.act(trip_id, "decision", amount_vnd=500_000, reason="Tra quyết định, mục 3").json()
    assert (fee["status"], fee["amount_vnd"], fee["decision_reason"]) == ("due", 500_000, "Tra quyết định, mục 3")
    assert fee["derivation"][0]["reason"] == "Tra quyết định, mục 3"
    (line,) = counter.rows("SELECT actor_id, after FROM app.audit WHERE action = 'fees.decide'")
    assert (line.actor_id, line.after["amount_vnd"]) == (counter.cashier.account_id, 500_000)  # type: ignore[attr-defined]
    assert counter.act(trip_id, "decision", amount_vnd=1, reason="noch einmal").status_code == 409


def test_the_right_office_collects(counter: Counter) -> None:
    trip_id = counter.trip(regime="transit", direction="export")
    fee = counter.fee(trip_id)
    assert fee["collector"] == "tax"
    assert counter.cashier.get(f"/api/v1/fees/{fee['fee_id']}").status_code == 404
    assert counter.act(trip_id, "decision", amount_vnd=500_000, reason="Theo biểu phí").status_code == 404
    assert counter.act(trip_id, "decision", counter.tax, amount_vnd=500_000, reason="Theo biểu phí").status_code == 200


def test_another_gate_and_other_roles_see_nothing(counter: Counter) -> None:
    fee = counter.fee(counter.trip())
    elsewhere = counter.sign_in("gate_management", gate_id="tan-thanh")
    assert elsewhere.get(f"/api/v1/fees/{fee['fee_id']}").status_code == 404
    assert counter.sign_in("customs", gate_id="huu-nghi").get("/api/v1/fees").status_code == 403
    guard = counter.sign_in("border_guard", gate_id="huu-nghi")
    assert guard.get(f"/api/v1/fees/{fee['fee_id']}").json()["status"] == "open_question"
    assert guard.post(f"/api/v1/fees/{fee['fee_id']}/confirm", headers={"If-Match": '"1"'}).status_code == 403


def test_lists_are_of_those_ready_to_pay(counter: Counter) -> None:
    early = counter.due("29C-111.11", is_ready=False)
    ready = counter.due("29C-222.22")

    def listed(query: str) -> list[int]:
        return [fee["fee_id"] for fee in counter.cashier.get(f"/api/v1/fees?{query}").json()["items"]]

    assert listed("status=due&ready=true") == [ready["fee_id"]]
    assert listed("status=due&ready=false") == [early["fee_id"]]
    assert listed("limit=1") == [ready["fee_id"]]
    assert listed(f"before={ready['fee_id']}") == [early["fee_id"]]


# Cash


def test_cash_settles_the_fee_and_confirms_its_step(counter: Counter) -> None:
    fee = counter.due()
    assert counter.step(fee["trip_id"]) == "ready"
    assert counter.act(fee["trip_id"], "cash", amount_vnd=99_999).status_code == 422
    answer = counter.act(fee["trip_id"], "cash", amount_vnd=100_000)
    assert answer.status_code == 200, answer.text
    paid = answer.json()
    assert (paid["status"], paid["outstanding_vnd"]) == ("paid", 0)
    (payment,) = paid["payments"]
    assert (payment["receipt_series"], payment["receipt_number"]) == ("QLCK-HUUNGHI-2026", 1)
    assert counter.step(fee["trip_id"]) == "done"
    assert counter.act(fee["trip_id"], "cash", amount_vnd=100_000).status_code == 409


def test_a_repeated_request_is_one_payment(counter: Counter) -> None:
    fee = counter.due()
    answers = [
        counter.act(fee["trip_id"], "cash", amount_vnd=100_000, version=fee["version"], key="a") for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(answers[1].json()["payments"]) == 1


def test_of_two_cashiers_at_once_one_takes_the_money(counter: Counter) -> None:
    fee = counter.due()

    def take(who: TestClient) -> int:
        return counter.act(fee["trip_id"], "cash", who, amount_vnd=100_000, version=fee["version"]).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, (counter.cashier, counter.second))) == [200, 412]
    assert len(counter.fee(fee["trip_id"])["payments"]) == 1


def test_a_stale_version_is_told(counter: Counter) -> None:
    fee = counter.due()
    assert counter.act(fee["trip_id"], "cash", amount_vnd=100_000, version=fee["version"] - 1).status_code == 412


def test_a_fee_paid_before_its_turn_is_confirmed_when_it_comes(counter: Counter) -> None:
    fee = counter.due(is_ready=False)
    assert counter.act(fee["trip_id"], "cash", amount_vnd=100_000).status_code == 200
    assert counter.step(fee["trip_id"]) == "waiting"
    with counter.runtime.sessions() as session:
        for step in ("health", "barrier_1", "yard"):
            counter.sheets.confirm_step(
                ActionContext(session, None, counter.runtime.clock.now()), fee["trip_id"], step, expected_version=None
            )
        session.commit()
    assert counter.step(fee["trip_id"]) == "done"


def test_the_step_cannot_be_confirmed_without_the_money(counter: Counter) -> None:
    fee = counter.due()
    version = counter.enterprise.get(f"/api/v1/trips/{fee['trip_id']}/sheet").json()["version"]
    answer = counter.cashier.post(
        f"/api/v1/trips/{fee['trip_id']}/steps/fee/confirm", json={}, headers={"If-Match": f'"{version}"'}
    )
    assert answer.status_code == 409, answer.text
    shown = counter.enterprise.get(f"/api/v1/trips/{fee['trip_id']}/sheet").json()["fee"]
    assert (shown["status"], shown["outstanding_vnd"]) == ("due", 100_000)


# Waivers and refunds


def test_a_waiver_needs_a_second_person(counter: Counter) -> None:
    fee = counter.due()
    assert counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ").status_code == 202
    assert counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ").status_code == 409
    own = counter.decide(counter.cashier)
    assert own.status_code == 403, own.text
    assert counter.tax.get("/api/v1/fees/releases").json() == []
    assert counter.decide().status_code == 204
    assert counter.fee(fee["trip_id"])["status"] == "waived"
    assert counter.step(fee["trip_id"]) == "done"
    acts = [
        row.action
        for row in counter.rows("SELECT action FROM app.audit WHERE object_type = 'fee_release' ORDER BY audit_id")
    ]
    assert acts == ["fees.waiver.asked", "fees.waiver.approved"]


def test_a_refusal_needs_a_reason_and_changes_nothing(counter: Counter) -> None:
    fee = counter.due()
    counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ")
    assert counter.decide(approved=False).status_code == 422
    assert counter.decide(approved=False, reason="Không có căn cứ").status_code == 204
    assert counter.fee(fee["trip_id"])["status"] == "due"
    assert counter.second.get("/api/v1/fees/releases").json() == []


def test_the_database_itself_refuses_one_person(counter: Counter) -> None:
    from sqlalchemy.exc import IntegrityError

    fee = counter.due()
    counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ")
    with pytest.raises(IntegrityError), counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.fee_release SET decided_by = asked_by")


def test_what_pays_an_open_trip_is_not_given_back(counter: Counter) -> None:
    fee = counter.due()
    (payment,) = counter.act(fee["trip_id"], "cash", amount_vnd=100_000).json()["payments"]
    assert counter.refund(payment["payment_id"], 100_000).status_code == 409
    with counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.trip SET stage = 'out'")
    assert counter.refund(payment["payment_id"], 100_000).status_code == 202
    assert counter.decide().status_code == 204
    assert counter.cashier.get(f"/api/v1/fees/{fee['fee_id']}").json()["status"] == "refunded"
    assert counter.refund(payment["payment_id"], 1).status_code == 422


# Tariffs


def test_a_tariff_is_drafted_checked_published_and_applied(counter: Counter) -> None:
    admin = counter.sign_in("administrator")
    rules = tariffs.shipped_definitions()[0] | {"version": 2, "valid_from": "2026-03-01"}
    rules["rates"] = [rules["rates"][0] | {"amount_vnd": 120_000}]
    assert admin.post("/api/v1/tariffs", json={"rules": rules | {"rates": "x"}}).json()["field"] == "rates"
    made = admin.post("/api/v1/tariffs", json={"rules": rules})
    assert made.status_code == 201, made.text
    assert admin.post("/api/v1/tariffs", json={"rules": rules}).status_code == 409
    where = made.headers["Location"]
    edited = admin.put(where, json={"rules": rules}, headers={"If-Match": made.headers["ETag"]})
    assert edited.status_code == 200, edited.text
    assert admin.post(f"{where}/publish", headers={"If-Match": '"1"'}).status_code == 412
    assert admin.post(f"{where}/publish", headers={"If-Match": edited.headers["ETag"]}).json()["status"] == "published"
    assert admin.put(where, json={"rules": rules}, headers={"If-Match": '"3"'}).status_code == 409
    assert counter.due()["amount_vnd"] == 120_000
    assert counter.enterprise.get("/api/v1/tariffs").status_code == 403


def test_what_a_database_cannot_hold_is_refused(counter: Counter) -> None:
    admin = counter.sign_in("administrator")
    rules = tariffs.shipped_definitions()[0] | {"version": 3}
    for odd in ({"note": "a\x00b"}, {"note": 10**30}):
        assert admin.post("/api/v1/tariffs", json={"rules": rules | odd}).status_code == 422


# References


def test_references_are_found_in_what_banks_make_of_them() -> None:
    reference = new_reference()
    spaced = f"{reference[:4]} {reference[4:]}"
    for content in (reference, reference.lower(), f"MBVCB.123.{reference}.CT tu 0123", f"nop phi {spaced}-xe 29C12345"):
        assert find_references(content) == [reference]
    assert find_references("nop phi xe 29C-123.45") == []
    for before in ("CKS ", "nop phi CKS: ", "CKSCKS", "CKSS ma "):
        assert find_references(before + reference) == [reference], "the name of the platform hides no reference"
    assert find_references(f"{reference} {reference}") == [reference]


def test_what_stands_before_a_reference_hides_none_whatever_its_characters() -> None:
    assert find_references("CKSCKSCKSCY85MF8E") == ["CKSCY85MF8E"], "the check character is right by chance"
    for _ in range(2000):
        reference, other = new_reference(), new_reference()
        for before in ("CKSCKS", "CKSCKSCKS", f"CKS{reference[3:6]}"):
            assert find_references(before + reference) == [reference]
        assert find_references(f"{reference}KSA{reference[3:]}") == [reference], "none begins within another"
        assert find_references(reference + other) == [reference, other]


def test_a_wrong_character_is_noticed() -> None:
    for _ in range(200):
        characters = new_reference()[3:]
        for place in range(7):
            for character in CHARACTERS.replace(characters[place], ""):
                wrong = characters[:place] + character + characters[place + 1 : 7]
                assert check_character(wrong) != characters[7]


def test_a_declaration_that_changes_is_assessed_again(counter: Counter) -> None:
    fee = counter.due()
    redeclare(counter, fee["trip_id"])
    assert counter.fee(fee["trip_id"])["question"]["kind"] == "no_rate"


def test_a_load_that_changes_after_payment_is_asked_about_and_what_was_paid_counts(counter: Counter) -> None:
    fee = counter.due()
    assert counter.act(fee["trip_id"], "cash", amount_vnd=100_000).status_code == 200
    redeclare(counter, fee["trip_id"])
    asked = counter.fee(fee["trip_id"])
    assert (asked["status"], asked["question"]["kind"]) == ("open_question", "load_changed")
    assert asked["question"]["values"] == {"before": "100.000"}
    redeclare(counter, fee["trip_id"], "machinery")  # once more before the collector answers
    assert counter.fee(fee["trip_id"])["question"]["values"] == {"before": "100.000"}
    decided = counter.act(fee["trip_id"], "decision", amount_vnd=250_000, reason="Tra quyết định").json()
    assert (decided["status"], decided["outstanding_vnd"]) == ("due", 150_000)
    assert counter.act(fee["trip_id"], "cash", amount_vnd=150_000).status_code == 200
    paid = counter.fee(fee["trip_id"])
    assert (paid["status"], paid["received_vnd"], len(paid["payments"])) == ("paid", 250_000, 2)
    redeclare(counter, fee["trip_id"], "machinery")  # the same load again asks nothing
    assert counter.fee(fee["trip_id"])["status"] == "paid"


def redeclare(counter: Counter, trip_id: int, goods_class: str = "textiles") -> None:
    with counter.runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.trip SET goods_class = :goods_class"), {"goods_class": goods_class})
        service.open_fee(ActionContext(session, None, counter.runtime.clock.now()), counter.sheets, trip_id)


# Other transactions in the way


def wait_for_a_blocked_backend(counter: Counter) -> int:
    """The process of the one database session that waits for a lock, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        blocked = counter.rows(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        if blocked:
            return int(blocked[0].pid)
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_a_cashier_waits_for_an_act_on_the_sheet_instead_of_meeting_it_in_a_ring(counter: Counter) -> None:
    fee = counter.due()
    with ThreadPoolExecutor() as pool, counter.runtime.sessions.begin() as session:
        counter.sheets.update_facts(
            ActionContext(session, None, counter.runtime.clock.now()), fee["trip_id"], {"transshipment": True}
        )
        cash = pool.submit(counter.act, fee["trip_id"], "cash", amount_vnd=fee["outstanding_vnd"])
        wait_for_a_blocked_backend(counter)
        assert store.lock_fee(session, FeeRow.trip_id == fee["trip_id"]) is not None  # the act goes on to the fee
        session.commit()
        assert cash.result(20).status_code == 200, cash.result().text
    assert counter.step(fee["trip_id"]) == "done"


def test_an_act_that_the_database_broke_off_changes_nothing_and_may_be_tried_again(counter: Counter) -> None:
    fee = counter.due()
    with ThreadPoolExecutor() as pool, counter.runtime.sessions.begin() as session:
        store.lock_fee(session, FeeRow.trip_id == fee["trip_id"])
        cash = pool.submit(counter.act, fee["trip_id"], "cash", amount_vnd=fee["outstanding_vnd"])
        counter.rows("SELECT pg_terminate_backend(:pid)", pid=wait_for_a_blocked_backend(counter))
        answer = cash.result(20)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert counter.fee(fee["trip_id"])["status"] == "due"
    assert counter.act(fee["trip_id"], "cash", amount_vnd=fee["outstanding_vnd"]).status_code == 200
