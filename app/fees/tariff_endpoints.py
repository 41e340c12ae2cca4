"""Tariffs: versions with their dates of effect, drafts, publication."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.fees import tariffs
from app.fees.endpoints import Id
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.http import IfMatch, etag, problems, read_if_match
from app.platform.labels import DocumentStatus
from app.platform.permissions import Principal

router = APIRouter(prefix="/api/v1/tariffs", tags=["fees"])

ReaderDep = Annotated[Principal, Depends(allow("tariffs.read"))]
WriterDep = Annotated[Principal, Depends(allow("tariffs.write"))]


class TariffIn(BaseModel):
    """A tariff's definition, as the shipped ones in `app/fees/tariffs_shipped` have it; what is in it is checked."""

    model_config = ConfigDict(extra="forbid")

    rules: dict[str, Any] = Field(max_length=30)


class TariffOut(BaseModel):
    """One version of a tariff."""

    tariff_id: int
    code: str
    version: int
    valid_from: date
    valid_to: date | None
    complete: bool
    source: str
    status: DocumentStatus
    edit: int
    created_at: datetime
    published_at: datetime | None


class TariffDetail(TariffOut):
    """A tariff with its rules."""

    rules: dict[str, Any]


@router.get("", response_model=list[TariffOut], responses=problems())
def list_tariffs(_principal: ReaderDep, session: SessionDep) -> Any:
    """All versions, newest first."""
    return tariffs.list_tariffs(session)


@router.get("/{tariff_id}", response_model=TariffDetail, responses=problems(404))
def get_tariff(tariff_id: Id, response: Response, _principal: ReaderDep, session: SessionDep) -> Any:
    """One version with its rules."""
    return _answer(response, tariffs.get_tariff(session, tariff_id))


@router.post("", status_code=201, response_model=TariffDetail, responses=problems(409))
def create_draft(
    body: TariffIn, request: Request, response: Response, principal: WriterDep, session: SessionDep, clock: ClockDep
) -> Any:
    """Enter a new version as a draft."""
    tariff_id = tariffs.create_draft(session, principal, body.rules, now=clock.now(), address=client_address(request))
    response.headers["Location"] = f"/api/v1/tariffs/{tariff_id}"
    return _answer(response, tariffs.get_tariff(session, tariff_id))


@router.put("/{tariff_id}", response_model=TariffDetail, responses=problems(404, 409, 412, 428))
def edit_draft(
    tariff_id: Id,
    body: TariffIn,
    request: Request,
    response: Response,
    principal: WriterDep,
    session: SessionDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Replace the rules of a draft."""
    edited, address = read_if_match(if_match), client_address(request)
    tariffs.edit_draft(session, principal, tariff_id, edited, body.rules, now=clock.now(), address=address)
    return _answer(response, tariffs.get_tariff(session, tariff_id))


@router.post("/{tariff_id}/publish", response_model=TariffDetail, responses=problems(404, 409, 412, 428))
def publish(
    tariff_id: Id,
    request: Request,
    response: Response,
    principal: WriterDep,
    session: SessionDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Put a draft into force from its date of effect on."""
    edited, address = read_if_match(if_match), client_address(request)
    tariffs.publish(session, principal, tariff_id, edited, now=clock.now(), address=address)
    return _answer(response, tariffs.get_tariff(session, tariff_id))


def _answer(response: Response, tariff: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = etag(tariff["edit"])
    return tariff
