"""Declarations: make, save, submit, read with revisions and differences; HS codes."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import acting, allow
from app.declarations import hs, reading, service
from app.declarations.schemas import (
    ChangedDeclaration,
    DeclarationIn,
    DeclarationOut,
    DeclarationPage,
    HsPage,
    NewDeclaration,
    NoteOut,
)
from app.declarations.service import DeclarationAction
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems, translate
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.trips.vocabulary import DeclarationStatus
from app.web.forms import Problem
from app.web.routers import ApiRouter
from geo.errors import InvalidInputError

router = ApiRouter(prefix="/api/v1", tags=["declarations"])

ReaderDep = Annotated[Principal, Depends(allow("declarations.read"))]
WriterDep = Annotated[Principal, Depends(allow("declarations.write"))]
TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def get_action(
    action: Annotated[ActionContext, Depends(acting("declarations.write"))], corridor: CorridorDep, sheets: SheetsDep
) -> DeclarationAction:
    """Who acts, when, on which corridor and sheets."""
    return DeclarationAction(
        action.session, action.principal, action.now, action.address, corridor=corridor, sheets=sheets
    )


DeclarantAction = Annotated[DeclarationAction, Depends(get_action)]


@router.get("/hs-codes", responses=problems())
def search_hs_codes(
    _principal: ReaderDep, query: Annotated[PlainText, Query(max_length=100, examples=["thanh long"])]
) -> HsPage:
    """HS codes by number or by words, with or without accents."""
    return HsPage.model_validate({"items": hs.search(query)})


@router.get("/declarations", responses=problems())
def list_declarations(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    status: Annotated[DeclarationStatus | None, Query(description="Of the latest revision.")] = None,
) -> DeclarationPage:
    """The declarations the caller may see, newest trip first."""
    found = reading.list_declarations(session, principal, status=status, page=page)
    return DeclarationPage.model_validate(answer(found))


@router.post("/declarations", status_code=201, responses=problems(404, 409))
def create_declaration(
    body: NewDeclaration,
    request: Request,
    response: Response,
    action: DeclarantAction,
    idempotency_key: IdempotencyKey = None,
) -> DeclarationOut:
    """Begin a declaration and with it a trip, as a draft or submitted; all that is wrong is named in `errors`."""
    make = partial(service.create, action, _written(body), submit=body.submit, organisation_id=body.organisation_id)
    trip_id = idempotency.once(action, "declarations.create", idempotency_key, [body], make)
    response.headers["Location"] = f"/api/v1/declarations/{trip_id}"
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


@router.get("/declarations/{trip_id}", responses=problems(404))
def get_declaration(
    request: Request, trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep, clock: ClockDep
) -> DeclarationOut:
    """A declaration with its revisions and what changed last."""
    return _answer(request, response, session, principal, trip_id, clock.now())


@router.get("/declarations/{trip_id}/copy", responses=problems(404))
def copy_declaration(trip_id: TripId, principal: ReaderDep, session: SessionDep) -> DeclarationIn:
    """An earlier declaration as the beginning of a new one: without arrival, customs number and health."""
    return DeclarationIn.model_validate(reading.copy(session, principal, trip_id), from_attributes=True)


@router.put("/declarations/{trip_id}", responses=problems(404, 409, 412, 428))
def save_declaration(
    trip_id: TripId,
    body: ChangedDeclaration,
    request: Request,
    response: Response,
    action: DeclarantAction,
    expected_version: ExpectedVersion,
) -> DeclarationOut:
    """Change a declaration: a draft in place; what was submitted or returned by a new revision."""
    service.save(action, trip_id, expected_version, _written(body), submit=body.submit)
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


@router.post("/declarations/{trip_id}/submit", responses=problems(404, 409, 412, 428))
def submit_declaration(
    trip_id: TripId, request: Request, response: Response, action: DeclarantAction, expected_version: ExpectedVersion
) -> DeclarationOut:
    """Hand in the draft."""
    service.submit(action, trip_id, expected_version)
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


def _written(body: DeclarationIn) -> dict[str, object]:
    return dict(body.model_dump(exclude={"submit", "organisation_id"}))


def _answer(
    request: Request, response: Response, session: Session, principal: Principal, trip_id: int, now: datetime
) -> DeclarationOut:
    found = reading.get(session, principal, trip_id, now=now)
    return with_etag(response, DeclarationOut.of(found, [note_of(request, note) for note in found.notes]))


def note_of(request: Request, problem: Problem) -> NoteOut:
    """A problem in the caller's language."""
    error = InvalidInputError(problem.message, field=problem.field, **problem.values)
    return NoteOut(field=problem.field, detail=translate(request, error))
