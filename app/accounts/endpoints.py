"""Accounts: `/api/v1/accounts`, and one's own at `/api/v1/me`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.accounts import service, store
from app.accounts.authorisation import acting, allow
from app.accounts.tables import Account
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.page_links import link_next
from app.platform.permissions import PERMISSIONS, Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["accounts"])

Reader = Annotated[Principal, Depends(allow("accounts.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("accounts.write"))]


class AccountRecord(BaseModel):
    """An account, without its password."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True, validate_by_alias=True)

    account_id: int = Field(examples=[12])
    username: str = Field(examples=["nguyen.van.an"])
    full_name: str = Field(examples=["Nguyễn Văn An"])
    role: str = Field(examples=["driver"])
    organisation_id: int | None = None
    gate_id: str | None = None
    vehicle_id: int | None = None
    locale: str = "vi"
    disabled_at: datetime | None = None
    created_at: datetime
    version: int
    awaits_owner: bool = Field(
        False,
        validation_alias="must_change_password",
        description="somebody else chose what opens it; its owner has to choose at the first sign-in",
    )
    person_id: int | None = Field(None, description="the first account of the person whose account this is as well")


class NewAccount(BaseModel):
    """An account to make."""

    username: str = Field(max_length=64, examples=["nguyen.van.an"])
    password: SecretStr = Field(examples=["at least 12 characters"])
    full_name: str = Field(max_length=200, examples=["Nguyễn Văn An"])
    role: str = Field(examples=["driver"])
    organisation_id: int | None = None
    gate_id: str | None = Field(None, examples=["huu-nghi"])
    vehicle_id: int | None = None
    plate: PlainText | None = Field(
        None, max_length=20, description="of the vehicle, in place of its number", examples=["29C-123.45"]
    )
    locale: str = "vi"


class AccountChanges(BaseModel):
    """What to change; what is left out stays."""

    full_name: str | None = Field(None, max_length=200)
    role: str | None = None
    organisation_id: int | None = None
    gate_id: str | None = None
    vehicle_id: int | None = None
    plate: PlainText | None = Field(
        None, max_length=20, description="of the vehicle, in place of its number", examples=["29C-123.45"]
    )
    locale: str | None = None
    disabled: bool | None = None
    password: SecretStr | None = None
    person: str | None = Field(
        None, max_length=64, description="user name of another account of the same person; null: of nobody else's"
    )


class Me(BaseModel):
    """Who the caller is and what the role allows."""

    account_id: int
    username: str
    full_name: str
    role: str
    organisation_id: int | None
    gate_id: str | None
    vehicle_id: int | None
    locale: str
    acts: dict[str, str] = Field(description="act → how far it reaches", examples=[{"trips.read": "own"}])


@router.get("/me", summary="Who am I")
def show_me(principal: Annotated[Principal, Depends(allow("account.own"))]) -> Me:
    """The caller's account, and every act the role allows."""
    acts = {act: str(scope) for act in PERMISSIONS if (scope := principal.scope(act)) is not None}
    return Me(
        account_id=principal.account_id,
        username=principal.username,
        full_name=principal.full_name,
        role=principal.role,
        organisation_id=principal.organisation_id,
        gate_id=principal.gate_id,
        vehicle_id=principal.vehicle_id,
        locale=principal.locale,
        acts=acts,
    )


@router.get("/accounts", summary="Accounts")
def list_accounts(
    request: Request,
    response: Response,
    session: SessionDep,
    _principal: Reader,
    q: Annotated[str, Query(max_length=100, description="in user name, name or organisation")] = "",
    role: str = "",
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[AccountRecord]:
    """Accounts in order of number, in pages."""
    rows = store.list_accounts(session, query=q, role=role, after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1][0].account_id)
    return [AccountRecord.model_validate(account) for account, _ in rows]


@router.post("/accounts", status_code=201, summary="Make an account", responses=problems(404, 409))
def create_account(response: Response, body: NewAccount, action: WriterAction) -> AccountRecord:
    """Make an account with a first password."""
    values = body.model_dump(exclude={"password", "plate"})
    if body.plate:
        values["vehicle_id"] = service.vehicle_with_plate(action.session, body.plate)
    account = service.create_account(
        action,
        **values,
        password=body.password.get_secret_value(),
    )
    return _answer(response, account)


@router.get("/accounts/{account_id}", summary="One account", responses=problems(404))
def show_account(response: Response, account_id: int, session: SessionDep, _principal: Reader) -> AccountRecord:
    """An account and its ETag."""
    return _answer(response, store.get_account(session, account_id))


@router.patch(
    "/accounts/{account_id}", summary="Change, disable or enable an account", responses=problems(404, 409, 412, 428)
)
def change_account(
    response: Response, account_id: int, body: AccountChanges, action: WriterAction, expected_version: ExpectedVersion
) -> AccountRecord:
    """Change an account; a new role, binding or password, or disabling it, ends its sessions at once."""
    changes = body.model_dump(exclude_unset=True, exclude={"plate"})
    if "plate" in body.model_fields_set:
        found = service.vehicle_with_plate(action.session, body.plate) if body.plate else None
        changes["vehicle_id"] = found
    if body.password is not None:
        changes["password"] = body.password.get_secret_value()
    account = service.change_account(
        action,
        account_id,
        changes,
        expected_version=expected_version,
    )
    return _answer(response, account)


def _answer(response: Response, account: Account) -> AccountRecord:
    return with_etag(response, AccountRecord.model_validate(account))
