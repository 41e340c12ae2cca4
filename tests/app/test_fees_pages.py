"""The pages of fees: what the collector's counter and the page of one fee show to whom."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.fees import bank
from app.fees import pages as fee_pages
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


class Forms(HTMLParser):
    """Where the forms of a page send to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("data-send")
        if tag == "form" and target:
            self.targets.append(target)


def page(who: TestClient, where: str, language: str = "vi") -> str:
    answer = who.get(where, headers={"accept-language": language, "accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_counter_lists_what_waits(counter: Counter) -> None:
    due, asked = counter.due("29C-111.11"), counter.fee(counter.trip("29C-222.22"))
    waived = counter.due("29C-333.33")
    counter.pay(7_000, "tien <b>hang</b>")
    counter.act(waived["trip_id"], "waiver", reason="Hàng cứu trợ")
    counter.act(counter.due("29C-444.44")["trip_id"], "cash", amount_vnd=100_000)
    shown = page(counter.cashier, "/fees")
    assert f"/fees/{due['fee_id']}" in shown
    assert f"/fees/{asked['fee_id']}" in shown
    assert "Tờ khai chưa có:" in shown
    assert "<b>hang</b>" not in shown
    assert "/api/v1/payments/closings" in Forms(shown).targets
    assert not [target for target in Forms(shown).targets if "releases" in target]  # the first cashier asked
    assert [target for target in Forms(page(counter.second, "/fees")).targets if "releases" in target]
    counter.cashier.post("/api/v1/payments/closings", json={"counted_cash_vnd": 100_000})
    assert "QLCK-HUUNGHI-2026" in page(counter.cashier, "/fees/board")


def test_each_status_of_a_fee_has_its_acts(counter: Counter) -> None:
    asked = counter.fee(counter.trip("29C-222.22"))
    where = f"/fees/{asked['fee_id']}"
    assert {target.rsplit("/", 1)[1] for target in Forms(page(counter.cashier, where)).targets} == {
        "answers",
        "decision",
        "waiver",
    }
    counter.act(asked["trip_id"], "decision", amount_vnd=500_000, reason="Theo biểu phí")
    assert {target.rsplit("/", 1)[1] for target in Forms(page(counter.cashier, where)).targets} == {"cash", "waiver"}
    counter.pay(500_000, asked["reference"])
    assert {target.rsplit("/", 1)[1] for target in Forms(page(counter.cashier, where)).targets} == {"confirm", "refund"}
    counter.act(asked["trip_id"], "confirm")
    paid = page(counter.cashier, where)
    assert "/receipt" in paid
    assert {target.rsplit("/", 1)[1] for target in Forms(paid).targets} == {"refund"}


@pytest.mark.parametrize("language", ["vi", "en", "zh"])
def test_the_payer_sees_code_and_derivation_but_no_acts(counter: Counter, language: str) -> None:
    fee = counter.due()
    shown = page(counter.enterprise, f"/fees/of-trip/{fee['trip_id']}", language)
    assert "<svg" in shown
    assert fee["reference"] in shown
    assert "100" in shown
    assert Forms(shown).targets == []
    assert counter.enterprise.get("/fees").status_code == 403
    assert counter.tax.get(f"/fees/{fee['fee_id']}").status_code == 404


def test_simulated_accounts_are_entered_once(counter: Counter) -> None:
    with counter.runtime.sessions() as session:
        now = counter.runtime.clock.now()
        gates = {gate.site_id for gate in counter.runtime.corridor.gates()}
        added = [bank.seed_simulated_accounts(session, gates, secret_key="x" * 32, now=now) for _ in range(2)]
        session.rollback()
    assert added == [2 * len(gates) - 2, 0]


def test_what_is_missing_or_too_much_is_said(counter: Counter) -> None:
    def shown(fee: dict[str, Any]) -> set[str]:
        found = page(counter.cashier, f"/fees/{fee['fee_id']}", "en")
        return {name for name in ("received", "missing", "over") if f'data-testid="{name}"' in found}

    under, over = counter.due("29C-111.11"), counter.due("29C-222.22")
    assert shown(under) == set()
    counter.pay(60_000, under["reference"])
    assert shown(under) == {"received", "missing"}
    assert "40.000 đ" in page(counter.cashier, f"/fees/{under['fee_id']}")
    counter.pay(130_000, over["reference"])
    assert shown(over) == {"received", "over"}
    assert "30.000 đ" in page(counter.cashier, f"/fees/{over['fee_id']}")
    told = [counter.fee(fee["trip_id"]) for fee in (under, over)]
    assert [(fee["held_vnd"], fee["excess_vnd"], fee["outstanding_vnd"]) for fee in told] == [
        (60_000, 0, 40_000),
        (130_000, 30_000, 0),
    ]


def test_what_was_asked_for_stands_on_the_fee_until_a_second_person_decides(counter: Counter) -> None:
    fee = counter.due()
    where = f"/fees/{fee['fee_id']}"
    assert 'data-testid="asked"' not in page(counter.cashier, where)
    counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ")
    own = page(counter.cashier, where)
    assert "Hàng cứu trợ" in own.split('data-testid="asked"')[1]
    assert not [target for target in Forms(own).targets if target.endswith("/waiver") or "releases" in target]
    assert [target for target in Forms(page(counter.second, where)).targets if "releases" in target]
    assert 'data-testid="asked"' not in page(counter.enterprise, where)
    assert counter.decide().status_code == 204
    assert 'data-testid="asked"' not in page(counter.cashier, where)


def test_a_list_that_is_cut_does_not_give_its_length_for_the_number(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fee_pages, "MAX_LISTED", 1)
    counter.fee(counter.trip("29C-222.22"))
    assert "hơn 1" not in page(counter.cashier, "/fees")
    counter.fee(counter.trip("29C-333.33"))
    assert "hơn 1" in page(counter.cashier, "/fees")
