"""Pages of declarations: list, form, one with its revisions, import of many, HS codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.declarations import form as forms
from app.declarations import hs, importing, imports, reading, reasons, service
from app.declarations.declared import CHOICES, read
from app.declarations.endpoints import DeclarantAction, ReaderDep, WriterDep
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS, field_of
from app.gates.service import profiles
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.paging import PageRequest
from app.trips.vocabulary import DeclarationStatus
from app.web.form_values import TWO_WAYS
from app.web.forms import Field, Problem, problems_by_field
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError, RefusedError

router = APIRouter(include_in_schema=False, prefix="/declarations")

NEW_NAME_FIELD = Field(kind="text", label=N_("Or a new enterprise, by name"))
BLANK_LINE = dict.fromkeys(LINE_FIELDS, "")
LINE_NAME = re.compile(r"lines\.(\d{1,3})\.(\w+)", re.ASCII)


async def read_written(request: Request) -> dict[str, Any]:
    """The form as written: fields by name, `lines` in the order of their numbers."""
    sent = await request.form()
    written: dict[str, Any] = {name: str(sent.get(name, "")) for name in HEAD_FIELDS}
    numbered: dict[int, dict[str, str]] = {}
    for name, value in sent.multi_items():
        match = LINE_NAME.fullmatch(name)
        if match and match[2] in LINE_FIELDS and isinstance(value, str):
            numbered.setdefault(int(match[1]), dict(BLANK_LINE))[match[2]] = value
    written["lines"] = [numbered[number] for number in sorted(numbered)]
    written["act"] = str(sent.get("act", "save"))
    written["version"] = str(sent.get("version", ""))
    return written


WrittenDep = Annotated[dict[str, Any], Depends(read_written)]


@router.get("")
def show_list(
    request: Request, principal: WriterDep, session: SessionDep, corridor: CorridorDep, before: int | None = None
) -> Response:
    """The declarations of the enterprise or the desk."""
    page = reading.list_declarations(session, principal, status=None, page=PageRequest(before))
    return render(
        request,
        "declarations/declarations.html",
        items=page.items,
        after=page.next_before,
        statuses=DeclarationStatus.by_name(),
        sites=corridor.sites,
    )


@router.get("/new")
def show_new(
    request: Request, principal: WriterDep, session: SessionDep, corridor: CorridorDep, copy: int | None = None
) -> Response:
    """An empty form, or one that begins with an earlier declaration."""
    form = reading.copy(session, principal, copy) if copy is not None else forms.Form()
    return show_form(request, session, corridor, as_written(form))


@router.post("/new")
def enter(request: Request, action: DeclarantAction, written: WrittenDep) -> Response:
    """Keep a new declaration as a draft or submit it; what cannot be accepted comes back with what to do."""
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written))
    try:
        with action.session.begin_nested():
            trip_id = service.create(action, written, submit=written["act"] == "submit")
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


@router.get("/hs")
def show_hs(request: Request, _principal: ReaderDep, query: str = "") -> Response:
    """HS codes by number or words, for browsers without scripts and whoever looks for one."""
    found = hs.search(query[:100], limit=50) if query else [one for c, one in hs.known_codes().items() if len(c) == 2]
    return render(request, "declarations/hs.html", query=query, found=found, show=hs.show)


@router.get("/template.xlsx")
def get_template(_principal: WriterDep) -> Response:
    """The file to fill in for an import."""
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    headers = {"Content-Disposition": 'attachment; filename="declarations.xlsx"'}
    return Response(importing.make_template(), media_type=media, headers=headers)


@router.get("/import")
def show_import_form(request: Request, _principal: WriterDep) -> Response:
    """Where a file is sent."""
    return render(request, "declarations/import.html", error=None)


@router.post("/import")
def check_import(request: Request, action: DeclarantAction, file: UploadFile) -> Response:
    """Check a file row by row."""
    content = file.file.read(importing.MAX_FILE_BYTES + 1)
    try:
        with action.session.begin_nested():
            import_id = imports.check_file(action, content, file.filename or "")
    except CuaKhauError as error:
        return render(request, "declarations/import.html", status=422, error=error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.get("/imports/{import_id}")
def show_import(request: Request, principal: WriterDep, session: SessionDep, import_id: int) -> Response:
    """The result for each row, and which to make."""
    return _show_import(request, imports.get(session, principal, import_id), None)


@router.post("/imports/{import_id}")
def apply_import(
    request: Request,
    action: DeclarantAction,
    import_id: int,
    number: Annotated[list[int], Form(default_factory=list)],
    which: Annotated[str, Form()] = "chosen",
    submit: Annotated[str, Form()] = "",
) -> Response:
    """Make all declarations of a file or none, or the chosen ones."""
    try:
        with action.session.begin_nested():
            chosen = None if which == "all" else number
            imports.apply(action, import_id, chosen=chosen, submit=bool(submit))
    except CuaKhauError as error:
        return _show_import(request, imports.get(action.session, action.actor, import_id), error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.get("/{trip_id}")
def show(
    request: Request, principal: ReaderDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, trip_id: int
) -> Response:
    """One declaration: what it says, what changed, why it was returned, its revisions."""
    found = reading.get(session, principal, trip_id, now=clock.now())
    return render(
        request,
        "declarations/declaration.html",
        found=found,
        statuses=DeclarationStatus.by_name(),
        head_fields=HEAD_FIELDS,
        line_fields=LINE_FIELDS,
        read=read,
        sites=corridor.sites,
        reasons=reasons.all_reasons(),
        returned=_returned(found),
        shown_name=_shown_name,
    )


@router.get("/{trip_id}/edit")
def show_edit(
    request: Request, principal: WriterDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, trip_id: int
) -> Response:
    """The form with what is declared."""
    found = reading.get(session, principal, trip_id, now=clock.now())
    written = as_written(forms.Form.from_record(found["data"]))
    return show_form(request, session, corridor, {**written, "version": str(found["version"])}, found=found)


@router.post("/{trip_id}/edit")
def edit(request: Request, action: DeclarantAction, written: WrittenDep, trip_id: int) -> Response:
    """Keep or submit a change; what cannot be accepted comes back with what to do."""
    found = reading.get(action.session, action.actor, trip_id, now=action.now)
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written), found=found)
    try:
        with action.session.begin_nested():
            version = int(written["version"]) if written["version"].isascii() and written["version"].isdigit() else 0
            service.save(action, trip_id, version, written, submit=written["act"] == "submit")
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error, found=found)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


@router.post("/{trip_id}/submit")
def submit(action: DeclarantAction, trip_id: int, version: Annotated[int, Form()]) -> Response:
    """Hand in the draft."""
    try:
        with action.session.begin_nested():
            service.submit(action, trip_id, version)
    except RefusedError:
        return RedirectResponse(f"/declarations/{trip_id}/edit?check=1", 303)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


def show_form(
    request: Request,
    session: Session,
    corridor: Corridor,
    written: Mapping[str, Any],
    error: CuaKhauError | None = None,
    *,
    found: Mapping[str, Any] | None = None,
    **more: Any,
) -> Response:
    """The form of a declaration with what was written and what is wrong with it."""
    now = request.app.state.runtime.clock.now()
    if "check" in request.query_params and error is None:
        form, unreadable = forms.read(written)
        error = service.refusal_of(session, form, unreadable, corridor, now)
    refused = error.problems if isinstance(error, RefusedError) else [error] if error else []
    errors = [Problem(one.field or "", one.message, one.values) for one in refused]
    context: dict[str, Any] = {
        "written": {**dict.fromkeys(HEAD_FIELDS, ""), "version": "", **written},
        "lines": list(written.get("lines") or []) or [dict(BLANK_LINE)],
        "errors": errors,
        "by_field": problems_by_field(errors),
        "gates": corridor.gates(),
        "profiles": profiles(session, now, corridor),
        "choices": CHOICES,
        "head_fields": HEAD_FIELDS,
        "line_fields": LINE_FIELDS,
        "found": found,
        "desk": None,
        "new_name_field": NEW_NAME_FIELD,
        "shown_name": _shown_name,
    }
    return render(request, "declarations/form.html", status=422 if errors else 200, **{**context, **more})


def as_written(form: forms.Form) -> dict[str, Any]:
    """A declaration as the fields of a form hold it: local times, numbers without a needless point."""
    record = asdict(form)
    lines = [{name: _as_text(value) for name, value in line.items()} for line in record.pop("lines")]
    return {**{name: _as_text(value) for name, value in record.items()}, "lines": lines}


def with_blank_line(written: Mapping[str, Any]) -> dict[str, Any]:
    """What was written with one more line of goods to fill in."""
    return {**written, "lines": [*written["lines"], dict(BLANK_LINE)]}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(LOCAL_ZONE).strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, float):
        text = f"{value:.10g}"
        return f"{text}0" if TWO_WAYS.fullmatch(text) else text  # 1.234 could be read as a thousand
    return str(value)


def _returned(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The return that still has to be answered."""
    for row in found["revisions"][:2]:
        if row["status"] == DeclarationStatus.SUBMITTED:
            return None
        if row["status"] == DeclarationStatus.RETURNED:
            return dict(row)
    return None


def _shown_name(name: str) -> tuple[str, str]:
    """The label of a field and the number of its line, if it has one."""
    one = field_of(name)
    line = name.split(".")[1] if name.startswith("lines.") else ""
    return (one.label if one else name, line)


def _show_import(request: Request, found: dict[str, Any], error: CuaKhauError | None) -> Response:
    problems = [
        {
            **row,
            **{
                kind: [Problem(one["field"], one["message"], one["values"]) for one in row[kind]]
                for kind in ("problems", "notes")
            },
        }
        for row in found["rows"]
    ]
    fine, refused = imports.results(found["rows"])
    return render(
        request,
        "declarations/imported.html",
        status=422 if error else 200,
        found=found,
        rows=problems,
        fine=fine,
        refused=refused,
        error=error,
        shown_name=_shown_name,
    )
