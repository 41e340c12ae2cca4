"""People who write through the API with idempotency keys and repeat until they are answered."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.tables import Organisation
from app.bootstrap import make_sheets
from app.platform.actions import ActionContext
from app.procedures.procedure import Facts
from bench.chaos.platform import TRUST, Platform

GATE = "huu-nghi"
YARD = "xuan-cuong"
PASSWORD = "correct horse battery staple"
ROLES = ("yard_operator", "traffic_police", "enterprise", "gate_management")
PAUSE_S = 0.3
TIMES = ("valid_to", "planned_arrival")
"""What people write that the platform compares with its clock."""


@dataclass
class Deeds:
    """What the platform answered with success: numbers of yard movements, ids of orders, trips, paid fees."""

    movements: int = 0
    inside: int = 0
    orders: list[int] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    paid_fees: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.movements + len(self.orders) + len(self.trips) + len(self.paid_fees)


class Office:
    """Moves trucks through a yard, issues orders, enters trips and takes cash until `stop`, each in its own thread.

    Requests are repeated until they are answered with success, and every fifth is sent once more with the same key.
    `unexpected` holds answers that no repeat mends. Where the platform's clock jumps, people do what people do: they
    sign in again when they are told to, and write times that were refused again, by the platform's clock.
    """

    def __init__(
        self,
        platform: Platform,
        vehicle_ids: list[int],
        *,
        payments: int = 20,
        pause_s: float = 0.5,
        clock_jumps: bool = False,
    ) -> None:
        self.platform, self.vehicle_ids, self.pause_s, self.clock_jumps = platform, vehicle_ids, pause_s, clock_jumps
        self._now = datetime.now(UTC)
        self.deeds = Deeds()
        self.answers: Counter[int] = Counter()
        self.unexpected: list[str] = []
        self._stopping = threading.Event()
        self._clients: dict[str, httpx.Client] = {}
        self._open_accounts()
        self._fees = self._open_fees(payments)
        jobs = (self._move, self._order, self._enter_trip, self._pay)
        self._threads = [threading.Thread(target=self._work, args=(job,), daemon=True) for job in jobs]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 120.0) -> None:
        """Bring what is under way to its answer, and no more.

        Raises
        ------
        RuntimeError
            If something stays without an answer of success.
        """
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)
            if thread.is_alive():
                raise RuntimeError(f"A request is not answered after {timeout_s:.0f} s: {self.answers}")
        for client in self._clients.values():
            client.close()

    def _open_accounts(self) -> None:
        with Session(self.platform.engine) as session:
            action = ActionContext(session, None, datetime.now(UTC))
            enterprise = Organisation(name="Nông sản Lạng Sơn", kind="enterprise")
            session.add(enterprise)
            session.flush()
            for role in ROLES:
                bound: dict[str, Any] = (
                    {"organisation_id": enterprise.organisation_id} if role == "enterprise" else {"gate_id": GATE}
                )
                accounts.create_account(action, username=role, password=PASSWORD, full_name=role, role=role, **bound)
            session.commit()
        for role in ROLES:
            self._clients[role] = httpx.Client(base_url=self.platform.url, timeout=15, verify=TRUST)
            self._sign_in(role)

    def _sign_in(self, role: str) -> None:
        client = self._clients[role]
        answer = client.post("/api/v1/tokens", data={"username": role, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def _open_fees(self, count: int) -> list[tuple[int, int, str]]:
        """Trips whose fee is due: the fee, its amount in đồng, its ETag."""
        found = []
        sheets = make_sheets()
        for number in range(count):
            body = _trip(f"12C-{number + 1:05d}", self._now)
            trip = self._clients["enterprise"].post("/api/v1/trips", json=body).raise_for_status().json()
            with Session(self.platform.engine) as session:
                action = ActionContext(session, None, datetime.now(UTC))
                facts = Facts(
                    direction=trip["direction"],
                    regime=trip["regime"],
                    goods_class=frozenset({trip["goods_class"]}),
                )
                sheets.open_sheet(action, trip["trip_id"], facts)
                for step in ("health", "barrier_1", "yard"):
                    sheets.confirm_step(action, trip["trip_id"], step, expected_version=None)
                session.commit()
            cashier = self._clients["gate_management"]
            answer = cashier.get(f"/api/v1/fees/of-trip/{trip['trip_id']}").raise_for_status()
            decided = cashier.post(
                f"/api/v1/fees/{answer.json()['fee_id']}/decision",
                json={"amount_vnd": 150_000, "reason": "Tra theo biểu phí"},
                headers={"If-Match": answer.headers["ETag"]},
            ).raise_for_status()
            found.append((decided.json()["fee_id"], decided.json()["outstanding_vnd"], decided.headers["ETag"]))
        return found

    def _work(self, job: Callable[[int], bool]) -> None:
        for number in itertools.count():
            if self._stopping.is_set() or not job(number):
                return
            self._stopping.wait(self.pause_s)

    def _move(self, number: int) -> bool:
        kind = "leave" if number % 3 == 2 else "enter"
        plate = f"98C-{number - 1 if kind == 'leave' else number:05d}"
        body = {"plate": plate, "kind": kind}
        done = self._send("yard_operator", f"/api/v1/yards/{YARD}/movements", lambda _: body, number)
        if done is not None:
            self.deeds.movements += 1
            self.deeds.inside += 1 if kind == "enter" else -1
        return True

    def _order(self, number: int) -> bool:
        def order(now: datetime) -> dict[str, Any]:
            return {
                "kind": "hold",
                "selection": {"vehicle_ids": [self.vehicle_ids[number % len(self.vehicle_ids)]]},
                "valid_to": (now + timedelta(hours=2)).isoformat(),
                "parameters": {"site_id": "staging-lang-son", "reason": "queue"},
            }

        done = self._send("traffic_police", "/api/v1/orders", order, number)
        if done is not None:
            self.deeds.orders.append(int(done["order_id"]))
        return True

    def _enter_trip(self, number: int) -> bool:
        done = self._send("enterprise", "/api/v1/trips", partial(_trip, f"14C-{number + 1:05d}"), number)
        if done is not None:
            self.deeds.trips.append(int(done["trip_id"]))
        return True

    def _pay(self, number: int) -> bool:
        if number >= len(self._fees):
            return False
        fee_id, amount_vnd, etag = self._fees[number]
        path, body = f"/api/v1/fees/{fee_id}/cash", {"amount_vnd": amount_vnd}
        done = self._send("gate_management", path, lambda _: body, number, {"If-Match": etag})
        if done is not None:
            self.deeds.paid_fees.append(fee_id)
        return True

    def _send(
        self,
        role: str,
        path: str,
        write: Callable[[datetime], dict[str, Any]],
        number: int,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Send what `write` makes at a time until it is answered; where its times are refused it is written again."""
        while True:
            sent, named = write(self._now), {"Idempotency-Key": str(uuid.uuid4()), **(headers or {})}
            status, answer = self._until_answered(role, path, sent, named)
            if status < 300:
                break
            if not (self.clock_jumps and status == 422 and any(name in str(answer) for name in TIMES)):
                self.unexpected.append(f"{path} {status} {str(answer)[:300]}")
                return None
            time.sleep(PAUSE_S)
        if number % 5 == 0:
            status, again = self._until_answered(role, path, sent, named)
            if status >= 300 or again.keys() != answer.keys():
                self.unexpected.append(f"{path} repeated: {status} {str(again)[:300]}")
        return answer

    def _until_answered(
        self, role: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        while True:
            status = 0
            with contextlib.suppress(httpx.HTTPError):
                answer = self._clients[role].post(path, json=body, headers=headers)
                status = answer.status_code
                self._now = parsedate_to_datetime(answer.headers["Date"])
            self.answers[status] += 1
            if status == 401 and self.clock_jumps:
                with contextlib.suppress(httpx.HTTPError):
                    self._sign_in(role)
            elif status not in {0, 503}:
                return status, answer.json()
            time.sleep(PAUSE_S)


def _trip(plate: str, now: datetime) -> dict[str, Any]:
    return {
        "plate": plate,
        "goods": "Thanh long tươi",
        "goods_class": "fresh_fruit",
        "regime": "export",
        "gate_id": GATE,
        "planned_arrival": (now + timedelta(hours=1)).isoformat(),
    }
