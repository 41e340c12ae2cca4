"""What officers see at checkpoints, findings and their decision, priority by hand, the log of overrides."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Depends, Path, Query

from app.accounts.authorisation import acting, allow
from app.checkpoints import on_sheet, overrides, service, turns
from app.checkpoints.overrides import Wanted
from app.checkpoints.schemas import (
    DecisionIn,
    FindingList,
    ObservationIn,
    OverrideList,
    OverrideOut,
    PriorityIn,
)
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.trips.endpoints import TripId
from app.web.routers import ApiRouter
from geo.clock import LOCAL_ZONE

router = ApiRouter(prefix="/api/v1", tags=["checkpoints"])

ReaderDep = Annotated[Principal, Depends(allow("findings.read"))]
SupervisorDep = Annotated[Principal, Depends(allow("overrides.read"))]
OfficerAction = Annotated[ActionContext, Depends(acting("steps.act"))]
DeciderAction = Annotated[ActionContext, Depends(acting("findings.decide"))]
PriorityAction = Annotated[ActionContext, Depends(acting("priority.give"))]
FindingId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Day = Annotated[date | None, Query(description="Local day; today if left out.")]
Gate = Annotated[PlainText | None, Query(max_length=60)]
StepQuery = Annotated[PlainText | None, Query(max_length=40)]


@router.post("/trips/{trip_id}/observations", responses=problems(404))
def enter_observation(trip_id: TripId, body: ObservationIn, action: OfficerAction) -> FindingList:
    """Enter what stands at a checkpoint; it is compared at once. The findings of the trip."""
    service.observe(action, trip_id, body.step, body.model_dump(exclude={"step"}, exclude_none=True))
    return FindingList(items=on_sheet.list_findings(action.session, action.actor, trip_id))


@router.get("/trips/{trip_id}/findings", responses=problems(404))
def list_findings(trip_id: TripId, principal: ReaderDep, session: SessionDep) -> FindingList:
    """What was seen of a trip and does not belong to it."""
    return FindingList(items=on_sheet.list_findings(session, principal, trip_id))


@router.post("/trips/{trip_id}/findings/{finding_id}/decide", responses=problems(404, 409))
def decide_finding(trip_id: TripId, finding_id: FindingId, body: DecisionIn, action: DeciderAction) -> FindingList:
    """Border guard or customs: let the truck go on, or keep it stopped, with the reason. The findings of the trip."""
    service.decide(action, trip_id, finding_id, body.verdict, body.reason)
    return FindingList(items=on_sheet.list_findings(action.session, action.actor, trip_id))


@router.put("/trips/{trip_id}/priority", status_code=204, responses=problems(404))
def set_priority(trip_id: TripId, body: PriorityIn, action: PriorityAction) -> None:
    """Give a trip priority by hand, or take it back; it stands in the log of overrides."""
    turns.set_priority(action, trip_id, is_given=body.is_given, reason=body.reason)


@router.get("/overrides", responses=problems())
def list_overrides(
    principal: SupervisorDep,
    session: SessionDep,
    clock: ClockDep,
    day: Day = None,
    gate: Gate = None,
    step: StepQuery = None,
) -> OverrideList:
    """What was done against warnings, or before others, on a day."""
    wanted = Wanted(day or clock.now().astimezone(LOCAL_ZONE).date(), gate or None, step or None)
    found = overrides.list_overrides(session, principal, wanted)
    return OverrideList(items=[OverrideOut.of(each) for each in found])
