"""The page of neighbours: how each does, what was given up and is mended by hand."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.gates.vocabulary import Channel
from app.integrations import customs_effects, service
from app.integrations.dependencies import NeighboursDep
from app.integrations.neighbour import Neighbours
from app.integrations.vocabulary import CustomsState, DifferenceKind
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal
from app.web.pages import render
from geo.errors import InvalidInputError

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow("neighbours.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("neighbours.write"))]
Direction = Annotated[Literal["in", "out"], Path()]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
PAGE = "/admin/neighbours"


@router.get(PAGE)
def show_neighbours(request: Request, session: SessionDep, neighbours: NeighboursDep, principal: Reader) -> Response:
    """How each neighbour does, and what was given up."""
    return _show(request, session, neighbours, principal)


@router.post(f"{PAGE}/{{direction}}/{{number}}/mend")
def mend(
    request: Request,
    direction: Direction,
    number: Number,
    neighbours: NeighboursDep,
    action: WriterAction,
    body: Annotated[str, Form(max_length=service.MAX_BODY)],
) -> Response:
    """Send or take in again what was given up, as it was mended; what does not fit is shown again with the reason."""
    try:
        service.mend(action, neighbours, direction, number, body)
    except InvalidInputError as error:
        return _show(request, action.session, neighbours, action.actor, wrong=(direction, number, body, error))
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/{{direction}}/{{number}}/drop")
def drop(direction: Direction, number: Number, action: WriterAction) -> Response:
    """Let a message that was given up go for good."""
    service.drop(action, direction, number)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/differences/{{difference_id}}")
def settle(
    request: Request,
    difference_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    neighbours: NeighboursDep,
    action: WriterAction,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Say what became of a difference."""
    try:
        customs_effects.settle(action, difference_id, reason)
    except InvalidInputError as error:
        return _show(request, action.session, neighbours, action.actor, wrong=("", difference_id, "", error))
    return RedirectResponse(PAGE, 303)


def _show(
    request: Request,
    session: Session,
    neighbours: Neighbours,
    principal: Principal,
    *,
    wrong: tuple[str, int, str, InvalidInputError] | None = None,
) -> Response:
    said = None if wrong is None else {"key": wrong[:2], "body": wrong[2], "error": translate(request, wrong[3])}
    return render(
        request,
        "integrations/neighbours.html",
        status=200 if wrong is None else 422,
        conditions=service.conditions(session, neighbours, principal),
        letters=service.list_dead(session, neighbours, principal),
        differences=customs_effects.list_differences(session, principal),
        difference_kinds=DifferenceKind.by_name(),
        said_values=Channel.labels() | CustomsState.labels(),
        labels={each.name: each.label for each in neighbours},
        wrong=said,
    )
