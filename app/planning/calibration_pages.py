"""The page of what recordings show of roads, gates and yards: learned on request, compared, taken over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import account_names
from app.gates import service as gates
from app.planning import calibration
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.pages import Pages, render
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from routing import parameter_store
from routing.parameter_records import CalibrationRecord, EstimateRecord, learned_changes
from routing.parameters import Quantity, Source

router = APIRouter(include_in_schema=False, prefix="/planner/calibration")

Viewer = Annotated[Principal, Depends(allow("pages.planner"))]
Planner = Annotated[Principal, Depends(allow("scenarios.run"))]
WriterAction = Annotated[ActionContext, Depends(acting("settings.write"))]

DAYS: Final = (1, 3, 7, 14, 28)
QUANTITIES: Final = {
    Quantity.SERVICE_MEAN_S: (N_("Check at the entrance, mean"), "s", 0),
    Quantity.SERVICE_CV: (N_("Check at the entrance, variation"), "", 2),
    Quantity.CAPACITY_VEH_PER_H: (N_("Entrance serves, all lanes"), N_("trucks an hour"), 1),
    Quantity.DWELL_MEAN_S: (N_("Stay in the yard, mean"), N_("min"), 0),
    Quantity.DWELL_CV: (N_("Stay in the yard, variation"), "", 2),
    Quantity.FREE_SPEED_MPS: (N_("Free speed"), "km/h", 1),
    Quantity.FLOW_VEH_PER_H: (N_("Densest quarter of an hour: takes at least"), N_("trucks an hour"), 0),
}
"""Label, unit and digits of each quantity as people read it."""
SCALES: Final = {Quantity.FREE_SPEED_MPS: 3.6, Quantity.DWELL_MEAN_S: 1.0 / 60.0}
SOURCES: Final = {
    Source.TRACKS: N_("GPS tracks"),
    Source.PASSAGES: N_("passages of the gate while somebody waited"),
    Source.YARD_LEDGER: N_("the yard ledger"),
}
ROAD_QUANTITIES: Final = (Quantity.FREE_SPEED_MPS, Quantity.FLOW_VEH_PER_H)


@router.get("")
def show_calibration(
    request: Request,
    _principal: Viewer,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    taken: str = "",
) -> Response:
    """The newest calibration, and how to make another."""
    rows = parameter_store.list_calibrations(session, limit=1)
    row = rows[0] if rows else None
    language = cast(Pages, request.app.state.pages).language(request)
    record = row.record if row else None
    estimates = record["estimates"] if record else []
    return render(
        request,
        "planning/calibration.html",
        row=row,
        record=record,
        since=datetime.fromisoformat(record["since"]) if record else None,
        until=datetime.fromisoformat(record["until"]) if record else None,
        made_by=account_names(session, [row.made_by]).get(row.made_by or 0) if row else None,
        gates=_gates(estimates, corridor, language),
        roads=_roads(estimates, corridor),
        fits=_fits(record, corridor, language) if record else [],
        versions={setting.gate_id: setting.version for setting in gates.list_settings(session, clock.now())},
        quantities=QUANTITIES,
        scales=SCALES,
        sources=SOURCES,
        days=DAYS,
        taken=taken,
    )


@router.post("")
def learn(
    principal: Planner,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    days: Annotated[int, Form(ge=1, le=calibration.MAX_LENGTH.days)] = 7,
) -> Response:
    """Learn from the last days."""
    now = clock.now()
    calibration.make_calibration(
        session, corridor, since=now - timedelta(days=days), until=now, made_by=principal.account_id, now=now
    )
    return RedirectResponse("/planner/calibration", 303)


@router.post("/{calibration_id}/gates/{gate_id}")
def take(calibration_id: int, gate_id: str, action: WriterAction, version: Annotated[int, Form(ge=0)]) -> Response:
    """Set a gate's profile to what was learned."""
    calibration.take_into_profile(action, calibration_id, gate_id, expected_version=version)
    return RedirectResponse(f"/planner/calibration?taken={gate_id}", 303)


def _gates(
    estimates: list[EstimateRecord], corridor: Corridor, language: str
) -> list[tuple[str, str, list[EstimateRecord], bool]]:
    """Of each gate: id, name, its estimates, and whether there is something to take into its profile."""
    found = []
    for site in corridor.gates():
        gate_id = site.gate_id or site.site_id
        own = [each for each in estimates if each["subject"] == gate_id]
        if own:
            found.append((gate_id, site.name.get(language, gate_id), own, bool(learned_changes(estimates, gate_id))))
    return found


def _roads(estimates: list[EstimateRecord], corridor: Corridor) -> list[tuple[str, list[EstimateRecord | None]]]:
    """Of each road with an estimate: what it is called, and those of `ROAD_QUANTITIES`."""
    by_edge = {(each["subject"], each["quantity"]): each for each in estimates}
    found = []
    for road in corridor.roads:
        own = [by_edge.get((road.edge_id, quantity)) for quantity in ROAD_QUANTITIES]
        if any(own):
            found.append((f"{road.road} · km {road.km_from:.1f} → {road.km_to:.1f}", own))
    return found


def _fits(record: CalibrationRecord, corridor: Corridor, language: str) -> list[dict[str, object]]:
    """Of each gate what its chart needs, beside its errors."""
    start = datetime.fromisoformat(record["held_out_from"]).astimezone(LOCAL_ZONE)
    return [
        {
            "gate_id": fit["gate_id"],
            "name": corridor.sites[fit["gate_id"]].name.get(language, fit["gate_id"])
            if fit["gate_id"] in corridor.sites
            else fit["gate_id"],
            "errors": fit,
            "chart": {
                "start": f"{start:%H:%M}",
                "step_s": fit["step_s"],
                "recorded": fit["recorded_veh"],
                "simulated": fit["simulated_veh"],
            },
        }
        for fit in record["gates"]
    ]
