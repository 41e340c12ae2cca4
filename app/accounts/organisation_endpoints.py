"""Organisations: `/api/v1/organisations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import service, store
from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.http import problems
from app.platform.permissions import Principal

router = APIRouter(prefix="/api/v1/organisations", tags=["accounts"])


class NewOrganisation(BaseModel):
    """An organisation to make."""

    name: str = Field(min_length=1, max_length=200, examples=["Công ty TNHH Xuất nhập khẩu Lạng Sơn"])
    kind: str = Field(description="authority, enterprise, customs_agent or yard", examples=["enterprise"])


class OrganisationRecord(NewOrganisation):
    """An organisation."""

    model_config = ConfigDict(from_attributes=True)

    organisation_id: int = Field(examples=[3])


@router.get("", summary="All organisations")
def list_organisations(
    session: SessionDep, _principal: Annotated[Principal, Depends(allow("accounts.read"))]
) -> list[OrganisationRecord]:
    """All organisations by name."""
    return [OrganisationRecord.model_validate(row) for row in store.list_organisations(session)]


@router.post("", status_code=201, summary="Make an organisation", responses=problems(409))
def create_organisation(
    request: Request,
    body: NewOrganisation,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("accounts.write"))],
) -> OrganisationRecord:
    """Make an organisation that accounts, vehicles and trips can belong to."""
    organisation = service.create_organisation(
        session, name=body.name, kind=body.kind, now=clock.now(), by=principal, address=client_address(request)
    )
    return OrganisationRecord.model_validate(organisation)
