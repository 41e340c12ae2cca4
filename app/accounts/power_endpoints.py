"""Powers of attorney: `/api/v1/powers`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import powers
from app.accounts.authorisation import acting, allow
from app.accounts.store import ListedPower
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/powers", tags=["registers"])


class NewPower(BaseModel):
    """A power of attorney to give, from one day to another, both included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"agent_id": 7, "valid_from": "2026-03-01", "valid_to": "2026-12-31"}]},
    )

    agent_id: int = Field(ge=1, le=2**31 - 1)
    valid_from: date
    valid_to: date


class PowerOut(BaseModel):
    """A power of attorney: `agent` acts for `organisation`."""

    model_config = ConfigDict(from_attributes=True)

    power_id: int
    organisation_id: int
    organisation: str = ""
    agent_id: int
    agent: str = ""
    valid_from: date
    valid_to: date
    revoked_at: datetime | None

    @classmethod
    def of(cls, listed: ListedPower) -> Self:
        """With the names of both sides."""
        named = {"organisation": listed.organisation, "agent": listed.agent}
        return cls.model_validate(listed.power).model_copy(update=named)


@router.get("", summary="Powers of attorney given and held")
def list_powers(session: SessionDep, principal: Annotated[Principal, Depends(allow("powers.read"))]) -> list[PowerOut]:
    """Those of the caller's organisation, newest first; revoked ones stay on the list."""
    return [PowerOut.of(listed) for listed in powers.list_powers(session, principal)]


@router.post("", status_code=201, summary="Give a power of attorney", responses=problems(409))
def grant_power(body: NewPower, action: Annotated[ActionContext, Depends(acting("powers.grant"))]) -> PowerOut:
    """Let an agent act for the caller's own organisation."""
    made = powers.grant(action, agent_id=body.agent_id, valid_from=body.valid_from, valid_to=body.valid_to)
    return PowerOut.model_validate(made)


@router.delete("/{power_id}", summary="Revoke a power of attorney", responses=problems(404))
def revoke_power(
    power_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    action: Annotated[ActionContext, Depends(acting("powers.grant"))],
) -> PowerOut:
    """End it at once, on every device."""
    return PowerOut.model_validate(powers.revoke(action, power_id))
