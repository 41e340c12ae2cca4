"""Organisations: `/api/v1/organisations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import service, store
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
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
    body: NewOrganisation, action: Annotated[ActionContext, Depends(acting("accounts.write"))]
) -> OrganisationRecord:
    """Make an organisation that accounts, vehicles and trips can belong to."""
    organisation = service.create_organisation(action, name=body.name, kind=body.kind)
    return OrganisationRecord.model_validate(organisation)
