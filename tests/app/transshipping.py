"""Transshipments over the API: what tests of receiving vehicles begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from httpx import Response

from tests.app.stationing import FRUIT, Gate

URL = "/api/v1/transshipments"
CHINESE, SECOND = "桂F·A1234", "桂F·B5678"
RECEIVER_LEAVES = (
    ("health_quarantine", "health"),
    ("customs", "customs"),
    ("gate_management", "fee"),
    ("border_guard", "barrier_2"),
)
"""What is to be done for an export's receiving vehicle, and the way it is left by."""


def move(packages: int, weight_kg: str, to_plate: str, **more: Any) -> dict[str, Any]:
    """A move of the first line."""
    return {"line": 1, "to_plate": to_plate, "packages": packages, "weight_kg": weight_kg, **more}


def trip_of(found: dict[str, Any], plate: str) -> int:
    """The trip that a receiving vehicle got."""
    return int(next(each["trip_id"] for each in found["receivers"] if each["plate"] == plate))


@dataclass
class Yard:
    """The transshipment yard of a gate."""

    gate: Gate

    def export(self, plate: str = "29C-123.45", **changes: Any) -> int:
        """An export of fruit past quarantine; its trip."""
        trip_id = self.gate.declare(plate, **{"lines": [FRUIT], **changes})
        self.gate.after_quarantine(trip_id)
        return trip_id

    def register(
        self, trip_id: int, moves: list[dict[str, Any]], receivers: list[dict[str, Any]] | None = None
    ) -> Response:
        """The enterprise registers."""
        body = {"trip_id": trip_id, "moves": moves, "receivers": receivers or []}
        return self.gate.person("enterprise").post(URL, json=body)

    def act(self, role: str, found: dict[str, Any], what: str, body: Any = None, **headers: str) -> Response:
        """An act on a transshipment as it was read."""
        known = {"If-Match": f'"{found["version"]}"', **headers}
        return self.gate.person(role).post(f"{URL}/{found['transshipment_id']}/{what}", json=body, headers=known)

    def approved(
        self, trip_id: int, moves: list[dict[str, Any]], receivers: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Registered and approved."""
        made = self.register(trip_id, moves, receivers)
        assert made.status_code == 201, made.text
        answer = self.act("customs", made.json(), "approve")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def transship(
        self, trip_id: int, moves: list[dict[str, Any]], receivers: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Registered, approved and carried out; as it reads then."""
        done = self.act("yard_operator", self.approved(trip_id, moves, receivers), "carry-out", {"moves": moves})
        assert done.status_code == 200, done.text
        return dict(done.json())

    def turn_back(self, trip_id: int) -> Response:
        """Border guard let the truck go away from the gate."""
        guard = self.gate.person("border_guard")
        tag = guard.get(f"/api/v1/trips/{trip_id}/sheet").headers["ETag"]
        body = {"reason": "Xe quay đầu về nội địa"}
        return guard.post(f"/api/v1/trips/{trip_id}/turn-back", json=body, headers={"If-Match": tag})

    def pay(self, trip_id: int, amount_vnd: int = 150_000) -> None:
        """The collector decides what the tariff leaves open, and takes it in cash."""
        cashier = self.gate.person("gate_management")
        answer = cashier.get(f"/api/v1/fees/of-trip/{trip_id}")
        assert answer.status_code == 200, answer.text
        where = f"/api/v1/fees/{answer.json()['fee_id']}"
        if answer.json()["status"] == "open_question":
            body: dict[str, Any] = {"amount_vnd": amount_vnd, "reason": "Tra theo biểu phí"}
            answer = cashier.post(f"{where}/decision", json=body, headers={"If-Match": answer.headers["ETag"]})
            assert answer.status_code == 200, answer.text
        body = {"amount_vnd": answer.json()["outstanding_vnd"]}
        paid = cashier.post(f"{where}/cash", json=body, headers={"If-Match": answer.headers["ETag"]})
        assert paid.json()["status"] == "paid", paid.text

    def leave(self, trip_id: int, *steps: tuple[str, str]) -> None:
        """A receiving vehicle does what is left, and goes over the border."""
        for role, step in steps or RECEIVER_LEAVES:
            if step == "fee":
                self.pay(trip_id)
            else:
                self.gate.pass_steps(trip_id, (role, step))
        sheet = self.gate.sheet(trip_id)
        assert sheet["is_finished"]
        assert sheet["trip"]["stage"] == "out"

    def redeclare(self, trip_id: int, **changes: Any) -> Response:
        """The enterprise declares a returned trip again, with changes."""
        enterprise = self.gate.person("enterprise")
        read = enterprise.get(f"/api/v1/declarations/{trip_id}")
        known = {name: value for name, value in read.json()["data"].items() if value not in (None, "")}
        body = {**known, **changes, "submit": True}
        where = f"/api/v1/declarations/{trip_id}"
        return enterprise.put(where, json=body, headers={"If-Match": read.headers["ETag"]})
