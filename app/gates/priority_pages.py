"""The page of a gate's priority lanes, a part of its profile that is published by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.gates import service
from app.gates.priority import MAX_LANES, PriorityLanes
from app.gates.vocabulary import GoodsClass, PriorityClass
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal
from app.web.pages import render
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix="/admin/gates/{gate_id}/priority")

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
GateId = Annotated[str, Path(max_length=60)]


async def read_form(request: Request) -> dict[str, list[str]]:
    """The values of the sent form by name."""
    form = await request.form()
    pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return {name: [value for key, value in pairs if key == name] for name in dict(pairs)}


@router.get("")
def show_priority(
    request: Request,
    gate_id: GateId,
    _principal: ReaderDep,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
) -> Response:
    """Who may use the priority lanes of a gate."""
    return _page(request, gate_id, session, corridor, clock)


@router.post("")
def save_priority(
    request: Request,
    gate_id: GateId,
    action: WriterAction,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: Annotated[dict[str, list[str]], Depends(read_form)],
) -> Response:
    """Publish other priority lanes at once, as the next version of the gate's profile."""
    try:
        with session.begin_nested():
            lanes = PriorityLanes.model_validate(
                {
                    "lanes": (sent.get("lanes") or ["0"])[0],
                    "goods": sent.get("goods", []),
                    "conditions": sent.get("conditions", []),
                }
            )
            version = (sent.get("version") or ["0"])[0]
            service.set_priority(action, gate_id, lanes, expected_version=int(version) if version.isdigit() else 0)
    except (ValidationError, CuaKhauError) as error:
        refusal = error if isinstance(error, CuaKhauError) else _not_lanes(sent)
        return _page(request, gate_id, session, corridor, clock, message=translate(request, refusal))
    return RedirectResponse(f"/admin/gates/{gate_id}/priority", 303)


def _not_lanes(sent: dict[str, list[str]]) -> InvalidInputError:
    value = ", ".join(value[:40] for name in ("lanes", "goods", "conditions") for value in sent.get(name, []))
    return InvalidInputError(
        "Priority lanes cannot be {value}; give a number from 0 to {limit} and choose from the lists.",
        field="lanes",
        value=value,
        limit=MAX_LANES,
    )


def _page(
    request: Request, gate_id: str, session: SessionDep, corridor: CorridorDep, clock: ClockDep, message: str = ""
) -> Response:
    found = service.get_profile(session, service.get_gate_id(corridor, gate_id), clock.now())
    return render(
        request,
        "gates/priority.html",
        status=422 if message else 200,
        gate_id=gate_id,
        gate=service.gate_name(corridor, gate_id, request.app.state.pages.language(request)),
        lanes=found.profile.priority or PriorityLanes(),
        revision=service.revision(session, gate_id),
        goods_labels=GoodsClass.labels(),
        conditions=PriorityClass.by_name(),
        max_lanes=MAX_LANES,
        message=message,
    )
