"""What a sheet and a station's work list look like to the one who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.accounts import persons
from app.checkpoints.turns import TurnKey, priority_by
from app.gates.priority import Priority
from app.gates.service import profiles_without_bans
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.procedures import checks
from app.procedures.procedure import Sheet
from app.procedures.readers import project_noted
from app.procedures.steps import Step, StepStatus
from app.sheets import correction_store, guards, store
from app.sheets.schemas import (
    CorrectionOut,
    EdgeOut,
    Entry,
    GraphOut,
    NextEntry,
    NodeOut,
    SheetOut,
    StepOut,
    TripOnSheet,
    WorkList,
)
from app.sheets.stations import SUPPORT, check_station
from app.sheets.store import NEAR_KM, ListedTruck, NamedStep
from app.sheets.undo_rule import undo_until
from app.trips import service
from app.trips.service import NamedTrip, Trip
from app.trips.vocabulary import Stage
from geo.errors import ForbiddenError

AHEAD: Final = timedelta(hours=12)
"""How far ahead the list of who comes next looks."""
MAX_HERE, MAX_NEXT = 200, 50

SheetReader: TypeAlias = Callable[[Session, Principal, Trip], BaseModel | JsonObject | None]
"""What another feature shows on a sheet, for a reader."""


@dataclass(frozen=True)
class LoadedSheet:
    """A sheet and the steps it was read from."""

    sheet: Sheet
    steps: Sequence[NamedStep]


def describe(
    session: Session,
    principal: Principal,
    found: NamedTrip,
    loaded: LoadedSheet | None,
    readers: Mapping[str, SheetReader],
) -> SheetOut:
    """A sheet for a reader, its steps in the order of the graph, with what `readers` add under their names.

    `loaded` is `None` while the trip is not declared.
    """
    trip = found.trip
    steps = [] if loaded is None else _steps(loaded, principal)
    is_open = loaded is not None and guards.is_open(session, trip, loaded.sheet)
    corrected = correction_store.corrections_of(session, trip.trip_id)
    own = persons.accounts_of_person(session, principal.account_id) if corrected else ()
    parts = {name: _plain(read(session, principal, trip)) for name, read in readers.items()}
    return SheetOut(
        trip=TripOnSheet(
            **dict(service.describe(found)),
            channel=trip.channel,
            facts=trip.facts,
            arrived_at=trip.arrived_at,
            procedure_id=trip.procedure_id,
        ),
        version=trip.version,
        is_declared=loaded is not None and not loaded.sheet.facts.undeclared,
        is_finished=loaded is not None and loaded.sheet.is_finished,
        steps=steps,
        graph=GraphOut(nodes=[], edges=[], layers=0) if loaded is None else _graph(loaded.sheet, steps),
        corrections=[CorrectionOut.of(row, own).for_role(principal.reader) for row in corrected],
        may=_may(loaded.sheet, principal) if loaded is not None and is_open else {"confirm": [], "return": []},
        **{"declaration": None, **parts},
    )


def _plain(part: BaseModel | JsonObject | None) -> JsonObject | None:
    return part.model_dump() if isinstance(part, BaseModel) else part


def _steps(loaded: LoadedSheet, principal: Principal) -> list[StepOut]:
    sheet, stored = loaded.sheet, {step.step: step for step in loaded.steps}
    state = sheet.state()
    undoable = {sheet.procedure.exit} if sheet.is_finished else set(state)
    return [
        StepOut(
            step=name,
            status=StepStatus.get(state[name]),
            owners=list(sheet.procedure.steps[name].owners_of(sheet.facts)),
            since=stored[name].since,
            done_at=stored[name].done_at,
            done_by=stored[name].full_name,
            undo_until=undo_until(stored[name], principal.account_id) if name in undoable else None,
            data=_noted(name, stored[name].data, principal),
        )
        for layer in checks.layers(sheet.procedure)
        for name in layer
    ]


def _noted(step: str, data: JsonObject, principal: Principal) -> JsonObject:
    return project_noted(data, principal.reader, step)


def _graph(sheet: Sheet, steps: Sequence[StepOut]) -> GraphOut:
    by_name = {step.step: step for step in steps}
    layers = checks.layers(sheet.procedure)
    nodes = [
        NodeOut(
            step=name,
            status=by_name[name].status,
            owners=by_name[name].owners,
            since=by_name[name].since,
            layer=column,
            row=row,
        )
        for column, layer in enumerate(layers)
        for row, name in enumerate(layer)
    ]
    edges = [EdgeOut(from_=before, to=name) for before, name in checks.edges(sheet.procedure)]
    return GraphOut(nodes=nodes, edges=edges, layers=len(layers))


def _may(sheet: Sheet, principal: Principal) -> dict[Literal["confirm", "return"], list[str]]:
    if not principal.may("steps.act"):
        return {"confirm": [], "return": []}
    own = [
        name
        for name, step in sheet.procedure.steps.items()
        if str(principal.role) in step.owners_of(sheet.facts)
        and (not step.organisations or principal.organisation_id in step.organisations)
    ]
    return {
        "confirm": [step for step in own if sheet.may(step, "confirm") is None],
        "return": [step for step in own if sheet.may(step, "return") is None],
    }


def work_list(
    session: Session,
    principal: Principal,
    station: str,
    *,
    now: datetime,
    max_here: int = MAX_HERE,
    max_next: int = MAX_NEXT,
) -> WorkList:
    """Who is at a station of the caller's gate, and who comes next.

    `here`: trips whose step can be done and whose truck is at the gate, at a barrier those that stand before it before
    those inside that are to leave, then those with priority, then the longest waiting; `next`: trips whose step comes
    later or whose truck is on its way, those at the gate first, then by expected arrival, with the steps they wait for;
    `undeclared`: trucks at the gate that nobody declared, for the temporary yard. Of each kind at most so many.

    Raises
    ------
    InvalidInputError
        If there is no such station.
    ForbiddenError
        If the caller stands at no gate.
    """
    principal.require("inspections.read")
    check_station(station)
    if principal.gate_id is None:
        raise ForbiddenError("Your account is bound to no gate; ask an administrator to give it one.")
    gate_id = principal.gate_id
    trucks: list[ListedTruck] = []
    if station != SUPPORT:
        collector = str(principal.role) if station == Step.FEE and principal.role in Step.FEE.spec.roles else None
        trucks = store.trucks_of_station(
            session,
            gate_id,
            station,
            collector=collector,
            near_km=NEAR_KM,
            until=now + AHEAD,
            most_here=max_here,
            most_next=max_next,
        )
    undeclared = store.trucks_undeclared(session, gate_id, near_km=NEAR_KM, limit=max_here)
    gates = profiles_without_bans(session, now) if trucks else {}
    sees_findings, known = principal.may("findings.read"), dict[TurnKey, Priority]()

    def values_of(truck: ListedTruck, *more: object) -> tuple[Any, ...]:
        priority = priority_by(truck, gate_id, gates, known)
        return *_LISTED(truck), sees_findings and truck.has_finding, priority.first, priority.lane, *more

    here = [Entry(*values_of(truck)) for truck in trucks if truck.is_work]
    is_barrier = station in (Step.BARRIER_1, Step.BARRIER_2)
    here.sort(key=lambda each: (is_barrier and each.stage == Stage.IN_THE_YARD, not each.priority))
    return WorkList(
        station=station,
        gate_id=gate_id,
        as_of=now,
        here=here,
        next=[
            NextEntry(*values_of(truck, truck.is_here, Step.in_order(truck.waits_for or ())))
            for truck in trucks
            if not truck.is_work
        ],
        undeclared=[Entry(*_LISTED(truck), *_UNMARKED) for truck in undeclared],
    )


_UNMARKED: Final[tuple[Any, ...]] = (False, (), None)
_LISTED: Final = attrgetter(*(shown.name for shown in fields(Entry)[:-3]))
"""What an entry has from its row, in the order of its fields."""
