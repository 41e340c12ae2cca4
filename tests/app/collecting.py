"""A gate with its collectors that tests of fees begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.fees import bank, tariffs
from app.fees.schemas import AccountIn
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.procedures.procedure import Facts
from app.sheets.service import Sheets
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation, trip_body

SignIn = Callable[..., TestClient]


def goods(**changes: Any) -> dict[str, Any]:
    """A line of goods for a small truck."""
    return declaration_line(**{"gross_weight_kg": 1300.0, "net_weight_kg": 1200.0, "quantity": 1200.0, **changes})


@dataclass
class Counter:
    """A gate where fees are collected: two cashiers of the management center, one of the tax office, a bank."""

    runtime: Runtime
    sheets: Sheets
    sign_in: SignIn
    enterprise: TestClient
    cashier: TestClient
    second: TestClient
    tax: TestClient
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    transfers: int = 0

    def trip(self, plate: str = "29C-123.45", *, is_ready: bool = True, **changes: Any) -> int:
        """A declared trip whose fee is open, its turn come unless told otherwise; its id."""
        now = self.runtime.clock.now()
        made = self.enterprise.post("/api/v1/trips", json=trip_body(plate, now + timedelta(hours=1), **changes))
        assert made.status_code == 201, made.text
        trip = made.json()
        with self.runtime.sessions() as session:
            facts = Facts(
                direction=trip["direction"], regime=trip["regime"], goods_class=frozenset({trip["goods_class"]})
            )
            action = ActionContext(session, None, now)
            self.sheets.open_sheet(action, trip["trip_id"], facts)
            if is_ready:
                for step in ("health", "barrier_1", "yard"):
                    self.sheets.confirm_step(action, trip["trip_id"], step, expected_version=None)
            session.commit()
        return int(trip["trip_id"])

    def declare(self, plate: str = "29C-123.45", **changes: Any) -> int:
        """A trip declared by the enterprise with all its papers, a small truck of fresh goods unless told otherwise."""
        arrival = self.runtime.clock.now() + timedelta(hours=2)
        small = {
            "container": "none",
            "refrigerated": False,
            "payload_kg": 1500,
            "trailer_plate": "",
            "lines": [goods()],
        }
        body = {**declaration_body(arrival, plate=plate, **{**small, **changes}), "submit": True}
        made = self.enterprise.post("/api/v1/declarations", json=body)
        assert made.status_code in {200, 201}, made.text
        return int(made.json()["trip_id"])

    def fee(self, trip_id: int, who: TestClient | None = None) -> dict[str, Any]:
        """The fee of a trip as somebody (the enterprise) sees it."""
        answer = (who or self.enterprise).get(f"/api/v1/fees/of-trip/{trip_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def act(self, trip_id: int, act: str, who: TestClient | None = None, **body: Any) -> Response:
        """An act of a collector (the first cashier) on a trip's fee at its present version; the answer."""
        fee = self.fee(trip_id)
        version, key = body.pop("version", fee["version"]), body.pop("key", None)
        headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
        return (who or self.cashier).post(f"/api/v1/fees/{fee['fee_id']}/{act}", json=body or None, headers=headers)

    def due(self, plate: str = "29C-123.45", amount_vnd: int | None = None, **changes: Any) -> dict[str, Any]:
        """A fee that is due: 100,000 đ by the tariff, or as the cashier decided."""
        trip_id = self.trip(plate, **changes)
        if amount_vnd is None:
            answer = self.act(trip_id, "answers", facts={"payload_kg": 1500})
        else:
            answer = self.act(trip_id, "decision", amount_vnd=amount_vnd, reason="Tra theo biểu phí")
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "due"
        return dict(answer.json())

    def transfer(self, amount_vnd: int, content: str, **changes: Any) -> dict[str, Any]:
        """The bank's report of a transfer."""
        self.transfers += 1
        now = self.runtime.clock.now()
        return {
            "bank_ref": f"FT{self.transfers:06d}",
            "amount_vnd": amount_vnd,
            "received_at": now.isoformat(),
            "content": content,
            "payer": "NGUYEN VAN A",
            **changes,
        }

    def post(
        self, transfer: dict[str, Any], collector: str = "gate_management", *, age_s: int = 0, key: str | None = None
    ) -> Response:
        """The bank posts a report, signed `age_s` ago; the answer."""
        account = self.accounts[collector]
        body = orjson.dumps(transfer)
        timestamp = str(int(self.runtime.clock.now().timestamp()) - age_s)
        signature = bank.sign(key or account["webhook_key"], timestamp, body)
        headers = {"X-Timestamp": timestamp, "X-Signature": signature, "Content-Type": "application/json"}
        anyone = TestClient(self.cashier.app)
        return anyone.post(f"/api/v1/payments/bank/{account['collecting_account_id']}", content=body, headers=headers)

    def knock(self, body: bytes, headers: dict[str, str], collector: str = "gate_management") -> Response:
        """A gateway posts a message to the door of an account; the answer."""
        where = f"/api/v1/payments/bank/{self.accounts[collector]['collecting_account_id']}"
        return TestClient(self.cashier.app).post(where, content=body, headers=headers)

    def statement(self, content: bytes, who: TestClient | None = None) -> list[str]:
        """A statement is read by somebody (the first cashier); the results of its rows."""
        answer = (who or self.cashier).post("/api/v1/payments/statements", content=content)
        assert answer.status_code == 200, answer.text
        return [row["result"] for row in answer.json()["rows"]]

    def money(self) -> list[tuple[int, int, int]]:
        """What is booked: of each transfer its amount, the sum of its payments, and how many they are."""
        query = """
            SELECT t.amount_vnd, sum(p.amount_vnd)::bigint, count(*)::int
            FROM app.bank_transfer t LEFT JOIN app.payment p USING (transfer_id)
            GROUP BY t.transfer_id ORDER BY t.transfer_id
        """
        return [tuple(row) for row in self.rows(query)]

    def pay(self, amount_vnd: int, content: str, collector: str = "gate_management") -> dict[str, Any]:
        """A transfer comes in; what became of it."""
        answer = self.post(self.transfer(amount_vnd, content), collector)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def payment(self, payment_id: int) -> dict[str, Any]:
        """A payment as the first cashier sees it."""
        answer = self.cashier.get(f"/api/v1/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refund(self, payment_id: int, amount_vnd: int, reason: str = "Chuyển thừa") -> Response:
        """The first cashier asks for a refund; the answer."""
        version = self.payment(payment_id)["version"]
        body = {"amount_vnd": amount_vnd, "reason": reason}
        return self.cashier.post(
            f"/api/v1/payments/{payment_id}/refund", json=body, headers={"If-Match": f'"{version}"'}
        )

    def decide(self, who: TestClient | None = None, *, approved: bool = True, reason: str = "") -> Response:
        """Somebody (the second cashier) decides the only open release; the answer."""
        (release,) = (who or self.second).get("/api/v1/fees/releases").json()
        body = {"approved": approved, "reason": reason}
        return (who or self.second).post(f"/api/v1/fees/releases/{release['release_id']}", json=body)

    def step(self, trip_id: int) -> str:
        """Where the fee's step of a trip stands."""
        return str(self.rows("SELECT status FROM app.trip_step WHERE trip_id = :t AND step = 'fee'", t=trip_id)[0][0])

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Rows of a query."""
        with self.runtime.sessions() as session:
            return list(session.execute(text(query), parameters).all())


def open_counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn, *, organisation_id: int | None = None) -> Counter:
    """Prepare a `Counter`, for an enterprise of its own unless one is given."""
    if organisation_id is None:
        organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    counter = Counter(
        runtime,
        sheets,
        sign_in,
        sign_in("enterprise", organisation_id=organisation_id),
        sign_in("gate_management", gate_id="huu-nghi"),
        sign_in("gate_management", gate_id="huu-nghi"),
        sign_in("tax", gate_id="huu-nghi"),
    )
    with runtime.sessions() as session:
        now = runtime.clock.now()
        tariffs.seed_tariffs(session, now=now)
        for number, collector in enumerate(("gate_management", "tax")):
            entered = AccountIn(
                collector=collector,
                gate_id="huu-nghi",
                bank_bin="970436",
                bank_name="Vietcombank",
                account_number=f"102345678{number}",
                account_name="THU PHI",
                simulated=True,
            )
            account = bank.enter_account(
                ActionContext(session, None, now),
                entered,
                gates={"huu-nghi"},
                secret_key=runtime.settings.secret_key.get_secret_value(),
            )
            counter.accounts[collector] = account.model_dump()
        session.commit()
    return counter
