"""Organisations: `/api/v1/organisations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import service, store, tax_numbers
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
    tax_number: str = Field("", max_length=40, description="Ten digits, of a branch thirteen.", examples=["0100109106"])


class OrganisationRecord(NewOrganisation):
    """An organisation."""

    model_config = ConfigDict(from_attributes=True)

    organisation_id: int = Field(examples=[3])
    is_authorised_operator: bool = Field(examples=[False])


class Authorisation(BaseModel):
    """Whether customs recognise an organisation as an authorised economic operator, and its tax number; what is left
    out stays."""

    model_config = ConfigDict(extra="forbid")

    is_authorised_operator: bool | None = None
    tax_number: str | None = Field(None, max_length=40)


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
    organisation = service.create_organisation(action, name=body.name, kind=body.kind, tax_number=body.tax_number)
    return OrganisationRecord.model_validate(organisation)


@router.patch(
    "/{organisation_id}", summary="Authorised economic operator or not, tax number", responses=problems(404, 409)
)
def authorise_organisation(
    organisation_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: Authorisation,
    session: SessionDep,
    action: Annotated[ActionContext, Depends(acting("accounts.write"))],
) -> OrganisationRecord:
    """Note that customs recognise an organisation as an authorised economic operator: its trucks go first; or its tax
    number."""
    if body.is_authorised_operator is not None:
        service.set_authorised(action, organisation_id, is_authorised=body.is_authorised_operator)
    if body.tax_number is not None:
        tax_numbers.set_tax_number(action, organisation_id, body.tax_number)
    return OrganisationRecord.model_validate(service.get_organisation(session, organisation_id))
