"""Pages of files of declarations: send in, what they leave open, progress, the result of each row, changing a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.declarations import form as forms
from app.declarations import imports
from app.declarations.corrections import MEDIA_TYPE, make_template
from app.declarations.endpoints import DeclarantAction, WriterDep
from app.declarations.import_columns import MAX_FILE_BYTES, message_of
from app.declarations.import_endpoints import refused_answer
from app.declarations.import_schemas import Doubles, Hidden
from app.declarations.import_work import MAX_ROWS_AT_ONCE
from app.declarations.importing import Answers
from app.declarations.pages import (
    Written,
    WrittenDep,
    as_written,
    show_form,
    shown_name,
    stored_in_words,
    with_blank_line,
)
from app.declarations.tables import DeclarationImportRow
from app.declarations.vocabulary import ImportStatus, RowState
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.forms import Problem
from app.web.pages import render
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/declarations")

PAGE_ROWS = 100


@router.get("/template.xlsx")
def get_template(principal: WriterDep, corridor: CorridorDep) -> Response:
    """The file to fill in for an import."""
    gates = {gate.site_id: gate.name[principal.locale] for gate in corridor.gates()}
    headers = {"Content-Disposition": 'attachment; filename="declarations.xlsx"'}
    return Response(make_template(principal.locale, gates), media_type=MEDIA_TYPE, headers=headers)


@router.get("/import")
def show_import_form(request: Request, principal: WriterDep, session: SessionDep) -> Response:
    """Where a file is sent, and the last ones that were."""
    return _show_form(request, session, principal, None)


@router.post("/import")
def check_import(request: Request, action: DeclarantAction, file: UploadFile) -> Response:
    """Check a file row by row."""
    content = file.file.read(MAX_FILE_BYTES + 1)
    try:
        with action.session.begin_nested():
            import_id = imports.check_file(action, content, file.filename or "")
    except CuaKhauError as error:
        return _show_form(request, action.session, action.actor, error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.get("/imports/{import_id}")
def show_import(
    request: Request,
    principal: WriterDep,
    session: SessionDep,
    import_id: int,
    state: RowState | None = None,
    after: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """What the file leaves open, how far it is, or the result for each row and which to make."""
    return _show(request, session, principal, import_id, state=state, after=after)


@router.post("/imports/{import_id}")
def apply_import(
    request: Request,
    action: DeclarantAction,
    import_id: int,
    number: Annotated[list[int], Form(default_factory=list)],
    which: Annotated[str, Form()] = "chosen",
    submit: Annotated[str, Form()] = "",
) -> Response:
    """Make all declarations of a file or none, each that can be made, or the chosen ones."""
    try:
        with action.session.begin_nested():
            chosen = {"all": None, "fine": imports.ALL_FINE}.get(which, number)
            imports.apply(action, import_id, chosen=chosen, submit=bool(submit))
    except CuaKhauError as error:
        return _show(request, action.session, action.actor, import_id, error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.post("/imports/{import_id}/answers")
def answer_import(
    request: Request,
    action: DeclarantAction,
    import_id: int,
    hidden: Annotated[Hidden | None, Form()] = None,
    doubles: Annotated[Doubles | None, Form()] = None,
) -> Response:
    """Answer what a file leaves open."""
    try:
        with action.session.begin_nested():
            imports.answer(action, import_id, Answers(hidden, doubles))
    except CuaKhauError as error:
        return _show(request, action.session, action.actor, import_id, error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.post("/imports/{import_id}/check")
def check_again(request: Request, action: DeclarantAction, import_id: int) -> Response:
    """Check again what is not declared."""
    try:
        with action.session.begin_nested():
            imports.check_again(action, import_id)
    except CuaKhauError as error:
        return _show(request, action.session, action.actor, import_id, error)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


@router.get("/imports/{import_id}/refused.xlsx")
def get_refused(principal: WriterDep, session: SessionDep, import_id: int) -> Response:
    """The rows that cannot be declared, with the reason beside each."""
    return refused_answer(session, principal, import_id)


@router.get("/imports/{import_id}/rows/{number}")
def show_row(
    request: Request, principal: WriterDep, session: SessionDep, corridor: CorridorDep, import_id: int, number: int
) -> Response:
    """A row of a file in the form of a declaration, to be changed."""
    row = imports.get_row(session, principal, import_id, number)
    written = _as_written(row)
    found = [Problem(**problem) for problem in row.problems]
    return show_form(request, session, corridor, written, refused=found, row=row)


@router.post("/imports/{import_id}/rows/{number}")
def change_row(request: Request, action: DeclarantAction, written: WrittenDep, import_id: int, number: int) -> Response:
    """Keep what was changed in a row and check it again, or leave it out."""
    row = imports.get_row(action.session, action.actor, import_id, number)
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written), row=row)
    try:
        with action.session.begin_nested():
            if written["act"] == "leave_out":
                imports.leave_out(action, import_id, number)
                return RedirectResponse(f"/declarations/imports/{import_id}", 303)
            state = imports.edit_row(action, import_id, number, written)
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error, row=row)
    if state == RowState.REFUSED:
        return RedirectResponse(f"/declarations/imports/{import_id}/rows/{number}", 303)
    return RedirectResponse(f"/declarations/imports/{import_id}", 303)


def _as_written(row: DeclarationImportRow) -> Written:
    """A row as the form's fields hold it; what cannot be read stands there as it is in the file."""
    read = as_written(forms.read(row.written)[0])
    lines, raw_lines = read["lines"], row.written.get("lines")
    assert isinstance(lines, list)
    raw = raw_lines if isinstance(raw_lines, list) else []
    return {**_filled(read, row.written), "lines": [_filled(*pair) for pair in zip(lines, raw, strict=False)]}


def _filled(read: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, object]:
    return {name: value or str(raw.get(name) or "") for name, value in read.items() if name != "lines"}


def _show_form(request: Request, session: Session, principal: Principal, error: CuaKhauError | None) -> Response:
    return render(
        request,
        "declarations/import.html",
        status=422 if error else 200,
        error=error,
        listed=imports.list_imports(session, principal),
        statuses=ImportStatus.by_name(),
    )


def _show(
    request: Request,
    session: Session,
    principal: Principal,
    import_id: int,
    error: CuaKhauError | None = None,
    *,
    state: RowState | None = None,
    after: int = 0,
) -> Response:
    found = imports.get(session, principal, import_id)
    rows = imports.list_rows(session, found, state=state, after=after, limit=PAGE_ROWS + 1)
    counts = imports.count_states(session, found)
    return render(
        request,
        "declarations/imported.html",
        status=422 if error else 200,
        found=found,
        rows=rows[:PAGE_ROWS],
        next_after=rows[PAGE_ROWS - 1].number if len(rows) > PAGE_ROWS else None,
        counts={str(name): count for name, count in counts.items()},
        count=sum(counts.values()),
        progress=RowState.progress(counts),
        is_running=found.status in ImportStatus.running(),
        may_take_all=not counts[RowState.REFUSED] and counts[RowState.FINE] <= MAX_ROWS_AT_ONCE,
        states=RowState.by_name(),
        state=state,
        label_of=message_of,
        error=error,
        shown_name=shown_name,
        in_words=stored_in_words(request),
    )
