"""What a transshipment makes of every shipped procedure, for who receives and for who goes home empty."""

from __future__ import annotations

from typing import Any

import pytest

from app.procedures import service as procedures
from app.procedures.checks import layers
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord
from app.procedures.steps import Step, StepStatus, VehicleRole
from app.procedures.vehicle_roles import carried_over, procedure_of

SHIPPED = [(key, body) for key, _, body in procedures.shipped() if Step.TRANSSHIPMENT in body["steps"]]
"""Those under which goods can change vehicles; sealed transit and goods that come back stay in theirs."""
EVERY = pytest.mark.parametrize(("key", "definition"), SHIPPED, ids=["-".join(key[1:]) for key, _ in SHIPPED])
CLASSES = ("fresh_fruit", "meat", "ore", "live_animals")


def facts(key: Any, role: VehicleRole, goods_class: str) -> Facts:
    return Facts(
        direction=key[1],
        regime=key[2],
        goods_class=frozenset({goods_class}),
        transshipment=True,
        vehicle_role=role.value,
    )


def lead_out(sheet: Sheet) -> list[str]:
    """The steps that somebody confirms until the trip is over."""
    done = []
    while not sheet.is_finished:
        ready = [name for name in sheet.procedure.steps if sheet.may(name, "confirm") is None]
        assert ready, "nobody can do anything, and the trip is not over"
        done.append(ready[0])
        sheet = sheet.confirm(ready[0])
    return done


@EVERY
@pytest.mark.parametrize("goods_class", CLASSES)
def test_a_receiver_does_what_belongs_to_a_vehicle_and_leaves(key: Any, definition: Any, goods_class: str) -> None:
    whole = Procedure.from_definition(definition)
    own = procedure_of(whole, VehicleRole.RECEIVER)
    assert set(own.steps) == set(whole.steps)
    assert own.exit == whole.exit
    vouched = {name: StepRecord(StepStatus.DONE) for name in carried_over(whole)}
    sheet = Sheet(own, facts(key, VehicleRole.RECEIVER, goods_class), vouched)
    entry = "barrier_1" if key[1] == "export" else "barrier_2"
    assert sheet.state()[entry] == StepStatus.NOT_NEEDED
    loaded = sheet.confirm("declaration").confirm("yard").confirm("transshipment")
    assert loaded.state()["health"] == loaded.state()["customs"] == StepStatus.READY, "both at the same time"
    assert loaded.state()[whole.exit] == StepStatus.WAITING
    assert set(lead_out(loaded)) == {"health", "customs", "fee", whole.exit}


@EVERY
@pytest.mark.parametrize("role", VehicleRole.empty())
def test_an_emptied_vehicle_passes_the_barrier_of_its_side_and_no_more(
    key: Any, definition: Any, role: VehicleRole
) -> None:
    whole = Procedure.from_definition(definition)
    own = procedure_of(whole, role)
    assert set(own.steps) == set(whole.steps)
    home = "barrier_1" if role is VehicleRole.EMPTY_INWARD else "barrier_2"
    assert own.exit == home
    sheet = Sheet(whole, facts(key, VehicleRole.CARRIER, "fresh_fruit"))
    while sheet.may("transshipment", "confirm") is not None:
        ready = [name for name in whole.steps if sheet.may(name, "confirm") is None and name != Step.FEE]
        sheet = sheet.confirm(ready[0])
    emptied = sheet.of_role(own, role).confirm("transshipment")
    assert lead_out(emptied) == [home]
    assert {name for name, status in emptied.state().items() if status == StepStatus.DONE} == {
        name for name, record in sheet.steps.items() if record.status == StepStatus.DONE and name != home
    } | {"transshipment"}, "what was done stays to be seen"


@EVERY
def test_nothing_goes_round_in_a_circle(key: Any, definition: Any) -> None:
    whole = Procedure.from_definition(definition)
    for role in VehicleRole:
        own = procedure_of(whole, role)
        assert sorted(name for layer in layers(own) for name in layer) == sorted(whole.steps), key
        assert own.ancestors[own.exit] | {own.exit} == set(whole.steps)


def test_a_gate_that_checks_the_vehicle_at_quarantine_does_so_for_each_vehicle() -> None:
    definition = {
        "exit": "barrier_2",
        "steps": {
            "declaration": {"owner": "enterprise"},
            "quarantine_plant": {"owner": "plant_quarantine", "after": ["declaration"], "checks": ["goods", "vehicle"]},
            "transshipment": {"owner": "yard_operator", "after": ["quarantine_plant"]},
            "barrier_2": {"owner": "border_guard", "after": ["transshipment"]},
        },
    }
    whole = Procedure.from_definition(definition)
    assert carried_over(whole) == frozenset()
    own = procedure_of(whole, VehicleRole.RECEIVER)
    assert own.steps["quarantine_plant"].after == ("transshipment",)
    assert "quarantine_plant" in own.ancestors["barrier_2"]
    home = procedure_of(whole, VehicleRole.EMPTY_INWARD)
    assert home.exit == "barrier_2", "a gate with one barrier"


def test_a_procedure_without_transshipment_is_the_same_for_all() -> None:
    definition = {
        "exit": "barrier_2",
        "steps": {
            "declaration": {"owner": "enterprise"},
            "barrier_2": {"owner": "border_guard", "after": ["declaration"]},
        },
    }
    whole = Procedure.from_definition(definition)
    assert all(procedure_of(whole, role) is whole for role in VehicleRole)
