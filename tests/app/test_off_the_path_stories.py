"""In no order of legal acts do trip, sheet, fee, yards and presence contradict each other; what was cleared leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.declarations.differences import changed_parts, differences
from app.fees.vocabulary import FeeStatus
from app.platform.runtime import Runtime
from app.procedures.steps import Step, StepStatus
from app.trips.vocabulary import PlaceKind, Stage
from capacity import store as capacity_store
from tests.app.declaring import declaration_line
from tests.app.stationing import Gate
from tests.conftest import NOW
from tests.profiles import examples

SignIn = Callable[..., TestClient]
GATES = ("huu-nghi", "tan-thanh")
OWNERS = {
    "health": "health_quarantine",
    "barrier_1": "border_guard",
    "yard": "yard_operator",
    "quarantine_plant": "plant_quarantine",
    "customs": "customs",
    "barrier_2": "border_guard",
}
CHANGES: tuple[dict[str, Any], ...] = (
    {"driver_name": "Trần Văn Bình"},
    {"lines": [declaration_line(quantity=17000.0)]},
    {"customs_number": "305123456799"},
    {"trailer_plate": "29R-777.77"},
    {"regime": "border_transfer"},
    {"gate_id": "tan-thanh"},
)
FEW = settings(examples(20, suppress=list(HealthCheck)), phases=[Phase.explicit, Phase.generate])
"""An example is a dozen acts over the API; shrinking one takes longer than reading it."""


@dataclass
class Story:
    """A trip on which people act, each as the rules let them; what is refused leaves everything as it is."""

    gate: Gate
    plate: str
    trip_id: int
    second: dict[str, TestClient]
    told: list[str]

    def happen(self, what: int, choice: int) -> None:
        doing = (
            self._confirm,
            self._confirm,
            self._confirm,
            self._mistap,
            self._return,
            self._declare_again,
            self._declare_again,
            self._pay,
            self._pay,
            self._take_over,
            self._correct,
            self._cancel,
            self._turn_back,
        )
        act = doing[what % len(doing)]
        self.advance(90.0)
        answer = act(choice)
        if answer is not None:
            assert answer.status_code < 500, answer.text
        self.told.append(f"{act.__name__} {choice}: {'-' if answer is None else answer.status_code}")

    def begin(self, steps: int) -> None:
        """The straight path, so far."""
        for step in ("health", "barrier_1", "yard", "quarantine_plant", "customs", "fee", "fee", "barrier_2")[:steps]:
            self.advance(90.0)
            if step == "fee":
                self._pay(0)
            else:
                self._post(OWNERS[step], f"steps/{step}/confirm", {"reason": "Đã xem"})
        self.told.append(f"begun {steps}")

    def advance(self, seconds: float) -> None:
        self.gate.runtime.clock.advance(seconds)  # type: ignore[attr-defined]

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.gate.runtime.sessions() as session:
            return list(session.execute(text(query), {"id": self.trip_id, **values}).all())

    @property
    def trip(self) -> Any:
        return self.rows("SELECT * FROM app.trip WHERE trip_id = :id")[0]

    def _post(self, role: str, what: str, body: Any, *, gate_id: str | None = None) -> Response:
        trip = self.trip
        person = self.gate.person(role, gate_id or trip.gate_id)
        where = f"/api/v1/trips/{self.trip_id}/{what}"
        return person.post(where, json=body, headers={"If-Match": f'"{trip.version}"'})

    def _ready(self, choice: int) -> str | None:
        query = "SELECT step FROM app.trip_step WHERE trip_id = :id AND status IN ('ready', 'returned') ORDER BY step"
        ready = [row.step for row in self.rows(query) if row.step in OWNERS]
        return ready[choice % len(ready)] if ready else None

    def _confirm(self, choice: int) -> Response | None:
        step = self._ready(choice)
        return None if step is None else self._post(OWNERS[step], f"steps/{step}/confirm", {"reason": "Đã xem"})

    def _mistap(self, choice: int) -> Response | None:
        step = self._ready(choice)
        if step is None or self._post(OWNERS[step], f"steps/{step}/confirm", {"reason": "Đã xem"}).status_code != 200:
            return None
        self.advance(10.0)
        return self._post(OWNERS[step], f"steps/{step}/undo", None)

    def _return(self, choice: int) -> Response | None:
        step = self._ready(choice)
        body = {"reasons": ["driver_differs"]}
        return None if step is None else self._post(OWNERS[step], f"steps/{step}/return", body)

    def _declare_again(self, choice: int) -> Response:
        enterprise, where = self.gate.person("enterprise"), f"/api/v1/declarations/{self.trip_id}"
        read = enterprise.get(where)
        body = {**read.json()["data"], **CHANGES[choice % len(CHANGES)], "submit": True}
        return enterprise.put(where, json=body, headers={"If-Match": read.headers["ETag"]})

    def _pay(self, _choice: int) -> Response | None:
        cashier = self.gate.person("gate_management", self.trip.gate_id)
        read = cashier.get(f"/api/v1/fees/of-trip/{self.trip_id}")
        if read.status_code != 200:
            return read
        where, tag = f"/api/v1/fees/{read.json()['fee_id']}", {"If-Match": read.headers["ETag"]}
        if read.json()["status"] == "open_question":
            decision = {"amount_vnd": 150_000, "reason": "Tra theo biểu phí"}
            return cashier.post(f"{where}/decision", json=decision, headers=tag)
        return cashier.post(f"{where}/cash", json={"amount_vnd": read.json()["outstanding_vnd"]}, headers=tag)

    def _take_over(self, _choice: int) -> Response:
        other = next(gate_id for gate_id in GATES if gate_id != self.trip.gate_id)
        where = f"/api/v1/stations/elsewhere/{self.trip_id}/take-over"
        return self.gate.person("border_guard", other).post(where, json={"plate": self.plate})

    def _correct(self, choice: int) -> Response:
        step = ("barrier_1", "barrier_2", "turned_back")[choice % 3]
        gate_id = self.trip.gate_id
        asked = self._post("border_guard", f"steps/{step}/corrections", {"kind": "reopen", "reason": "Nhầm xe"})
        if asked.status_code != 201:
            return asked
        where = f"/api/v1/corrections/{asked.json()['correction_id']}/decision"
        return self.second[gate_id].post(where, json={"approved": choice % 4 != 3, "reason": "Đã xem lại"})

    def _cancel(self, _choice: int) -> Response:
        return self._post("enterprise", "cancel", None, gate_id=GATES[0])

    def _turn_back(self, choice: int) -> Response | None:
        return self._post("border_guard", "turn-back", {"reason": "Quay đầu"}) if choice % 3 == 0 else None

    # What must hold

    def check(self) -> None:
        trip = self.trip
        steps = {row.step: row for row in self.rows("SELECT * FROM app.trip_step WHERE trip_id = :id")}
        self._check_procedure(trip)
        self._check_cleared(steps)
        self._check_fee(trip, steps)
        self._check_place(trip, steps)

    def _check_procedure(self, trip: Any) -> None:
        """The sheet is one of the procedure of the trip's gate, direction and regime."""
        (procedure,) = self.rows(
            "SELECT p.* FROM app.procedure p JOIN app.trip t USING (procedure_id) WHERE t.trip_id = :id"
        )
        assert (procedure.direction, procedure.regime) == (trip.direction, trip.regime)
        assert procedure.gate_id in {trip.gate_id, "*", "", None} or procedure.gate_id not in GATES

    def _check_cleared(self, steps: dict[str, Any]) -> None:
        """What somebody confirmed has not been changed since, nor was the trip taken elsewhere."""
        revisions = self.rows(
            "SELECT data, submitted_at FROM app.declaration WHERE trip_id = :id AND submitted_at IS NOT NULL "
            "ORDER BY revision"
        )
        changed_at: dict[str, datetime] = {}
        for before, after in pairwise(revisions):
            for part in changed_parts(differences(before.data, after.data)):
                changed_at[part] = after.submitted_at
        query = "SELECT max(at) AS at FROM app.trip_event WHERE trip_id = :id AND kind = 'gate_changed'"
        moved_at = self.rows(query)[0].at
        for step in steps.values():
            if step.status != StepStatus.DONE or step.done_by is None or step.step == Step.DECLARATION:
                continue
            assert moved_at is None or step.done_at > moved_at, step.step
            for part in Step.get(step.step).spec.vouches:
                assert part not in changed_at or step.done_at >= changed_at[part], (step.step, part)

    def _check_fee(self, trip: Any, steps: dict[str, Any]) -> None:
        """The fee is collected where the trip is, and its step says whether it is settled."""
        for fee in self.rows("SELECT * FROM app.fee WHERE trip_id = :id"):
            if fee.status in FeeStatus.open():
                assert fee.gate_id == trip.gate_id
            if Stage.get(trip.stage) in Stage.open() and steps["fee"].status == StepStatus.DONE:
                assert fee.status in FeeStatus.settled()

    def _check_place(self, trip: Any, steps: dict[str, Any]) -> None:
        """Stage, place and the yards' ledger agree; only what is confirmed to the last step has crossed."""
        rows = self.rows("SELECT * FROM app.trip_place WHERE trip_id = :id ORDER BY began_at")
        yards = {
            row.yard_id
            for row in self.rows(
                "SELECT yard_id FROM capacity.presence WHERE vehicle_id = :vehicle_id AND left_at IS NULL",
                vehicle_id=trip.vehicle_id,
            )
        }
        if trip.stage == Stage.CANCELLED:
            assert not yards
            return
        place = rows[-1]
        kind = PlaceKind.get(place.kind)
        assert place.ended_at is None
        assert yards == ({place.site_id} if place.site_id is not None else set())
        is_elsewhere = place.gate_id not in {None, trip.gate_id} and kind not in PlaceKind.over()
        assert trip.stage == (Stage.ON_THE_ROAD if is_elsewhere else kind.stage)
        is_finished = steps["barrier_2"].status == StepStatus.DONE
        assert (kind is PlaceKind.OVER_THE_BORDER) == is_finished
        if is_finished:
            waiting = {row.step for row in steps.values() if row.status not in (StepStatus.DONE, StepStatus.NOT_NEEDED)}
            assert waiting <= {"barrier_1"}, "corrected since, or nothing is left"


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    runtime.settings.session_hours = 24 * 365
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return Gate.open(runtime, sign_in)


@pytest.fixture
def second(gate: Gate) -> dict[str, TestClient]:
    return {gate_id: gate.sign_in("border_guard", gate_id=gate_id, locale="en") for gate_id in GATES}


@pytest.mark.long
@FEW
@given(st.binary(min_size=25, max_size=25))
def test_no_order_of_acts_makes_anything_contradict(gate: Gate, second: dict[str, TestClient], raw: bytes) -> None:
    gate.runtime.clock.moment = NOW  # type: ignore[attr-defined]
    with gate.runtime.sessions() as session:
        number = int(session.scalar(text("SELECT count(*) FROM app.trip")) or 0)
    plate = f"29C-{number // 100:03d}.{number % 100:02d}"
    arrival = gate.runtime.clock.now() + timedelta(hours=2)
    trip_id = gate.declare(plate, planned_arrival=arrival.isoformat())
    story = Story(gate, plate, trip_id, second, [])
    story.begin(raw[0] % 9)
    for what, choice in zip(raw[1::2], raw[2::2], strict=True):
        story.happen(what, choice)
        try:
            story.check()
        except AssertionError as broken:
            raise AssertionError("\n".join([*story.told, str(broken)])) from broken
