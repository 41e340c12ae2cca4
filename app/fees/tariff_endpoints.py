"""Tariffs: versions with their dates of effect, drafts, publication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import acting, allow
from app.fees import tariffs
from app.fees.endpoints import Id
from app.fees.schemas import TariffDetail, TariffIn, TariffOut
from app.fees.tables import TariffRow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/tariffs", tags=["fees"])

ReaderDep = Annotated[Principal, Depends(allow("tariffs.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("tariffs.write"))]


@router.get("", response_model=list[TariffOut], responses=problems())
def list_tariffs(_principal: ReaderDep, session: SessionDep) -> Sequence[TariffRow]:
    """All versions, newest first."""
    return tariffs.list_tariffs(session)


@router.get("/{tariff_id}", responses=problems(404))
def get_tariff(tariff_id: Id, response: Response, _principal: ReaderDep, session: SessionDep) -> TariffDetail:
    """One version with its rules."""
    return _answer(response, session, tariff_id)


@router.post("", status_code=201, responses=problems(409))
def create_draft(body: TariffIn, response: Response, action: WriterAction) -> TariffDetail:
    """Enter a new version as a draft."""
    tariff_id = tariffs.create_draft(action, body.rules)
    response.headers["Location"] = f"/api/v1/tariffs/{tariff_id}"
    return _answer(response, action.session, tariff_id)


@router.put("/{tariff_id}", responses=problems(404, 409, 412, 428))
def edit_draft(
    tariff_id: Id, body: TariffIn, response: Response, action: WriterAction, expected_version: ExpectedVersion
) -> TariffDetail:
    """Replace the rules of a draft."""
    tariffs.edit_draft(action, tariff_id, expected_version, body.rules)
    return _answer(response, action.session, tariff_id)


@router.post("/{tariff_id}/publish", responses=problems(404, 409, 412, 428))
def publish(tariff_id: Id, response: Response, action: WriterAction, expected_version: ExpectedVersion) -> TariffDetail:
    """Put a draft into force from its date of effect on."""
    tariffs.publish(action, tariff_id, expected_version)
    return _answer(response, action.session, tariff_id)


def _answer(response: Response, session: Session, tariff_id: int) -> TariffDetail:
    return with_etag(response, TariffDetail.model_validate(tariffs.get_tariff(session, tariff_id)))
