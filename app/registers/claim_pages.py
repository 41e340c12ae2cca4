"""The desk's page of claims, and the page on which a driver says yes or no."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from app.registers import claims
from app.registers.claim_endpoints import VehicleListenerDep
from app.registers.vocabulary import ClaimStatus, Proof
from app.web.pages import render
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/claims")

DeskDep = Annotated[Principal, Depends(allow("pages.claims"))]
DeskAction = Annotated[ActionContext, Depends(acting("claims.decide"))]
AnswererDep = Annotated[Principal, Depends(allow("claims.answer"))]
AnswerAction = Annotated[ActionContext, Depends(acting("claims.answer"))]
ClaimId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Reason = Annotated[str, Form(max_length=1000)]


@router.get("")
def show_claims(
    request: Request,
    principal: DeskDep,
    session: SessionDep,
    q: Annotated[str, Query(max_length=100)] = "",
    everything: bool = False,
) -> Response:
    """Claims that wait for a desk, or all of them."""
    return _show(request, session, principal, q=q, everything=everything)


@router.get("/answer")
def show_to_answer(request: Request, principal: AnswererDep, session: SessionDep) -> Response:
    """Claims that the caller can say yes to: on a phone, one a card."""
    found = claims.list_claims(session, principal, "claims.answer")
    return render(request, "registers/answer.html", to_answer=found)


@router.post("/answer/{claim_id}")
def answer(
    action: AnswerAction,
    claim_id: ClaimId,
    follow: VehicleListenerDep,
    accept: Annotated[str, Form()] = "",
    reason: Reason = "",
) -> Response:
    """Say yes or no as the vehicle's driver or holder."""
    claims.answer(action, claim_id, accept=accept == "yes", reason=reason, follow=follow)
    return RedirectResponse("/claims/answer", 303)


@router.post("/{claim_id}")
def decide(
    request: Request,
    action: DeskAction,
    claim_id: ClaimId,
    follow: VehicleListenerDep,
    accept: Annotated[str, Form()] = "",
    reason: Reason = "",
    ends_others: Annotated[str, Form()] = "",
) -> Response:
    """Decide a claim."""
    try:
        with action.session.begin_nested():
            is_sold = ends_others == "yes"
            claims.decide(action, claim_id, accept=accept == "yes", reason=reason, ends_others=is_sold, follow=follow)
    except CuaKhauError as error:
        return _show(request, action.session, action.actor, error=error, at=claim_id)
    return RedirectResponse("/claims", 303)


def _show(
    request: Request,
    session: SessionDep,
    principal: Principal,
    *,
    q: str = "",
    everything: bool = False,
    error: CuaKhauError | None = None,
    at: int | None = None,
) -> Response:
    found = claims.list_claims(session, principal, "claims.read", open_only=not everything, query=q)
    return render(
        request,
        "registers/claims.html",
        status=422 if error else 200,
        found=found,
        q=q,
        everything=everything,
        error=error,
        at=at,
        statuses=ClaimStatus.by_name(),
        proofs=Proof.by_name(),
    )
