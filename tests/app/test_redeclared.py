"""Declared again with another tractor, trailer, container or driver: every step that vouched for it is open again, in
every regime and direction, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.declarations.differences import changed_parts, differences
from app.equipment import barriers, on_sheet
from app.procedures.procedure import Facts, Procedure, Sheet
from app.procedures.service import shipped
from app.procedures.steps import Step
from app.sheets.service import SheetChange
from app.trips.tables import Trip
from tests.app.declaring import declaration_body, declaration_line
from tests.app.equipping import set_up
from tests.app.stationing import Gate

LIVE = declaration_line(hs_code="0103.92", description="Lợn sống", goods_class="live_animals", temperature_c=None)
"""Goods that all regimes have quarantined somewhere."""
QUARANTINES = {"quarantine_health", "quarantine_animal", "quarantine_plant"}
OF_THE_VEHICLE = {"barrier_1", "barrier_2", "yard", *QUARANTINES, "customs"}
CLOSED_PORT = {"url": "http://127.0.0.1:9/open"}
CHANGES: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({"trailer_plate": "29R-555.02"}, OF_THE_VEHICLE),
    ({"container_number": "CSQU3054383"}, OF_THE_VEHICLE),
    ({"driver_name": "Trần Văn Bình", "driver_paper_number": "C7654321"}, {"health", "barrier_1", "barrier_2"}),
    ({"plate": "29C-555.09"}, OF_THE_VEHICLE),
)


def walk(gate: Gate, trip_id: int, exit_step: str) -> set[str]:
    """Do all that can be done before fee and exit; the steps that are done then."""
    for _ in range(20):
        steps = gate.sheet(trip_id)["steps"]
        ready = [step["step"] for step in steps if step["status"] == "ready" and step["step"] not in {exit_step, "fee"}]
        if not ready:
            return {step["step"] for step in steps if step["status"] == "done"} - {"declaration"}
        answer = gate.act(Step.get(ready[0]).agency(), trip_id, ready[0], reason="Đã xem giấy tờ")
        assert answer.status_code == 200, f"{ready[0]}: {answer.text}"
        gate.runtime.clock.advance(60.0)  # type: ignore[attr-defined]
    raise AssertionError(gate.state(trip_id))


def give_back(gate: Gate, trip_id: int) -> None:
    """Whoever takes the fee sees that something differs, after all others had seen to the truck."""
    fee = gate.person("enterprise").get(f"/api/v1/fees/of-trip/{trip_id}").json()
    returned = gate.act(fee["collector"] or "gate_management", trip_id, "fee", "return", reasons=["plate_differs"])
    assert returned.status_code == 200, returned.text


def declare_again(gate: Gate, trip_id: int, body: dict[str, Any]) -> dict[str, str]:
    """The enterprise declares a returned trip otherwise; the state of its steps."""
    enterprise, where = gate.person("enterprise"), f"/api/v1/declarations/{trip_id}"
    headers = {"If-Match": enterprise.get(where).headers["ETag"]}
    answer = enterprise.put(where, json={**body, "submit": True}, headers=headers)
    assert answer.status_code == 200, answer.text
    return gate.state(trip_id)


@pytest.mark.parametrize(("key", "definition"), [(key, definition) for key, _, definition in shipped()])
@pytest.mark.parametrize(("change", "vouching"), CHANGES)
def test_in_every_regime_what_vouched_for_it_is_open_again(key, definition, change, vouching) -> None:
    facts = Facts(direction=key[1], regime=key[2], goods_class=frozenset({"live_animals"}))
    sheet = Sheet(Procedure.from_definition(definition), facts)
    while ready := [name for name, status in sheet.state().items() if status == "ready"]:
        if ready == [sheet.procedure.exit]:
            break
        sheet = sheet.confirm(next(name for name in ready if name != sheet.procedure.exit))
    before = declaration_body(datetime(2026, 3, 2, tzinfo=UTC))
    changed = changed_parts(differences(before, before | change))
    after = sheet.return_(sheet.procedure.exit).redeclare(facts, changed)
    opened = {name for name, status in sheet.state().items() if status == "done" and after.state()[name] != "done"}
    expected = vouching | ({"fee"} if "vehicle" in changed else set())
    assert opened == expected & sheet.needed - {sheet.procedure.exit}


@pytest.mark.parametrize(("direction", "regime"), [("export", "export"), ("import", "transit")])
def test_what_vouched_for_it_is_open_again(runtime, sign_in, direction: str, regime: str) -> None:
    gate = Gate.open(runtime, sign_in)
    exit_step = "barrier_2" if direction == "export" else "barrier_1"
    arrival = runtime.clock.now() + timedelta(hours=2)
    body = declaration_body(
        arrival, regime=regime, direction=direction, plate="29C-555.01", trailer_plate="29R-555.03", lines=[LIVE]
    )
    made = gate.person("enterprise").post("/api/v1/declarations", json={**body, "submit": True})
    assert made.status_code == 201, made.text
    trip_id = int(made.json()["trip_id"])
    for change, vouching in CHANGES:
        done = walk(gate, trip_id, exit_step)
        assert {"health", "barrier_1", "barrier_2", "yard", "customs"} - {exit_step} <= done
        give_back(gate, trip_id)
        body |= change
        state = declare_again(gate, trip_id, body)
        assert {step for step in done if state[step] != "done"} == vouching & done, change


def test_the_channel_of_another_container_is_chosen_again(runtime, sign_in) -> None:
    gate = Gate.open(runtime, sign_in)
    arrival = runtime.clock.now() + timedelta(hours=2)
    body = declaration_body(arrival, container_number="CSQU3054383")
    made = gate.person("enterprise").post("/api/v1/declarations", json={**body, "submit": True})
    trip_id = int(made.json()["trip_id"])
    gate.after_quarantine(trip_id)
    channel = gate.person("customs").put(
        f"/api/v1/trips/{trip_id}/channel",
        json={"channel": "green"},
        headers={"If-Match": f'"{gate.sheet(trip_id)["version"]}"'},
    )
    assert channel.status_code == 200, channel.text
    assert gate.state(trip_id)["customs"] == "done"
    give_back(gate, trip_id)
    state = declare_again(gate, trip_id, {**body, "container_number": "TCLU4265726"})
    assert (state["barrier_1"], state["customs"]) == ("ready", "waiting"), "no green of the other container"
    again = (("border_guard", "barrier_1"), ("yard_operator", "yard"), ("plant_quarantine", "quarantine_plant"))
    gate.pass_steps(trip_id, *again)
    assert gate.state(trip_id)["customs"] == "ready"


def test_a_truck_compared_again_inside_opens_no_barrier(runtime, sign_in, sheets) -> None:
    gate = Gate.open(runtime, sign_in)
    set_up(
        sign_in("administrator"),
        "barrier",
        "http",
        site_id="huu-nghi-barrier-1",
        station="barrier_1",
        config=CLOSED_PORT,
    )
    trip_id = gate.declare()
    gate.after_quarantine(trip_id)
    barriers.settle()

    def confirm_again() -> int:
        with runtime.sessions() as session:
            trip = session.get_one(Trip, trip_id)
            now = runtime.clock.now()
            change = SheetChange(trip, "confirm", "barrier_1", None, {}, {"barrier_1": "done"}, {}, now)
            on_sheet.open_on_confirmation(session, sheets, change)
            session.commit()
        barriers.settle()
        with runtime.sessions() as session:
            return int(session.scalar(text("SELECT count(*) FROM app.barrier_command WHERE status <> 'failed'")) or 0)

    with runtime.sessions() as session:
        session.execute(text("UPDATE app.barrier_command SET status = 'opened'"))
        session.commit()
    runtime.clock.advance(600.0)
    assert confirm_again() == 1
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'queued'"))  # the confirmation was a mistake and taken back
        session.execute(text("UPDATE app.barrier_command SET requested_at = requested_at - interval '1 hour'"))
        session.commit()
    confirm_again()
    with runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM app.barrier_command")) == 2
