"""Transshipments: register, approve, carry out exactly as approved."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.platform import idempotency
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.http import IdempotencyKey, IfMatch, PlainText, etag, link_next, problems, read_if_match
from app.platform.permissions import Principal
from app.sheets.dependencies import SheetsDep
from app.transshipments import service
from app.transshipments.balance import Amount, Move
from app.transshipments.vocabulary import TransshipmentStatus

router = APIRouter(prefix="/api/v1/transshipments", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
RegistrantDep = Annotated[Principal, Depends(allow("transshipments.register"))]
ApproverDep = Annotated[Principal, Depends(allow("transshipments.approve"))]
YardDep = Annotated[Principal, Depends(allow("transshipments.carry_out"))]
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
    moves: list[MoveIn] = Field(min_length=1, max_length=service.MOST_MOVES)
    note: PlainText = Field(default="", max_length=service.LONGEST_TEXT)


class CarriedOut(BaseModel):
    """What was moved, counted anew; it must be what was approved."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"moves": EXAMPLE["moves"]}]})

    moves: list[MoveIn] = Field(min_length=1, max_length=service.MOST_MOVES)


class Refusal(BaseModel):
    """Why it is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Xe nhận chưa đăng ký"}]})

    reason: PlainText = Field(min_length=1, max_length=service.LONGEST_TEXT)


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
    request: Request,
    response: Response,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    principal: RegistrantDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Register which goods of a trip go on in which vehicles, after quarantine."""
    now, sent = clock.now(), body.model_dump_json().encode()
    transshipment_id = idempotency.once(
        session,
        principal,
        "transshipments.register",
        key=idempotency_key,
        body=sent,
        now=now,
        make=lambda: service.register(
            session,
            sheets,
            principal,
            body.trip_id,
            _moves(body.moves),
            note=body.note,
            now=now,
            address=client_address(request),
        ),
    )
    response.headers["Location"] = f"{router.prefix}/{transshipment_id}"
    return _answer(session, principal, transshipment_id, response)


@router.get("", response_model=TransshipmentList, responses=problems())
def list_transshipments(
    request: Request,
    response: Response,
    session: SessionDep,
    principal: ReaderDep,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    status: Annotated[list[TransshipmentStatus] | None, Query()] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """The transshipments of the trips you may see, newest first."""
    items, following = service.list_transshipments(
        session, principal, trip_id=trip_id, statuses=status or (), before=before, limit=limit
    )
    if following is not None:
        link_next(request, response, before=following)
    return {"items": items}


@router.get("/{transshipment_id}", response_model=TransshipmentOut, responses=problems(404))
def read_transshipment(
    transshipment_id: TransshipmentId, response: Response, session: SessionDep, principal: ReaderDep
) -> Any:
    """One transshipment."""
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/approve", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def approve_transshipment(
    transshipment_id: TransshipmentId,
    request: Request,
    response: Response,
    session: SessionDep,
    clock: ClockDep,
    principal: ApproverDep,
    if_match: IfMatch = None,
) -> Any:
    """Customs: let it be carried out."""
    service.approve(
        session, principal, transshipment_id, read_if_match(if_match), now=clock.now(), address=client_address(request)
    )
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/refuse", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def refuse_transshipment(
    transshipment_id: TransshipmentId,
    body: Refusal,
    request: Request,
    response: Response,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    principal: ApproverDep,
    if_match: IfMatch = None,
) -> Any:
    """Customs: refuse it, or take an approval back before it is carried out."""
    service.refuse(
        session,
        sheets,
        principal,
        transshipment_id,
        read_if_match(if_match),
        body.reason,
        now=clock.now(),
        address=client_address(request),
    )
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/withdraw", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def withdraw_transshipment(
    transshipment_id: TransshipmentId,
    request: Request,
    response: Response,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    principal: RegistrantDep,
    if_match: IfMatch = None,
) -> Any:
    """Enterprise: take it back before customs have decided."""
    service.withdraw(
        session,
        sheets,
        principal,
        transshipment_id,
        read_if_match(if_match),
        now=clock.now(),
        address=client_address(request),
    )
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/carry-out", response_model=TransshipmentOut, responses=problems(404, 409, 412, 428))
def carry_out_transshipment(
    transshipment_id: TransshipmentId,
    body: CarriedOut,
    request: Request,
    response: Response,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    principal: YardDep,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Yard: confirm that exactly what was approved was moved."""
    now, version = clock.now(), read_if_match(if_match)

    def make() -> int:
        service.carry_out(
            session,
            sheets,
            principal,
            transshipment_id,
            version,
            _moves(body.moves),
            now=now,
            address=client_address(request),
        )
        return transshipment_id

    idempotency.once(
        session,
        principal,
        f"transshipments.carry_out.{transshipment_id}",
        key=idempotency_key,
        body=body.model_dump_json().encode(),
        now=now,
        make=make,
    )
    return _answer(session, principal, transshipment_id, response)


def _moves(given: Sequence[MoveIn]) -> list[Move]:
    return [Move(one.line, one.from_plate, one.to_plate, Amount(one.packages, one.weight_kg)) for one in given]


def _answer(session: Any, principal: Principal, transshipment_id: int, response: Response) -> dict[str, Any]:
    found = service.get_transshipment(session, principal, transshipment_id)
    response.headers["ETag"] = etag(found["version"])
    return found
