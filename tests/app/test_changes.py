"""What may be changed of a trip in which state: the table, and every door that asks it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.procedures.changes import Change, Rule, SheetState, Situation, Whereabouts, refusal, rule_of
from app.procedures.procedure import DECLARED_PARTS, Facts, Procedure, Sheet
from app.procedures.steps import Step, StepStatus
from app.trips.vocabulary import Stage
from tests.app.declaring import declaration_body, declaration_line
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
BY_ENTERPRISE = [change for change in Change if change not in {Change.DIVERT, Change.TAKE_OVER}]
ENTRY = (("health_quarantine", "health"), ("border_guard", "barrier_1"), ("yard_operator", "yard"))
SHIPPED = [
    (
        Procedure.from_definition(definition),
        Facts(direction=direction, regime=regime, goods_class=frozenset({"fresh_fruit"})),
    )
    for (_, direction, regime), _, definition in procedures.shipped()
]
CLEARED = (*ENTRY, ("plant_quarantine", "quarantine_plant"), ("customs", "customs"))
PHONES = declaration_line(hs_code="8517.13", description="Điện thoại", goods_class="electronics", temperature_c=None)


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def situation(state: SheetState, place: Whereabouts) -> Situation:
    return Situation(
        stage=Stage.QUEUED if place is Whereabouts.QUEUED else Stage.PLANNED,
        is_on_site=place is Whereabouts.ON_SITE,
        is_declared=state is not SheetState.ENTERED,
        is_returned=state is SheetState.RETURNED,
        decided=frozenset({"barrier_1"}) if state is SheetState.HANDLED else frozenset(),
    )


# The table


def test_a_situation_is_read_from_what_is_known() -> None:
    for state, place in itertools.product(SheetState, Whereabouts):
        found = situation(state, place)
        assert (found.sheet, found.whereabouts) == (state, place)


def test_what_an_agency_vouched_for_is_changed_by_nobody_alone() -> None:
    for change, place in itertools.product(BY_ENTERPRISE, Whereabouts):
        rule = rule_of(change, situation(SheetState.HANDLED, place))
        assert rule.is_refusal or change is Change.ARRIVAL, (change, place)
        back = rule_of(change, situation(SheetState.RETURNED, place))
        assert back is not Rule.FREE or change in {Change.ARRIVAL, Change.CANCEL}, (change, place)


def test_a_truck_at_its_gate_is_neither_cancelled_nor_sent_elsewhere_from_outside() -> None:
    for state in SheetState:
        for change in (Change.CANCEL, Change.GATE, Change.DIVERT):
            assert rule_of(change, situation(state, Whereabouts.ON_SITE)).is_refusal, (change, state)


def test_a_trip_that_is_over_is_closed() -> None:
    for stage in (Stage.OUT, Stage.CANCELLED):
        over = Situation(stage, is_on_site=False, is_declared=True)
        assert all(refusal({change}, over, "ABC") is not None for change in Change)


def test_each_field_of_trip_and_declaration_belongs_to_a_change() -> None:
    names = {
        "plate": Change.TRUCK,
        "trailer_plate": Change.TRAILER,
        "container": Change.CONTAINER,
        "driver_id": Change.DRIVER,
        "driver_name": Change.DRIVER,
        "health_symptoms": Change.DRIVER,
        "goods_class": Change.GOODS,
        "lines.2.quantity": Change.GOODS,
        "customs_number": Change.CUSTOMS,
        "regime": Change.REGIME,
        "gate_id": Change.GATE,
        "planned_arrival": Change.ARRIVAL,
    }
    assert {name: Change.of_field(name) for name in names} == names


def test_every_station_vouches_for_something_and_every_part_has_a_voucher() -> None:
    assert all(step.spec.vouches for step in Step.stations())
    assert {part for step in Step for part in step.spec.vouches} == set(DECLARED_PARTS)
    assert not Step.DECLARATION.spec.vouches


@given(st.sampled_from(SHIPPED), st.sets(st.sampled_from(DECLARED_PARTS)), st.integers(0, 20))
def test_no_step_vouches_for_what_was_changed_behind_it(
    shipped: tuple[Procedure, Facts], changed: set[str], confirmed: int
) -> None:
    procedure, facts = shipped
    sheet = Sheet(procedure, facts)
    for _ in range(confirmed):
        ready = [step for step in procedure.steps if sheet.may(step, "confirm") is None and step != procedure.exit]
        if not ready:
            break
        sheet = sheet.confirm(ready[0])
    before, after = sheet.state(), sheet.with_facts(facts, changed).state()
    for name, step in procedure.steps.items():
        if step.vouches & changed:
            assert after[name] != StepStatus.DONE, name
        else:
            assert (before[name] == StepStatus.DONE) == (after[name] == StepStatus.DONE), name


# The doors


def patch(gate: Gate, trip_id: int, **changes: Any) -> Response:
    where = f"/api/v1/trips/{trip_id}"
    person = gate.person("enterprise")
    return person.patch(where, json=changes, headers={"If-Match": person.get(where).headers["ETag"]})


def cancel(gate: Gate, trip_id: int) -> Response:
    where, person = f"/api/v1/trips/{trip_id}", gate.person("enterprise")
    return person.post(f"{where}/cancel", headers={"If-Match": person.get(where).headers["ETag"]})


def redeclare(gate: Gate, trip_id: int, **changes: Any) -> Response:
    where, person = f"/api/v1/declarations/{trip_id}", gate.person("enterprise")
    read = person.get(where)
    body = {**read.json()["data"], **changes, "submit": True}
    return person.put(where, json=body, headers={"If-Match": read.headers["ETag"]})


CHANGES: list[dict[str, Any]] = [
    {"goods": "Điện thoại", "goods_class": "electronics"},
    {"regime": "transit", "direction": "export"},
    {"gate_id": "tan-thanh"},
    {"trailer_plate": "29R-999.99"},
    {"planned_arrival": "2026-03-03T17:00:00+07:00"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_cleared_trip_is_not_turned_into_another(gate: Gate, change: dict[str, Any]) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, *CLEARED)
    before = gate.sheet(trip_id)
    answer = patch(gate, trip_id, **change)
    assert answer.status_code == 409, answer.text
    assert before["trip"]["code"] in answer.json()["detail"]
    assert gate.sheet(trip_id) == before
    assert cancel(gate, trip_id).status_code == 409
    declared = {"lines": [PHONES]} if "goods" in change else change
    assert redeclare(gate, trip_id, **declared).status_code == 409
    assert gate.sheet(trip_id) == before


def test_a_truck_that_an_officer_saw_at_the_gate_is_not_cancelled_wherever_its_gps_is(gate: Gate) -> None:
    trip_id = gate.declare()
    arrived = gate.person("border_guard").post(f"/api/v1/trips/{trip_id}/temporary-yard")
    assert arrived.status_code == 200, arrived.text
    with gate.runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'on_the_road'"))
        session.commit()
    assert cancel(gate, trip_id).status_code == 409
    assert patch(gate, trip_id, gate_id="tan-thanh").status_code == 409
    refused = redeclare(gate, trip_id, gate_id="tan-thanh")
    assert (refused.status_code, refused.json()["field"]) == (409, "gate_id")


def test_before_any_agency_acted_a_declared_trip_is_changed_with_its_declaration(gate: Gate) -> None:
    trip_id = gate.declare()
    assert patch(gate, trip_id, trailer_plate="29R-999.99").status_code == 200
    declared = gate.person("enterprise").get(f"/api/v1/declarations/{trip_id}").json()
    assert (declared["revision"], declared["data"]["trailer_plate"]) == (2, "29R-999.99")
    by_line = patch(gate, trip_id, goods="Gỗ")
    assert (by_line.status_code, by_line.json()["field"]) == (409, "goods")
    later = (gate.runtime.clock.now() + timedelta(hours=9)).isoformat()
    assert patch(gate, trip_id, planned_arrival=later).status_code == 200
    kept = redeclare(gate, trip_id, driver_name="Trần Văn Bình")
    assert kept.status_code == 200, kept.text
    shown = gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()
    assert shown["planned_arrival"][:16] == later[:16]


def test_another_regime_puts_the_sheet_under_its_procedure(gate: Gate) -> None:
    trip_id = gate.declare()
    assert patch(gate, trip_id, regime="temporary_export_reimport", direction="export").status_code == 200
    with gate.runtime.sessions() as session:
        query = text("SELECT p.regime FROM app.trip t JOIN app.procedure p USING (procedure_id)")
        assert session.scalar(query) == "temporary_export_reimport"
    assert gate.state(trip_id)["declaration"] == "done"


@pytest.mark.parametrize(
    ("change", "opened"),
    [
        ({"trailer_plate": "29R-999.99"}, {"barrier_1", "yard", "quarantine_plant", "customs"}),
        ({"plate": "29C-999.99"}, {"barrier_1", "yard", "quarantine_plant", "customs"}),
        ({"container": "20"}, {"barrier_1", "yard", "quarantine_plant", "customs"}),
        ({"driver_name": "Trần Văn Bình"}, {"health", "barrier_1"}),
        ({"customs_number": "305999999990"}, {"customs"}),
    ],
)
def test_what_is_declared_again_opens_each_step_that_vouched_for_it(
    gate: Gate, change: dict[str, Any], opened: set[str]
) -> None:
    trip_id = gate.declare(trailer_plate="29R-012.34")
    gate.pass_steps(trip_id, *CLEARED)
    back = gate.act("border_guard", trip_id, "barrier_2", "return", reasons=["plate_differs"])
    if back.status_code == 409:  # the fee stands before the last barrier
        back = gate.act("gate_management", trip_id, "fee", "return", reasons=["plate_differs"])
    assert back.status_code == 200, back.text
    before = {step for step, status in gate.state(trip_id).items() if status == "done"}
    with gate.runtime.sessions() as session:
        newest = session.scalar(text("SELECT max(event_id) FROM app.outbox"))
    again = redeclare(gate, trip_id, **change)
    assert again.status_code == 200, again.text
    after = {step for step, status in gate.state(trip_id).items() if status == "done"}
    assert before - after == opened
    with gate.runtime.sessions() as session:
        rows = session.execute(
            text("SELECT data ->> 'step' FROM app.outbox WHERE event_id > :newest AND data ? 'is_open_again'"),
            {"newest": newest},
        )
        assert {row[0] for row in rows} == opened, "their agencies are told"


def test_a_returned_truck_at_the_gate_declares_again_but_for_the_same_gate(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, *ENTRY)
    assert (
        gate.act("plant_quarantine", trip_id, "quarantine_plant", "return", reasons=["plate_differs"]).status_code
        == 200
    )
    assert redeclare(gate, trip_id, gate_id="tan-thanh").status_code == 409
    assert cancel(gate, trip_id).status_code == 409
    assert redeclare(gate, trip_id, regime="temporary_export_reimport", direction="export").status_code == 200
    state = gate.state(trip_id)
    assert state["declaration"] == "done"
    assert not {step for step, status in state.items() if status == "done"} - {"declaration"}


def test_a_declaration_of_its_own_takes_up_no_trip_that_was_handed_in(gate: Gate) -> None:
    first = gate.declare()

    def declare_again(hours: float) -> Response:
        body = declaration_body(gate.runtime.clock.now() + timedelta(hours=hours), trailer_plate="")
        return gate.person("enterprise").post("/api/v1/declarations", json={**body, "submit": True})

    assert declare_again(2.5).status_code in {409, 422}, "the same journey"
    answer = declare_again(5.0)  # the next one
    assert answer.status_code == 201, answer.text
    assert answer.json()["trip_id"] != first
