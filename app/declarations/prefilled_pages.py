"""Pages of declarations that the other side's export data fill in: the list, the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.viewpoints import of_enterprise
from app.declarations import form as forms
from app.declarations import prefilled
from app.declarations.endpoints import DeclarantAction
from app.declarations.pages import Written, WrittenDep, as_written, show_form, with_blank_line
from app.declarations.prefilled import Prefilled
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.fields import PlainText
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.web.pages import render
from geo.corridor import Corridor
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/declarations/prefilled")

PageDep = Annotated[Principal, Depends(of_enterprise("/declarations/prefilled", "pages.prefilled"))]
PrefilledId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("")
def show_list(
    request: Request, principal: PageDep, session: SessionDep, corridor: CorridorDep, before: int | None = None
) -> Response:
    """What was sent for the enterprise, or what comes to the desk's gate."""
    return _list(request, principal, session, corridor, before=before)


@router.get("/{prefilled_id}")
def show(
    request: Request, principal: PageDep, session: SessionDep, corridor: CorridorDep, prefilled_id: PrefilledId
) -> Response:
    """The form, filled in; each field that was says by whom."""
    found = prefilled.get(session, principal, prefilled_id)
    if found.trip_id is not None:
        return RedirectResponse(f"/declarations/{found.trip_id}", 303)
    written = as_written(forms.Form.from_record(found.data))
    return show_form(request, session, corridor, written, **_filled(found))


@router.post("/{prefilled_id}")
def declare(request: Request, action: DeclarantAction, written: WrittenDep, prefilled_id: PrefilledId) -> Response:
    """Keep what was made of it as a draft, or submit it; what cannot be accepted comes back with what to do."""
    found = prefilled.get(action.session, action.actor, prefilled_id)
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written), **_filled(found))
    try:
        with action.session.begin_nested():
            trip_id = prefilled.take_over(action, prefilled_id, written, submit=written["act"] == "submit")
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error, **_filled(found))
    return RedirectResponse(f"/declarations/{trip_id}", 303)


@router.post("/{prefilled_id}/assign")
def assign(
    request: Request,
    action: DeclarantAction,
    prefilled_id: PrefilledId,
    name: Annotated[PlainText, Form(max_length=200)],
) -> Response:
    """Say which enterprise the goods are for."""
    try:
        with action.session.begin_nested():
            prefilled.assign(action, prefilled_id, name)
    except CuaKhauError as error:
        return _list(request, action.actor, action.session, action.corridor, wrong=error)
    return RedirectResponse("/declarations/prefilled", 303)


def _list(
    request: Request,
    principal: Principal,
    session: Session,
    corridor: Corridor,
    *,
    before: int | None = None,
    wrong: CuaKhauError | None = None,
) -> Response:
    page = prefilled.list_prefilled(session, principal, PageRequest(before))
    return render(
        request,
        "declarations/prefilled.html",
        status=422 if wrong else 200,
        items=page.items,
        after=page.next_before,
        sites=corridor.sites,
        wrong=None if wrong is None else translate(request, wrong),
    )


def _filled(found: Prefilled) -> Mapping[str, Any]:
    """What the form shows of whom its fields are from: field → what was said, as the form holds it."""
    written: Written = as_written(forms.Form.from_record(found.data))
    lines = written.pop("lines")
    assert isinstance(lines, list)
    flat = {**written}
    for number, line in enumerate(lines, 1):
        flat |= {f"lines.{number}.{name}": value for name, value in line.items()}
    return {"prefill": found, "filled": {name: flat[name] for name in found.filled if name in flat}}
