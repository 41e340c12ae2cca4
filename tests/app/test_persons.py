"""What takes two persons is not done by one with two accounts, and not by an administrator."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.accounts import persons
from app.accounts import service as accounts
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import ForbiddenError
from tests.app.collecting import Counter, open_counter
from tests.app.signing import make_account
from tests.app.stationing import Gate


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: Any) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def link(administrator: TestClient, account_id: int, username: str | None) -> Any:
    address = f"/api/v1/accounts/{account_id}"
    headers = {"If-Match": administrator.get(address).headers["etag"]}
    return administrator.patch(address, json={"person": username}, headers=headers)


def test_accounts_of_one_person_are_linked_and_parted(runtime: Runtime, sign_in: Any) -> None:
    administrator = sign_in("administrator")
    ids = {name: make_account(runtime, "customs", name) for name in ("a.mot", "a.hai", "a.ba", "a.bon")}
    assert link(administrator, ids["a.hai"], "a.mot").json()["person_id"] == ids["a.mot"]
    assert link(administrator, ids["a.bon"], "a.ba").json()["person_id"] == ids["a.ba"]
    assert link(administrator, ids["a.ba"], "A.HAI ").json()["person_id"] == ids["a.mot"], "all four are one"
    with runtime.sessions() as session:
        assert persons.accounts_of_person(session, ids["a.bon"]) == set(ids.values())
        assert persons.is_same_person(session, ids["a.bon"], ids["a.hai"])
        assert not persons.is_same_person(session, ids["a.bon"], None)
    assert link(administrator, ids["a.bon"], None).json()["person_id"] is None
    assert link(administrator, ids["a.bon"], "nobody").status_code == 422
    assert link(administrator, ids["a.bon"], "a.bon").status_code == 409
    with runtime.sessions() as session:
        assert persons.accounts_of_person(session, ids["a.bon"]) == {ids["a.bon"]}


@pytest.mark.parametrize("is_first", [True, False])
def test_an_administrator_is_neither_of_two(runtime: Runtime, is_first: bool) -> None:
    chief = make_account(runtime, "administrator", "quan.tri")
    cashier = make_account(runtime, "tax", "thu.phi")
    colleague = make_account(runtime, "tax", "dong.nghiep")
    with runtime.sessions() as session:

        def acting(account_id: int) -> ActionContext:
            principal = accounts.find_acting(session, account_id, at=runtime.clock.now())
            return ActionContext(session, principal, runtime.clock.now())

        persons.check_second_person(acting(colleague), cashier)
        accounts.get_account(session, cashier).person_id = chief
        session.flush()
        first, second = (cashier, colleague) if is_first else (colleague, cashier)
        with pytest.raises(ForbiddenError, match="administrator"):
            persons.check_second_person(acting(second), first)
        with pytest.raises(ForbiddenError, match="administrator"):
            persons.check_first_person(acting(cashier))
        persons.check_first_person(acting(colleague))


def test_a_fee_is_not_waived_by_one_person_with_two_accounts(counter: Counter, sign_in: Any) -> None:
    fee = counter.due()
    assert counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ").status_code == 202
    (waiting,) = counter.second.get("/api/v1/fees/releases").json()
    assert waiting["own"] is False
    first = counter.cashier.get("/api/v1/me").json()["username"]
    second_id = counter.second.get("/api/v1/me").json()["account_id"]
    assert link(sign_in("administrator"), second_id, first).status_code == 200
    (waiting,) = counter.second.get("/api/v1/fees/releases").json()
    assert waiting["own"] is True
    decided = counter.decide()
    assert decided.status_code == 403
    assert counter.fee(fee["trip_id"])["status"] == "due"


def test_a_correction_is_not_confirmed_by_one_person_with_two_accounts(runtime: Runtime, sign_in: Any) -> None:
    gate = Gate.open(runtime, sign_in)
    trip_id = gate.declare()
    gate.arrive("29C-123.45")
    gate.to_quarantine(trip_id)
    first, second = gate.person("yard_operator"), sign_in("yard_operator", gate_id="huu-nghi", locale="en")
    body = {"kind": "reopen", "reason": "Nhầm xe, xem lại"}
    asked = first.post(f"/api/v1/trips/{trip_id}/steps/yard/corrections", json=body)
    assert asked.status_code in {200, 201}, asked.text
    name = first.get("/api/v1/me").json()["username"]
    assert link(sign_in("administrator"), second.account_id, name).status_code == 200
    number = asked.json()["correction_id"]
    decided = second.post(f"/api/v1/corrections/{number}/decision", json={"approved": True, "reason": ""})
    assert decided.status_code == 403, decided.text
    assert "another account of yours" in decided.json()["detail"]
