"""Zones of yards, closures and prices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, RedisDep, SessionDep
from app.platform.errors import problems
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.web.routers import ApiRouter
from app.yards import closure_trial, zones
from app.yards.zone_schemas import ClosureIn, ClosureOut, ClosureTrial, PriceIn, YardPlaces, ZoneId, ZoneIn, ZoneOut

router = ApiRouter(prefix="/api/v1/yards/{yard_id}", tags=["yards"])

Reader = Annotated[Principal, Depends(allow(zones.READ))]
Writer = Annotated[Principal, Depends(allow("yards.write"))]
WriterAction = Annotated[ActionContext, Depends(acting("yards.write"))]
EntryId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/places", responses=problems(404))
def read_places(yard_id: str, session: SessionDep, clock: ClockDep, _principal: Reader) -> YardPlaces:
    """The zones of a yard with what was set of their places and by whom, closures that hold now or will, prices."""
    return zones.describe_places(session, yard_id, clock.now())


@router.put("/zones/{zone_id}", responses=problems(404))
def set_zone(
    yard_id: str, zone_id: ZoneId, body: ZoneIn, action: WriterAction, idempotency_key: IdempotencyKey = None
) -> ZoneOut:
    """Give a zone so many places from a time on. A yard with zones has the places of its zones."""
    return zones.set_places(action, yard_id, zone_id, body, key=idempotency_key)


@router.post("/zones/changes/{change_id}/undo", responses=problems(404, 409))
def undo_zone(yard_id: str, change_id: EntryId, action: WriterAction) -> YardPlaces:
    """Take a change of a zone's places back: it counts as never made."""
    return zones.take_places_back(action, yard_id, change_id)


@router.post("/prices", status_code=201, responses=problems(404))
def set_price(yard_id: str, body: PriceIn, action: WriterAction, idempotency_key: IdempotencyKey = None) -> YardPlaces:
    """Set what a place costs from a time on, in a zone or in the whole yard."""
    return zones.set_price(action, yard_id, body, key=idempotency_key)


@router.post("/prices/{price_id}/undo", responses=problems(404, 409))
def undo_price(yard_id: str, price_id: EntryId, action: WriterAction) -> YardPlaces:
    """Take a price back: it counts as never set."""
    return zones.take_price_back(action, yard_id, price_id)


@router.post("/closures", status_code=201, responses=problems(404))
def close_yard(
    yard_id: str, body: ClosureIn, action: WriterAction, idempotency_key: IdempotencyKey = None
) -> ClosureOut:
    """Close a yard or a zone of it, wholly or in part; the next plan, within a minute, sends trucks elsewhere."""
    return zones.close(action, yard_id, body, key=idempotency_key)


@router.post("/closures/trial", responses=problems(404))
def try_closure(
    yard_id: str,
    body: ClosureIn,
    session: SessionDep,
    redis: RedisDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: Writer,
) -> ClosureTrial:
    """What a closure would change in the plan of the next day: who would go elsewhere, who would wait; and, played
    through the traffic engine, in queue and wait of the next hours. Nothing is made of it."""
    return closure_trial.try_closure(session, redis, corridor, principal, yard_id, body, clock.now())


@router.post("/closures/{closure_id}/end", responses=problems(404, 409))
def end_closure(yard_id: str, closure_id: EntryId, action: WriterAction) -> ClosureOut:
    """End a closure now."""
    return zones.end_closure(action, yard_id, closure_id)
