"""Organisations: `/api/v1/organisations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import service, store
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/organisations", tags=["accounts"])


class NewOrganisation(BaseModel):
    """An organisation to make."""

    name: str = Field(min_length=1, max_length=200, examples=["Công ty TNHH Xuất nhập khẩu Lạng Sơn"])
    kind: str = Field(description="authority, enterprise, customs_agent or yard", examples=["enterprise"])


class OrganisationRecord(NewOrganisation):
    """An organisation."""

    model_config = ConfigDict(from_attributes=True)

    organisation_id: int = Field(examples=[3])
    is_authorised_operator: bool = Field(examples=[False])


class Authorisation(BaseModel):
    """Whether customs recognise an organisation as an authorised economic operator."""

    model_config = ConfigDict(extra="forbid")

    is_authorised_operator: bool


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


@router.patch("/{organisation_id}", summary="Authorised economic operator or not", responses=problems(404))
def authorise_organisation(
    organisation_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: Authorisation,
    action: Annotated[ActionContext, Depends(acting("accounts.write"))],
) -> OrganisationRecord:
    """Note that customs recognise an organisation as an authorised economic operator: its trucks go first."""
    is_authorised = body.is_authorised_operator
    organisation = service.set_authorised(action, organisation_id, is_authorised=is_authorised)
    return OrganisationRecord.model_validate(organisation)
