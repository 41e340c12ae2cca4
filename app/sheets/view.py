"""What a sheet and a station's work list look like to the one who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.procedures import checks
from app.procedures.procedure import Sheet
from app.procedures.steps import Step, StepStatus
from app.sheets import store
from app.sheets.stations import SUPPORT, check_station
from app.trips import service
from app.trips.service import Trip
from geo.errors import ForbiddenError
from ingest.plates import display_plate

NEAR_KM: Final = 2.0
"""A truck that queues within this of the border is at the gate; assumed."""
AHEAD: Final = timedelta(hours=12)
"""How far ahead the list of who comes next looks."""
MAX_HERE, MAX_NEXT = 200, 50


def describe(
    session: Session,
    principal: Principal,
    row: Any,
    loaded: tuple[Sheet, Sequence[Any]] | None,
    readers: Mapping[str, Callable[[Session, Principal, Trip], Any]],
) -> dict[str, Any]:
    """A sheet for a reader.

    `trip` (as of the trips, and `channel facts arrived_at procedure_id`), `version`, `is_declared`, `is_finished`,
    `steps` (in the order of the graph: `step status owners since done_at done_by data`), `graph` (`nodes` with
    `step status layer row owners since`, `layers`, `edges` with `from to`), `may` (act → steps the reader can do it
    with now), and what `readers` add. `loaded` is the sheet and its rows, `None` while the trip is not declared.
    """
    trip: Trip = row.Trip
    extra = {
        "channel": trip.channel,
        "facts": trip.facts,
        "arrived_at": trip.arrived_at,
        "procedure_id": trip.procedure_id,
    }
    described: dict[str, Any] = {
        "trip": {**service.describe(row), **extra},
        "version": trip.version,
        "is_declared": loaded is not None and not loaded[0].facts.undeclared,
        "is_finished": loaded is not None and loaded[0].is_finished,
        "steps": [],
        "graph": {"nodes": [], "edges": [], "layers": 0},
        "may": {"confirm": [], "return": []},
        "declaration": None,
    }
    if loaded is not None:
        sheet, rows = loaded
        described["steps"] = _steps(sheet, rows)
        described["graph"] = _graph(sheet, described["steps"])
        described["may"] = _may(sheet, principal)
    return described | {name: read(session, principal, trip) for name, read in readers.items()}


def _steps(sheet: Sheet, rows: Sequence[Any]) -> list[dict[str, Any]]:
    stored, state = {row.step: row for row in rows}, sheet.state()
    return [
        {
            "step": name,
            "status": state[name],
            "owners": list(sheet.procedure.steps[name].owners_of(sheet.facts)),
            "since": stored[name].since,
            "done_at": stored[name].done_at,
            "done_by": stored[name].full_name,
            "data": stored[name].data,
        }
        for layer in checks.layers(sheet.procedure)
        for name in layer
    ]


def _graph(sheet: Sheet, steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    by_name = {step["step"]: step for step in steps}
    layers = checks.layers(sheet.procedure)
    nodes = [
        {
            "step": name,
            "status": by_name[name]["status"],
            "owners": by_name[name]["owners"],
            "since": by_name[name]["since"],
            "layer": column,
            "row": row,
        }
        for column, layer in enumerate(layers)
        for row, name in enumerate(layer)
    ]
    arrows = [{"from": before, "to": name} for before, name in checks.edges(sheet.procedure)]
    return {"nodes": nodes, "edges": arrows, "layers": len(layers)}


def _may(sheet: Sheet, principal: Principal) -> dict[str, list[str]]:
    if not principal.may("steps.act"):
        return {"confirm": [], "return": []}
    own = [
        name
        for name, step in sheet.procedure.steps.items()
        if str(principal.role) in step.owners_of(sheet.facts)
        and (not step.organisations or principal.organisation_id in step.organisations)
    ]
    return {act: [step for step in own if sheet.may(step, act) is None] for act in ("confirm", "return")}


def work_list(session: Session, principal: Principal, station: str, *, now: datetime) -> dict[str, Any]:
    """Who is at a station of the caller's gate, and who comes next.

    `here`: trips whose step can be done and whose truck is at the gate, longest waiting first; `next`: trips whose
    step comes later or whose truck is on its way, those at the gate first, then by expected arrival, with the steps
    they wait for; `undeclared`: trucks at the gate that nobody declared, for the temporary yard.

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
    here: list[dict[str, Any]] = []
    following: list[dict[str, Any]] = []
    if station != SUPPORT:
        collector = str(principal.role) if station == Step.FEE and principal.role in Step.FEE.spec.roles else None
        rows = store.trucks_of_station(
            session,
            gate_id,
            station,
            collector=collector,
            near_km=NEAR_KM,
            until=now + AHEAD,
            most_here=MAX_HERE,
            most_next=MAX_NEXT,
        )
        here = [_entry(row) for row in rows if row.is_work]
        ahead = [row for row in rows if not row.is_work]
        waits_for = store.open_steps(session, [row.trip_id for row in ahead])
        following = [
            _entry(row) | {"is_here": row.is_here, "waits_for": _ahead(row, waits_for.get(row.trip_id, []))}
            for row in ahead
        ]
    undeclared = store.trucks_undeclared(session, gate_id, near_km=NEAR_KM, limit=MAX_HERE)
    return {
        "station": station,
        "gate_id": gate_id,
        "as_of": now,
        "here": here,
        "next": following,
        "undeclared": [_entry(row) for row in undeclared],
    }


def _ahead(row: Any, steps: list[str]) -> list[str]:
    return [] if row.status in StepStatus.open() else Step.in_order(steps)


def _entry(row: Any) -> dict[str, Any]:
    entry = {name: getattr(row, name) for name in _COLUMNS}
    entry["trailer_plate"] = display_plate(row.trailer_plate) if row.trailer_plate else None
    return entry


_COLUMNS: Final = (
    "trip_id",
    "code",
    "version",
    "plate",
    "trailer_plate",
    "organisation",
    "direction",
    "regime",
    "goods",
    "goods_class",
    "perishable",
    "channel",
    "collector",
    "stage",
    "status",
    "since",
    "planned_arrival",
    "arrived_at",
    "eta",
    "eta_is_forecast",
    "position_time",
    "km",
    "site_id",
    "simulated",
)
