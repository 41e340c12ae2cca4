"""Transshipments: register, approve, carry out exactly as approved."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.transshipments import service
from app.transshipments.balance import Amount, Move
from app.transshipments.vocabulary import TransshipmentStatus

router = APIRouter(prefix="/api/v1/transshipments", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
RegistrantAction = Annotated[ActionContext, Depends(acting("transshipments.register"))]
ApproverAction = Annotated[ActionContext, Depends(acting("transshipments.approve"))]
YardAction = Annotated[ActionContext, Depends(acting("transshipments.carry_out"))]
TransshipmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Weight = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=14, decimal_places=3)]

EXAMPLE: dict[str, JsonValue] = {
    "trip_id": 12,
    "moves": [{"line": 1, "to_plate": "桂F·A1234", "packages": 600, "weight_kg": "9000"}],
    "note": "Còn 400 thùng trên xe",
}


class MoveIn(BaseModel):
    """Some goods of one declared line to one vehicle. `from_plate` is the trip's truck unless it is the trailer."""

    model_config = ConfigDict(extra="forbid")

    line: int = Field(ge=1, le=50)
    from_plate: PlainText = Field(default="", max_length=40)
    to_plate: PlainText = Field(min_length=1, max_length=40)
    packages: int = Field(default=0, ge=0, le=10_000_000)
    weight_kg: Weight


class TransshipmentIn(BaseModel):
    """What goes where. The sum of a line's moves is at most what the declaration has left of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    trip_id: int = Field(ge=1, le=2**31 - 1)
    moves: list[MoveIn] = Field(min_length=1, max_length=service.MAX_MOVES)
    note: PlainText = Field(default="", max_length=service.MAX_TEXT_LENGTH)


class CarriedOut(BaseModel):
    """What was moved, counted again; it must be what was approved."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"moves": EXAMPLE["moves"]}]})

    moves: list[MoveIn] = Field(min_length=1, max_length=service.MAX_MOVES)


class Refusal(BaseModel):
    """Why it is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Xe nhận chưa đăng ký"}]})

    reason: PlainText = Field(min_length=1, max_length=service.MAX_TEXT_LENGTH)


class MoveOut(BaseModel):
    """Some goods of one declared line from one vehicle to another."""

    line: int
    goods: str
    from_plate: str
    to_plate: str
    packages: int
    weight_kg: Decimal


class Received(BaseModel):
    """What one vehicle receives altogether."""

    plate: str
    weight_kg: Decimal


class TransshipmentOut(BaseModel):
    """A transshipment; its `version` is its ETag."""

    transshipment_id: int
    trip_id: int
    code: str
    gate_id: str
    plate: str
    organisation: str
    status: TransshipmentStatus
    note: str
    reason: str
    version: int
    registered_at: AwareDatetime
    registered_by: str
    decided_at: AwareDatetime | None
    decided_by: str | None
    carried_out_at: AwareDatetime | None
    carried_out_by: str | None
    moves: list[MoveOut]
    received: list[Received]


class TransshipmentList(BaseModel):
    """A page, newest first; the header Link has the next one."""

    items: list[TransshipmentOut]


@router.post("", status_code=201, response_model=TransshipmentOut, responses=problems(404, 409))
def register_transshipment(
    body: TransshipmentIn,
    response: Response,
    action: RegistrantAction,
    sheets: SheetsDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Register which goods of a trip go on in which vehicles, after quarantine."""
    make = partial(service.register, action, sheets, body.trip_id, _moves(body.moves), note=body.note)
    transshipment_id = idempotency.once(action, "transshipments.register", idempotency_key, [body], make)
    response.headers["Location"] = f"{router.prefix}/{transshipment_id}"
    return _answer(action.session, action.actor, transshipment_id, response)


@router.get("", response_model=TransshipmentList, responses=problems())
def list_transshipments(
    page: PageParams,
    answer: AnswerPage,
    session: SessionDep,
    principal: ReaderDep,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    status: Annotated[list[TransshipmentStatus] | None, Query()] = None,
) -> Any:
    """The transshipments of the trips you may see, newest first."""
    return answer(service.list_transshipments(session, principal, trip_id=trip_id, statuses=status or (), page=page))


@router.get("/{transshipment_id}", response_model=TransshipmentOut, responses=problems(404))
def read_transshipment(
    transshipment_id: TransshipmentId, response: Response, session: SessionDep, principal: ReaderDep
) -> Any:
    """One transshipment."""
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/approve", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def approve_transshipment(
    transshipment_id: TransshipmentId, response: Response, action: ApproverAction, expected_version: ExpectedVersion
) -> Any:
    """Customs: let it be carried out."""
    service.approve(action, transshipment_id, expected_version)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/refuse", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def refuse_transshipment(
    transshipment_id: TransshipmentId,
    body: Refusal,
    response: Response,
    action: ApproverAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> Any:
    """Customs: refuse it, or take an approval back before it is carried out."""
    service.refuse(action, sheets, transshipment_id, expected_version, body.reason)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/withdraw", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def withdraw_transshipment(
    transshipment_id: TransshipmentId,
    response: Response,
    action: RegistrantAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> Any:
    """Enterprise: take it back before customs have decided."""
    service.withdraw(action, sheets, transshipment_id, expected_version)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/carry-out", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def carry_out_transshipment(
    transshipment_id: TransshipmentId,
    body: CarriedOut,
    response: Response,
    action: YardAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Yard: confirm that exactly what was approved was moved."""

    def make() -> int:
        service.carry_out(action, sheets, transshipment_id, expected_version, _moves(body.moves))
        return transshipment_id

    idempotency.once(action, f"transshipments.carry_out.{transshipment_id}", idempotency_key, [body], make)
    return _answer(action.session, action.actor, transshipment_id, response)


def _moves(given: Sequence[MoveIn]) -> list[Move]:
    return [Move(one.line, one.from_plate, one.to_plate, Amount(one.packages, one.weight_kg)) for one in given]


def _answer(session: Any, principal: Principal, transshipment_id: int, response: Response) -> dict[str, Any]:
    return with_etag(response, service.get_transshipment(session, principal, transshipment_id))
