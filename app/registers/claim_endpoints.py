"""Whose a vehicle is: `/api/v1/claims` and `/api/v1/own-vehicles`."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request

from app.accounts import powers
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal, Scope
from app.registers import claims, forwarding
from app.registers.claims import VehicleListener
from app.registers.schemas import ClaimAnswer, ClaimIn, ClaimOut, HandOnIn, HoldingOut
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["registers"])


async def get_vehicle_listener(request: Request) -> VehicleListener:
    """What follows in this process when it changes whose a vehicle is, or whether it makes a trip."""
    return cast(VehicleListener, request.app.state.vehicle_listener)


VehicleListenerDep = Annotated[VehicleListener, Depends(get_vehicle_listener)]
ReaderDep = Annotated[Principal, Depends(allow("claims.read"))]
ClaimId = Annotated[int, Path(ge=1, le=2**31 - 1)]
VehicleId = Annotated[int, Path(ge=1, le=2**31 - 1)]
OwnerAction = Annotated[ActionContext, Depends(acting("claims.file"))]
Words = Annotated[PlainText, Query(max_length=100, description="Words in any order, without accents.")]


@router.get("/claims", summary="Claims to vehicles")
def list_claims(
    session: SessionDep,
    principal: ReaderDep,
    q: Words = "",
    open_only: bool = False,
) -> list[ClaimOut]:
    """An enterprise's own claims; all of them for a desk; for a driver those to the vehicle they drive."""
    found = claims.list_claims(session, principal, "claims.read", open_only=open_only, query=q)
    is_desk = principal.require("claims.read") is Scope.ALL
    return [ClaimOut.of(claim, with_holders=is_desk) for claim in found]


@router.get("/claims/to-answer", summary="Claims of others that the caller can say yes to")
def list_to_answer(
    session: SessionDep, principal: Annotated[Principal, Depends(allow("claims.answer"))]
) -> list[ClaimOut]:
    """Claims to what the caller's enterprise holds, or to the vehicle that a driver drives."""
    found = claims.list_claims(session, principal, "claims.answer", open_only=True)
    return [ClaimOut.of(claim, with_holders=False) for claim in found]


@router.post("/claims", status_code=201, summary="Claim a vehicle", responses=problems(409))
def file_claim(body: ClaimIn, action: OwnerAction) -> ClaimOut:
    """Say that a vehicle is one of the caller's enterprise; a second time while the first waits changes nothing."""
    made = claims.file_claim(
        action,
        body.plate,
        paper_number=body.paper_number,
        note=body.note,
        organisation_id=body.organisation_id,
    )
    return ClaimOut.plain(made)


@router.post("/claims/{claim_id}/withdraw", responses=problems(404, 409))
def withdraw_claim(claim_id: ClaimId, action: OwnerAction) -> ClaimOut:
    """Take a claim back."""
    return ClaimOut.plain(claims.withdraw_claim(action, claim_id))


@router.post("/claims/{claim_id}/answer", responses=problems(404, 409))
def answer_claim(
    claim_id: ClaimId,
    body: ClaimAnswer,
    action: Annotated[ActionContext, Depends(acting("claims.answer"))],
    follow: VehicleListenerDep,
) -> ClaimOut:
    """Say yes or no as who holds the vehicle, or as its driver."""
    return ClaimOut.plain(claims.answer(action, claim_id, accept=body.accept, reason=body.reason, follow=follow))


@router.post("/claims/{claim_id}/decide", responses=problems(404, 409))
def decide_claim(
    claim_id: ClaimId,
    body: ClaimAnswer,
    action: Annotated[ActionContext, Depends(acting("claims.decide"))],
    follow: VehicleListenerDep,
) -> ClaimOut:
    """Decide at a desk, with the registration certificate in hand."""
    settled = claims.decide(
        action, claim_id, accept=body.accept, reason=body.reason, ends_others=body.ends_others, follow=follow
    )
    return ClaimOut.plain(settled)


@router.get("/own-vehicles", summary="Vehicles that the caller's enterprise has proven")
def list_own_vehicles(
    session: SessionDep, principal: Annotated[Principal, Depends(allow("claims.file"))], q: Words = ""
) -> list[HoldingOut]:
    """By plate, each with the last sign of it."""
    return [HoldingOut.of(holding) for holding in claims.list_holdings(session, principal, q)]


@router.delete("/own-vehicles/{vehicle_id}", status_code=204, summary="Release a vehicle", responses=problems(404))
def release_vehicle(vehicle_id: VehicleId, action: OwnerAction, follow: VehicleListenerDep) -> None:
    """Let go of a vehicle; its drivers and the devices that the enterprise enrolled go with it."""
    claims.release(action, vehicle_id, follow=follow)


@router.post(
    "/own-vehicles/{vehicle_id}/hand-on", status_code=204, summary="Hand a vehicle on", responses=problems(404)
)
def hand_on_vehicle(vehicle_id: VehicleId, body: HandOnIn, action: OwnerAction, follow: VehicleListenerDep) -> None:
    """Give a vehicle to another enterprise."""
    to_id = body.to_id if body.to_id is not None else powers.get_company(action.session, body.name).organisation_id
    claims.hand_on(action, vehicle_id, to_id, follow=follow)


ForwardAction = Annotated[ActionContext, Depends(acting("vehicles.forward"))]
EndForwardAction = Annotated[ActionContext, Depends(acting("vehicles.forward_end"))]


@router.put(
    "/own-vehicles/{vehicle_id}/forwarding",
    status_code=204,
    summary="Agree that the positions of a vehicle are forwarded",
    responses=problems(404, 409),
)
def agree_to_forwarding(vehicle_id: VehicleId, action: ForwardAction, runtime: RuntimeDep) -> None:
    """Let the positions of a vehicle go to the receiver that the operator names, from now on, until taken back."""
    forwarding.agree(action, vehicle_id, runtime.settings.position_receiver)


@router.delete(
    "/own-vehicles/{vehicle_id}/forwarding",
    status_code=204,
    summary="Take back that the positions of a vehicle are forwarded",
    responses=problems(404),
)
def end_forwarding(vehicle_id: VehicleId, action: EndForwardAction) -> None:
    """Nothing of the vehicle goes out from now on, not even what waits to."""
    forwarding.end(action, vehicle_id)
