"""Scripts and Python agree on the names that data carries: a script asks for a vocabulary, it writes none down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.declarations.vocabulary import ArrivalStatus, ImportStatus
from app.dispatch.vocabulary import (
    AdvisoryStatus,
    Compliance,
    MeasureKind,
    OrderKind,
    OrderStatus,
    ReachState,
    RecipientStatus,
    Severity,
)
from app.equipment.vocabulary import CommandStatus, ReadStatus
from app.fees.vocabulary import FeeStatus, PaymentStatus, ReleaseStatus
from app.notifications.vocabulary import DeliveryStatus
from app.platform.labels import DocumentStatus, Vocabulary
from app.procedures.return_reasons import ReturnReason
from app.procedures.steps import Step, StepStatus
from app.tracking.positions import MOTIONS_ON_ROAD, state
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.vocabulary import DeclarationStatus, Stage
from geo.motion import Pace
from maps.symbols import TRUCK_STATES

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in ROOT.glob("app/*/static/**/*.js"))
RUN_STATUSES = ("queued", "running", "done", "failed", "cancelled")
STATUSES = (
    *(AdvisoryStatus, ArrivalStatus, CommandStatus, Compliance, DeclarationStatus, DeliveryStatus, DocumentStatus),
    *(FeeStatus, ImportStatus, OrderStatus, PaymentStatus, ReadStatus, RecipientStatus, ReleaseStatus, StepStatus),
    TransshipmentStatus,
)
KNOWN: dict[str, frozenset[str]] = {
    "status": frozenset(str(name) for vocabulary in STATUSES for name in vocabulary) | {*RUN_STATUSES, "open", "lost"},
    "stage": frozenset(Stage),
    "severity": frozenset(Severity),
    "state": frozenset(truck.state for truck in TRUCK_STATES) | frozenset(ReachState) | {"running"},
}
"""What a script may compare an attribute of that name with; `lost` and `open` are the connection's, `running` is of a
browser's sound."""
COMPARED = re.compile(r"\b(status|stage|severity|state)\s*[!=]==\s*\"(\w+)\"")
TABLES: tuple[type[Vocabulary], ...] = (
    OrderKind,
    OrderStatus,
    RecipientStatus,
    Severity,
    Stage,
    FeeStatus,
    StepStatus,
    Step,
)
"""None of these may stand in a script as a list or a table."""
BRACKETS = re.compile(r"[\[{][^\[\]{}]*[\]}]")


def comparisons() -> Iterator[tuple[str, str, str]]:
    for path in SCRIPTS:
        for attribute, name in COMPARED.findall(path.read_text(encoding="utf-8")):
            yield path.name, attribute, name


def test_what_scripts_compare_with_is_a_name_of_a_vocabulary() -> None:
    found = list(comparisons())
    assert len(found) > 8
    assert [comparison for comparison in found if comparison[2] not in KNOWN[comparison[1]]] == []


def test_no_script_writes_a_vocabulary_down() -> None:
    found = []
    for path in SCRIPTS:
        for text in BRACKETS.findall(re.sub(r"//.*", "", path.read_text(encoding="utf-8"))):
            names = set(re.findall(r"\"(\w+)\"", text)) | set(re.findall(r"\b(\w+):", text))
            for vocabulary in TABLES:
                if len(names & set(vocabulary)) >= 3:
                    found.append((path.name, vocabulary.__name__, text))
    assert found == []


@pytest.mark.parametrize(
    ("role", "address", "vocabularies"),
    [
        (
            "traffic_police",
            "/police",
            (MeasureKind, OrderKind, OrderStatus, ReachState, RecipientStatus, Severity, AdvisoryStatus, Stage),
        ),
        ("driver", "/driver", (OrderKind, RecipientStatus)),
        ("enterprise", "/enterprise", (Stage, ReturnReason)),
    ],
)
def test_pages_carry_the_vocabularies_that_their_scripts_ask_for(sign_in, role, address, vocabularies) -> None:  # type: ignore[no-untyped-def]
    text = sign_in(role, locale="en").get(address).text
    carried = json.loads(re.search(r'<script type="application/json" id="vocabularies">(.*?)</script>', text)[1])  # type: ignore[index]
    assert set(carried) == {vocabulary.__name__ for vocabulary in vocabularies}
    for vocabulary in vocabularies:
        names = carried[vocabulary.__name__]["names"]
        assert list(names) == list(vocabulary)
        for member in vocabulary:
            assert names[member]["label"] == (member.label or str(member))
            assert names[member]["icon"] == member.icon
        assert carried[vocabulary.__name__]["groups"] == {
            name: list(members) for name, members in vocabulary.groups().items()
        }


def test_what_scripts_ask_for_is_there() -> None:
    asked: set[tuple[str, str]] = set()
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        asked |= {(name, "") for name in re.findall(r"\bnames\(\"(\w+)\"\)", text)}
        asked |= set(re.findall(r"\bgroup\(\"(\w+)\", \"(\w+)\"\)", text))
    vocabularies = {
        vocabulary.__name__: vocabulary
        for vocabulary in (
            MeasureKind,
            OrderKind,
            OrderStatus,
            ReachState,
            RecipientStatus,
            ReturnReason,
            Severity,
            Stage,
        )
    }
    assert {name for name, _ in asked} == set(vocabularies)
    assert [
        comparison
        for comparison in asked
        if comparison[1] and comparison[1] not in vocabularies[comparison[0]].groups()
    ] == []


def test_every_stage_has_its_place_and_every_recipient_a_word_for_the_driver() -> None:
    assert sorted(Stage.by_urgency()) == sorted(Stage)
    told = set(RecipientStatus) - {RecipientStatus.WAITING}
    assert set(RecipientStatus.over()) | set(RecipientStatus.current()) == told
    assert all(status.driver_label for status in told if status not in RecipientStatus.unanswered())


def test_the_map_draws_every_state_and_knows_which_are_on_the_road() -> None:
    on_road = {truck.state for truck in TRUCK_STATES if truck.on_road}
    assert on_road == {*(pace.name.lower() for pace in Pace), "queued"} == MOTIONS_ON_ROAD | {"queued"}
    assert state("slow", Stage.QUEUED, silent=False) == "queued"
    assert {state("yard", Stage.QUEUED, silent=False), state("slow", None, silent=True)} <= {
        truck.state for truck in TRUCK_STATES
    }
