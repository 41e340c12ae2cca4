"""Declarations: make, save, submit, read with revisions and differences, import many; HS codes."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from operator import getitem
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from app.accounts.authorisation import acting, allow
from app.declarations import hs, importing, imports, reading, service
from app.declarations.fields import HEAD_FIELDS, DeclaredField
from app.declarations.service import DeclarationAction
from app.declarations.vocabulary import ImportStatus
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems, translate
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.trips.vocabulary import DeclarationStatus
from app.web.forms import Problem
from geo.errors import InvalidInputError

router = APIRouter(prefix="/api/v1", tags=["declarations"])

ReaderDep = Annotated[Principal, Depends(allow("declarations.read"))]
WriterDep = Annotated[Principal, Depends(allow("declarations.write"))]
TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Text80 = Annotated[PlainText, Field(max_length=80)]
OrganisationId = Annotated[int | None, Field(ge=1, le=2**31 - 1)]
Amount = Annotated[float | None, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Count = Annotated[int | None, Field(ge=0, le=2**31 - 1)]


def get_action(
    action: Annotated[ActionContext, Depends(acting("declarations.write"))], corridor: CorridorDep, sheets: SheetsDep
) -> DeclarationAction:
    """Who acts, when, on which corridor and sheets."""
    return DeclarationAction(
        action.session, action.principal, action.now, action.address, corridor=corridor, sheets=sheets
    )


DeclarantAction = Annotated[DeclarationAction, Depends(get_action)]

EXAMPLE_LINE: dict[str, JsonValue] = {
    "hs_code": "0810.90",
    "description": "Thanh long tươi",
    "goods_class": "fresh_fruit",
    "quantity": 18000,
    "unit": "kg",
    "gross_weight_kg": 19500,
    "net_weight_kg": 18000,
    "packages": 900,
    "packaging": "carton",
    "temperature_c": 5,
}
EXAMPLE: dict[str, JsonValue] = {
    "gate_id": "huu-nghi",
    "regime": "export",
    "planned_arrival": "2026-03-02T15:00:00+07:00",
    "customs_number": "305123456780",
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "container": "40",
    "refrigerated": True,
    "payload_kg": 26000,
    "inspection_expires": "2026-12-31",
    "driver_name": "Nguyễn Văn An",
    "driver_phone": "0912345678",
    "driver_paper": "passport",
    "driver_paper_number": "C1234567",
    "driver_paper_expires": "2030-12-31",
    "driver_licence_number": "790123456789",
    "driver_licence_expires": "2029-12-31",
    "health_symptoms": "none",
    "lines": [EXAMPLE_LINE],
}


class LineIn(BaseModel):
    """One kind of goods. `goods_class` follows the HS code, `perishable` the class, unless given."""

    model_config = ConfigDict(extra="forbid")

    hs_code: PlainText = Field("", max_length=20, description="4, 6, 8 or 10 digits, with or without dots.")
    description: PlainText = Field("", max_length=300)
    goods_class: Text80 = ""
    quantity: Amount = None
    unit: Text80 = ""
    gross_weight_kg: Amount = None
    net_weight_kg: Amount = None
    packages: Count = None
    packaging: Text80 = ""
    perishable: bool | None = None
    temperature_c: Amount = None


def _field_in(declared: DeclaredField) -> tuple[Any, Any]:
    """Type and default with which the API takes a field of a declaration."""
    match declared.kind:
        case "choice":
            return getitem(cast(Any, Literal), ("", *map(str, declared.choices))), ""
        case "text" | "plate":
            return PlainText, Field("", max_length=declared.length if declared.kind == "text" else 40)
        case "whole" if declared is HEAD_FIELDS["driver_id"]:
            return Annotated[int | None, Field(ge=1, le=2**31 - 1)], None
        case kind:
            return {"whole": Count, "decimal": Amount, "date": date | None, "time": Moment | None, "flag": bool | None}[
                kind
            ], None


_HEAD_IN: Any = {name: _field_in(declared) for name, declared in HEAD_FIELDS.items()}
DeclarationHead: Any = create_model(
    "DeclarationHead", __config__=ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]}), **_HEAD_IN
)
"""The fields of a declaration but for its lines, as `HEAD_FIELDS` has them."""


class DeclarationIn(DeclarationHead):
    """A whole declaration. A draft needs gate, regime, arrival, plate and what is carried; to submit, the rest too."""

    lines: list[LineIn] = Field(default_factory=list, max_length=50)


class NewDeclaration(DeclarationIn):
    """A declaration to make; `submit` hands it in at once. A support desk names the organisation."""

    submit: bool = False
    organisation_id: OrganisationId = None


class ChangedDeclaration(DeclarationIn):
    """The declaration as it should be, as a whole; `submit` hands it in at once."""

    submit: bool = False


class DifferenceOut(BaseModel):
    """A field that changed; `lines.2.quantity` is the quantity of the second line."""

    field: str
    label: str
    old: Any
    new: Any


class NoteOut(BaseModel):
    """What deserves a second look but does not stand in the way."""

    field: str
    detail: str


class RevisionOut(BaseModel):
    """One revision; `return_reasons` has `step reasons text`."""

    revision: int
    status: DeclarationStatus
    created_at: datetime
    submitted_at: datetime | None
    submitted_by: str | None
    returned_at: datetime | None
    returned_by: str | None
    return_reasons: dict[str, Any] | None
    data: dict[str, Any]


class DeclarationOut(BaseModel):
    """A declaration: its latest revision, and how it differs from the one before (`compared_with`)."""

    trip_id: int
    code: str
    plate: str
    organisation_id: int
    organisation: str
    stage: str
    simulated: bool
    revision: int
    status: DeclarationStatus
    version: int
    may_edit: bool
    data: dict[str, Any]
    compared_with: int | None
    differences: list[DifferenceOut]
    notes: list[NoteOut]
    revisions: list[RevisionOut]


class DeclarationItem(BaseModel):
    """A declaration in a list."""

    trip_id: int
    revision: int
    status: DeclarationStatus
    version: int
    code: str
    plate: str
    organisation: str
    goods: str
    gate_id: str
    stage: str
    planned_arrival: datetime
    simulated: bool
    submitted_at: datetime | None
    returned_at: datetime | None


class DeclarationPage(BaseModel):
    """A page of declarations, newest trip first; the header `Link` points to the next."""

    items: list[DeclarationItem]


class ImportRow(BaseModel):
    """What came of one declaration of a file: the rows it stands in, what is wrong, its trip once it is made."""

    number: int
    rows: list[int]
    plate: str
    goods: str
    problems: list[NoteOut]
    notes: list[NoteOut]
    trip_id: int | None


class ImportOut(BaseModel):
    """A file of declarations."""

    import_id: int
    file_name: str
    status: ImportStatus
    created_at: datetime
    done_at: datetime | None
    rows: list[ImportRow]


class ImportChoice(BaseModel):
    """Which declarations of a file to make, by `number`; without it all of them or none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"numbers": [1, 3], "submit": True}]})

    numbers: list[Annotated[int, Field(ge=1, le=10_000)]] | None = Field(default=None, max_length=500)
    submit: bool = True


class HsCodeOut(BaseModel):
    """A chapter, heading or subheading; `goods_class` is what the form suggests."""

    code: str
    shown: str
    vi: str
    en: str
    zh: str
    goods_class: str


class HsPage(BaseModel):
    """Codes found; the list holds chapters and the headings that matter here, any well-formed code is accepted."""

    items: list[HsCodeOut]


@router.get("/hs-codes", response_model=HsPage, responses=problems())
def search_hs_codes(
    _principal: ReaderDep, query: Annotated[PlainText, Query(max_length=100, examples=["thanh long"])]
) -> Any:
    """HS codes by number or by words, with or without accents."""
    return {"items": [one.to_record() for one in hs.search(query)]}


@router.get("/declarations", response_model=DeclarationPage, responses=problems())
def list_declarations(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    status: Annotated[DeclarationStatus | None, Query(description="Of the latest revision.")] = None,
) -> Any:
    """The declarations the caller may see, newest trip first."""
    return answer(reading.list_declarations(session, principal, status=status, page=page))


@router.post("/declarations", status_code=201, response_model=DeclarationOut, responses=problems(404, 409))
def create_declaration(
    body: NewDeclaration,
    request: Request,
    response: Response,
    action: DeclarantAction,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Begin a declaration and with it a trip, as a draft or submitted; all that is wrong is named in `errors`."""
    make = partial(service.create, action, _written(body), submit=body.submit, organisation_id=body.organisation_id)
    trip_id = idempotency.once(action, "declarations.create", idempotency_key, [body], make)
    response.headers["Location"] = f"/api/v1/declarations/{trip_id}"
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


@router.post("/declarations/imports", status_code=201, response_model=ImportOut, responses=problems(400, 409))
def check_import(
    request: Request,
    action: DeclarantAction,
    file: Annotated[UploadFile, File(description="CSV (UTF-8) or XLSX.")],
    organisation_id: Annotated[OrganisationId, Form()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Check a file of declarations row by row; nothing is declared yet."""
    content = file.file.read(importing.MAX_FILE_BYTES + 1)
    name = (file.filename or "").replace("\0", "")
    make = partial(imports.check_file, action, content, name, organisation_id=organisation_id)
    import_id = idempotency.once(action, "declarations.import", idempotency_key, [content], make)
    return _import(request, imports.get(action.session, action.actor, import_id))


@router.get("/declarations/imports/{import_id}", response_model=ImportOut, responses=problems(404))
def get_import(request: Request, import_id: TripId, principal: WriterDep, session: SessionDep) -> Any:
    """An import with the result for each row."""
    return _import(request, imports.get(session, principal, import_id))


@router.post("/declarations/imports/{import_id}/apply", response_model=ImportOut, responses=problems(404, 409))
def apply_import(
    request: Request,
    import_id: TripId,
    body: ImportChoice,
    action: DeclarantAction,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Make the declarations of a checked file: all or none, or the chosen ones."""
    make = partial(imports.apply, action, import_id, chosen=body.numbers, submit=body.submit)
    idempotency.once(action, "declarations.apply", idempotency_key, [import_id, body], make)
    return _import(request, imports.get(action.session, action.actor, import_id))


@router.get("/declarations/{trip_id}", response_model=DeclarationOut, responses=problems(404))
def get_declaration(
    request: Request, trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep, clock: ClockDep
) -> Any:
    """A declaration with its revisions and what changed last."""
    return _answer(request, response, session, principal, trip_id, clock.now())


@router.get("/declarations/{trip_id}/copy", response_model=DeclarationIn, responses=problems(404))
def copy_declaration(trip_id: TripId, principal: ReaderDep, session: SessionDep) -> Any:
    """An earlier declaration as the beginning of a new one: without arrival, customs number and health."""
    return reading.copy(session, principal, trip_id).to_record()


@router.put("/declarations/{trip_id}", response_model=DeclarationOut, responses=problems(404, 409, 412, 428))
def save_declaration(
    trip_id: TripId,
    body: ChangedDeclaration,
    request: Request,
    response: Response,
    action: DeclarantAction,
    expected_version: ExpectedVersion,
) -> Any:
    """Change a declaration: a draft in place; what was submitted or returned by a new revision."""
    service.save(action, trip_id, expected_version, _written(body), submit=body.submit)
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


@router.post("/declarations/{trip_id}/submit", response_model=DeclarationOut, responses=problems(404, 409, 412, 428))
def submit_declaration(
    trip_id: TripId, request: Request, response: Response, action: DeclarantAction, expected_version: ExpectedVersion
) -> Any:
    """Hand in the draft."""
    service.submit(action, trip_id, expected_version)
    return _answer(request, response, action.session, action.actor, trip_id, action.now)


def _written(body: DeclarationIn) -> dict[str, Any]:
    return body.model_dump(exclude={"submit", "organisation_id"})


def _answer(
    request: Request, response: Response, session: Any, principal: Principal, trip_id: int, now: datetime
) -> dict[str, Any]:
    found = reading.get(session, principal, trip_id, now=now)
    notes = [{"field": one.field, "detail": say(request, one)} for one in found["notes"]]
    return with_etag(response, {**found, "notes": notes})


def _import(request: Request, found: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {**row, **{kind: [_say_stored(request, one) for one in row[kind]] for kind in ("problems", "notes")}}
        for row in found["rows"]
    ]
    return {**found, "rows": rows}


def _say_stored(request: Request, one: dict[str, Any]) -> dict[str, str]:
    return {"field": one["field"], "detail": say(request, Problem(one["field"], one["message"], one["values"]))}


def say(request: Request, problem: Problem) -> str:
    """A problem in the caller's language."""
    return translate(request, InvalidInputError(problem.message, field=problem.field, **problem.values))
