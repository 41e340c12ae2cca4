"""Names that data carries: each stands once, with what belongs to it; a new one is one row."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import CheckConstraint

from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import RecipientStatus
from app.fees.vocabulary import FeeStatus
from app.notifications.feed import NOTIFIED_FEES
from app.platform.labels import N_
from app.platform.permissions import Principal, Role
from app.procedures import checks, service
from app.procedures.procedure import Facts, Sheet
from app.procedures.steps import Step, StepSpec, StepStatus, StepVocabulary
from app.sheets.stations import STATIONS, SUPPORT, get_station, make_stations, stations_of
from app.trips.tables import Trip
from app.trips.vocabulary import Collector, Direction, Regime, Stage
from geo.database import one_of
from geo.errors import InvalidInputError

TOY = StepSpec(
    label=N_("Barrier 1"),
    icon="toy",
    roles=(Role.YARD_OPERATOR,),
    shows=("vehicle",),
    devices_first=True,
)
"""A step that no shipped vocabulary has: beside the customs inspection."""


def with_toy() -> type[StepVocabulary]:
    """The shipped steps and one more."""
    rows: list[tuple[str, Any]] = [(step.name, (step.value, step.spec)) for step in Step]
    vocabulary: type[StepVocabulary] = StepVocabulary("MoreSteps", [*rows, ("TOY", ("toy", TOY))])  # type: ignore[call-overload]
    return vocabulary


def toy_definition() -> dict[str, Any]:
    """The shipped procedure of exports with the new step before its exit."""
    definition = deepcopy(
        next(procedure for (_, _, regime), _, procedure in service.shipped() if regime == Regime.EXPORT)
    )
    definition["steps"]["toy"] = {"owner": "yard_operator", "after": [Step.YARD.value]}
    definition["steps"][definition["exit"]]["after"] = [*definition["steps"][definition["exit"]]["after"], "toy"]
    return dict(definition)


def officer(role: Role) -> Principal:
    return Principal(1, "x", "X", role, None, "huu-nghi", None, "vi", b"", "")


def test_a_new_step_is_one_row_and_a_definition() -> None:
    steps, definition = with_toy(), toy_definition()
    assert [problem.code for problem in checks.find_problems(definition)] == ["unknown_step"]
    procedure = checks.check(definition, steps)

    layers = checks.layers(procedure, steps)
    assert sum(layer.count("toy") for layer in layers) == 1
    assert layers[-1] == [procedure.exit]
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"textiles"}), channel="green")
    sheet = Sheet(procedure, facts)
    while ready := [name for name, status in sheet.state().items() if status in StepStatus.open() and name != "toy"]:
        sheet = sheet.confirm(ready[0])
    assert sheet.state()["toy"] == StepStatus.READY
    assert sheet.state()[procedure.exit] == StepStatus.WAITING
    assert sheet.confirm("toy").confirm(procedure.exit).is_finished

    station = make_stations(steps)["toy"]
    assert (station.label, station.icon, station.shows) == (TOY.label, "toy", ("vehicle",))
    at_yard = [station.name for station in stations_of(officer(Role.YARD_OPERATOR), make_stations(steps))]
    assert at_yard == ["yard", "transshipment", "toy"]
    assert steps.get("toy").agency() is Role.YARD_OPERATOR
    assert steps.get("toy") in steps.with_equipment()
    assert steps.in_order(["toy", "barrier_2", "health"]) == ["health", "barrier_2", "toy"]


def test_what_is_not_a_step_is_an_error_everywhere() -> None:
    procedure = checks.check(toy_definition(), with_toy())
    with pytest.raises(KeyError):
        checks.layers(procedure)
    with pytest.raises(ValueError, match="toy is not one of declaration, health"):
        Step.get("toy")
    with pytest.raises(InvalidInputError):
        Step.require("toy", "step")
    assert "toy" not in STATIONS


def test_a_role_may_be_at_a_station_only_if_its_people_are_at_gates() -> None:
    for station in STATIONS.values():
        assert station.label
        assert station.icon
        for role in station.roles:
            assert role.is_at_gate, role
            assert get_station(officer(role), station.name) is station
    staffed = {role for station in STATIONS.values() for role in station.roles}
    assert staffed == {role for role in Role if role.is_at_gate}
    assert list(STATIONS) == [*(step for step in Step if step is not Step.DECLARATION), SUPPORT]


def test_the_collector_says_whose_the_fee_is_and_of_no_other_step() -> None:
    assert Step.FEE.agency() is Role.GATE_MANAGEMENT
    for collector in Collector:
        assert Step.FEE.agency(collector) == collector
        assert Step.CUSTOMS.agency(collector) is Role.CUSTOMS
    with pytest.raises(ValueError, match="nobody"):
        Step.FEE.agency("nobody")


def test_groups_of_stages_and_statuses() -> None:
    assert set(Stage) - set(Stage.open()) == {Stage.OUT, *Stage.without_crossing()}
    assert set(Stage.before_queue()) < set(Stage.before_yard()) < set(Stage.open())
    assert set(Stage.at_gate()) < set(Stage.open())
    assert Stage.way("import") == ("planned", "in_the_yard", "out")
    assert set(StepStatus.to_do()) | set(StepStatus.over()) == set(StepStatus)
    assert not set(StepStatus.to_do()) & set(StepStatus.over())
    assert set(FeeStatus.open()) | set(FeeStatus.settled()) == set(FeeStatus)
    assert set(NOTIFIED_FEES) == set(FeeStatus) - {FeeStatus.OPEN_QUESTION}
    assert set(RecipientStatus.active()) | {RecipientStatus.REFUSED} == set(RecipientStatus.current())
    assert Regime.EXPORT.directions() == (Direction.EXPORT,)
    assert Regime.TRANSIT.directions() == (Direction.EXPORT, Direction.IMPORT)


def test_a_name_is_stored_sent_and_read_as_itself() -> None:
    class Answer(BaseModel):
        stage: Stage

    assert json.dumps({Stage.OUT: Stage.QUEUED}) == '{"out": "queued"}'
    assert Answer.model_validate({"stage": "in_the_yard"}).model_dump_json() == '{"stage":"in_the_yard"}'
    assert f"{Stage.OUT}" == Stage.OUT == "out"
    with pytest.raises(ValidationError):
        Answer.model_validate({"stage": "somewhere"})


@pytest.mark.parametrize(
    ("table", "name", "vocabulary"), [(Trip, "stage", Stage), (OrderRecipient, "status", RecipientStatus)]
)
def test_the_check_of_a_column_is_its_vocabulary(table: Any, name: str, vocabulary: type[Stage]) -> None:
    checked = [
        str(constraint.sqltext) for constraint in table.__table__.constraints if isinstance(constraint, CheckConstraint)
    ]
    assert one_of(name, vocabulary) in checked
    assert one_of("stage", Stage.at_gate()) == "stage IN ('queued', 'in_the_yard')"
