"""Tariffs: versions with their dates of effect, drafts, publication."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.fees import tariffs
from app.fees.endpoints import Id
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.labels import DocumentStatus
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag

router = APIRouter(prefix="/api/v1/tariffs", tags=["fees"])

ReaderDep = Annotated[Principal, Depends(allow("tariffs.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("tariffs.write"))]


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
    return with_etag(response, tariffs.get_tariff(session, tariff_id))


@router.post("", status_code=201, response_model=TariffDetail, responses=problems(409))
def create_draft(body: TariffIn, response: Response, action: WriterAction) -> Any:
    """Enter a new version as a draft."""
    tariff_id = tariffs.create_draft(action, body.rules)
    response.headers["Location"] = f"/api/v1/tariffs/{tariff_id}"
    return with_etag(response, tariffs.get_tariff(action.session, tariff_id))


@router.put("/{tariff_id}", response_model=TariffDetail, responses=problems(404, 409, 412, 428))
def edit_draft(
    tariff_id: Id, body: TariffIn, response: Response, action: WriterAction, expected_version: ExpectedVersion
) -> Any:
    """Replace the rules of a draft."""
    tariffs.edit_draft(action, tariff_id, expected_version, body.rules)
    return with_etag(response, tariffs.get_tariff(action.session, tariff_id))


@router.post("/{tariff_id}/publish", response_model=TariffDetail, responses=problems(404, 409, 412, 428))
def publish(tariff_id: Id, response: Response, action: WriterAction, expected_version: ExpectedVersion) -> Any:
    """Put a draft into force from its date of effect on."""
    tariffs.publish(action, tariff_id, expected_version)
    return with_etag(response, tariffs.get_tariff(action.session, tariff_id))
