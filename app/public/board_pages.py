"""The public board for everyone, without an account: as a page, on a screen beside the road, as JSON.

Who has not signed in is answered before these routes, by `app.public.board_door`, with the same bodies.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import find_principal
from app.gates.vocabulary import KIND_NAMES
from app.platform.dependencies import CorridorDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.public.board import Board
from app.public.board_answers import JSON_PATH, SCREENS, answer_board, get_keeper, route_of
from app.web.api_description import operation_id
from app.web.pages import render
from geo.errors import NotFoundError

router = APIRouter(tags=["board"], generate_unique_id_function=operation_id)

MaybePrincipal = Annotated[Principal | None, Depends(find_principal)]
GateId = Annotated[str, Path(max_length=60)]


@router.get(JSON_PATH, response_model=Board, responses=problems())
async def read_board(request: Request) -> Response:
    """What everybody may know of the gates now: open or closed, queue, wait and forecast with ranges, free places and
    when the next one is free, closures, intake bans and outages, the notice of the day. Nobody signs in; nothing in it
    is about a truck, a person or an enterprise."""
    return await answer_board(request, JSON_PATH)


@router.get("/", include_in_schema=False)
async def show_start(request: Request, principal: MaybePrincipal) -> Response:
    """The page of the caller's role; of who has not signed in, the public board."""
    if principal is not None:
        return RedirectResponse(principal.role.home_page, 303)
    return await answer_board(request, "/")


@router.get("/board", include_in_schema=False)
async def show_board(request: Request, principal: MaybePrincipal) -> Response:
    """The public board, for those who have signed in too."""
    if principal is not None:
        kept = await get_keeper(request.app).get(request.app.state.pages.language(request))
        return render(request, "public/board.html", board=kept.board, kind_names=KIND_NAMES)
    return await answer_board(request, "/board")


@router.get("/board/{gate_id}", include_in_schema=False)
async def show_screen(request: Request, gate_id: GateId, corridor: CorridorDep) -> Response:
    """One gate on a whole screen, to be read from afar; it renews itself for weeks."""
    path = f"{SCREENS}{gate_id}"
    if route_of(path, corridor) is None:
        raise NotFoundError("There is no gate {gate_id}.", field="gate_id", gate_id=gate_id)
    return await answer_board(request, path)
