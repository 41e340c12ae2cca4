"""The bank as a neighbour: each transfer once, by whichever way it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.integrations.bank import bank
from app.integrations.exchange import TAKE_RETRIES, Exchanger
from app.integrations.simulators.bank import BankScript
from app.integrations.simulators.faults import Faults
from app.integrations.simulators.server import Simulator
from app.integrations.tables import InMessageRow
from app.integrations.vocabulary import InStatus
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter
from tests.app.neighbouring import connect, simulated

SignIn = Callable[..., TestClient]


@dataclass
class Bank:
    """A counter, the bank beside it, and the exchange with that."""

    counter: Counter
    simulator: Simulator
    exchanger: Exchanger

    def come_in(self, bank_ref: str, amount_vnd: int, content: str, account_number: str) -> None:
        """Money comes in, and the bank says so, often more than once."""
        body = {"account_number": account_number, "amount_vnd": amount_vnd, "content": content, "payer": "CTY A"}
        self.simulator.tell(bank_ref, dict(body))
        for _ in range(8):
            self.exchanger.run_round()
            self.counter.runtime.clock.advance(30)  # type: ignore[attr-defined]


@pytest.fixture
def beside(runtime: Runtime, sheets: Sheets, sign_in: SignIn, tmp_path: Path) -> Iterator[Bank]:
    counter = open_counter(runtime, sheets, sign_in)
    with simulated(runtime, BankScript(), tmp_path, faults=Faults(repeats=1.0, fails=0.2), seed=2) as simulator:
        yield Bank(counter, simulator, connect(runtime, bank(), simulator.url))


def test_a_transfer_pays_its_fee_once_however_often_and_by_whatever_way_it_is_told(beside: Bank) -> None:
    counter = beside.counter
    fee = counter.due()
    account = counter.enterprise.get(f"/api/v1/fees/{fee['fee_id']}/vietqr").json()["account_number"]
    beside.come_in("FT990001", 100_000, fee["reference"], account)
    assert counter.fee(fee["trip_id"])["outstanding_vnd"] == 0
    report = counter.transfer(100_000, fee["reference"], bank_ref="FT990001")
    reported = counter.post(report, "gate_management").json()
    assert reported["repeated"], "the gateway tells of the same transfer"
    paid = counter.act(fee["trip_id"], "confirm").json()
    assert [payment["amount_vnd"] for payment in paid["payments"]] == [100_000]


def test_money_on_nobodys_account_waits_for_a_person(beside: Bank, runtime: Runtime) -> None:
    beside.come_in("FT990002", 5_000, "?", "999")
    for _ in TAKE_RETRIES.pauses:
        runtime.clock.advance(600)  # type: ignore[attr-defined]
        beside.exchanger.take_in()
    with runtime.sessions() as session:
        row = session.scalars(select(InMessageRow)).one()
    assert row.status == InStatus.DEAD
    assert "999" in row.note
