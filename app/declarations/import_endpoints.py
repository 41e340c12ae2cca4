"""Files of declarations: send in, answer what is open, make what is chosen, change rows, take refused rows home."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import File, Form, Path, Query, Request, Response, UploadFile
from sqlalchemy.orm import Session

from app.declarations import imports
from app.declarations.corrections import MEDIA_TYPE
from app.declarations.documents import StoredProblem
from app.declarations.endpoints import DeclarantAction, WriterDep, note_of
from app.declarations.import_columns import MAX_FILE_BYTES
from app.declarations.import_schemas import Doubles, Hidden, ImportAnswers, ImportChoice, ImportedRow, ImportOut
from app.declarations.importing import Answers
from app.declarations.schemas import DeclarationIn, NoteOut, OrganisationId
from app.declarations.vocabulary import RowState
from app.platform import idempotency
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.web.forms import Problem
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/declarations/imports", tags=["declarations"])

ImportId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RowNumber = Annotated[int, Path(ge=1, le=100_000)]


@router.post("", status_code=201, responses=problems(400, 409))
def check_import(
    request: Request,
    action: DeclarantAction,
    file: Annotated[UploadFile, File(description="CSV or XLSX.")],
    organisation_id: Annotated[OrganisationId, Form()] = None,
    hidden: Annotated[Hidden | None, Form(description="Rows and columns that the file hides.")] = None,
    doubles: Annotated[Doubles | None, Form(description="What is there twice counts once, or each.")] = None,
    idempotency_key: IdempotencyKey = None,
) -> ImportOut:
    """Check a file of declarations row by row; nothing is declared yet. A long file is checked in the background."""
    content = file.file.read(MAX_FILE_BYTES + 1)
    name = (file.filename or "").replace("\0", "")
    answers = Answers(hidden, doubles)
    make = partial(imports.check_file, action, content, name, organisation_id=organisation_id, answers=answers)
    import_id = idempotency.once(action, "declarations.import", idempotency_key, [content], make)
    return _import(request, action.session, action.actor, import_id)


@router.get("/{import_id}", responses=problems(404))
def get_import(
    request: Request,
    import_id: ImportId,
    principal: WriterDep,
    session: SessionDep,
    state: RowState | None = None,
    after: Annotated[int, Query(ge=0, le=100_000, description="The number of the last row seen.")] = 0,
    limit: Annotated[int | None, Query(ge=1, le=5000)] = None,
) -> ImportOut:
    """An import, how far it is, and the result for each row."""
    return _import(request, session, principal, import_id, state=state, after=after, limit=limit)


@router.post("/{import_id}/answers", responses=problems(404, 409))
def answer_import(request: Request, import_id: ImportId, body: ImportAnswers, action: DeclarantAction) -> ImportOut:
    """Answer what a file leaves open; it is checked then."""
    imports.answer(action, import_id, Answers(body.hidden, body.doubles))
    return _import(request, action.session, action.actor, import_id)


@router.post("/{import_id}/apply", responses=problems(404, 409))
def apply_import(
    request: Request,
    import_id: ImportId,
    body: ImportChoice,
    action: DeclarantAction,
    idempotency_key: IdempotencyKey = None,
) -> ImportOut:
    """Make the declarations of a checked file: all or none, the chosen ones, or each that can be made."""
    chosen = imports.ALL_FINE if body.all_fine else body.numbers
    make = partial(imports.apply, action, import_id, chosen=chosen, submit=body.submit)
    idempotency.once(action, "declarations.apply", idempotency_key, [import_id, body], make)
    return _import(request, action.session, action.actor, import_id)


@router.post("/{import_id}/check", responses=problems(404, 409))
def check_again(request: Request, import_id: ImportId, action: DeclarantAction) -> ImportOut:
    """Check again all rows from which a declaration can still come."""
    imports.check_again(action, import_id)
    return _import(request, action.session, action.actor, import_id)


@router.get("/{import_id}/refused.xlsx", responses=problems(404))
def get_refused(import_id: ImportId, principal: WriterDep, session: SessionDep) -> Response:
    """The rows that cannot be declared, each with the reason; corrected and sent in, they take their old places."""
    return refused_answer(session, principal, import_id)


@router.put("/{import_id}/rows/{number}", responses=problems(404, 409))
def change_row(
    request: Request, import_id: ImportId, number: RowNumber, body: DeclarationIn, action: DeclarantAction
) -> ImportedRow:
    """Change what a row says and check it again; nothing is declared."""
    imports.edit_row(action, import_id, number, body.model_dump(mode="json"))
    return _row(request, action.session, action.actor, import_id, number)


@router.delete("/{import_id}/rows/{number}", responses=problems(404, 409))
def leave_out_row(request: Request, import_id: ImportId, number: RowNumber, action: DeclarantAction) -> ImportedRow:
    """Nothing is to come of a row; it can be taken up again by changing it."""
    imports.leave_out(action, import_id, number)
    return _row(request, action.session, action.actor, import_id, number)


def refused_answer(session: Session, principal: Principal, import_id: int) -> Response:
    """The refused rows of an import as a file to keep."""
    content = imports.refused_rows(session, principal, import_id, principal.locale)
    headers = {"Content-Disposition": f'attachment; filename="refused-{import_id}.xlsx"'}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


def _import(
    request: Request,
    session: Session,
    principal: Principal,
    import_id: int,
    *,
    state: RowState | None = None,
    after: int = 0,
    limit: int | None = None,
) -> ImportOut:
    found = imports.get(session, principal, import_id)
    rows = imports.list_rows(session, found, state=state, after=after, limit=limit)
    counts = imports.count_states(session, found)
    shown = [ImportedRow.of(row, partial(_say_all, request)) for row in rows]
    return ImportOut.of(found, shown, counts)


def _row(request: Request, session: Session, principal: Principal, import_id: int, number: int) -> ImportedRow:
    row = imports.get_row(session, principal, import_id, number)
    return ImportedRow.of(row, partial(_say_all, request))


def _say_all(request: Request, stored: list[StoredProblem]) -> list[NoteOut]:
    return [note_of(request, Problem(**problem)) for problem in stored]
