"""What planners set: the thresholds of the advice."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from app.accounts.authorisation import acting, allow
from app.dispatch.policy import AdvicePolicy, get_policy, set_policy
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag

router = APIRouter(prefix="/api/v1/settings", tags=["planning"])


class PolicyOut(BaseModel):
    """The thresholds in force; version 0 while nobody has set them."""

    value: AdvicePolicy
    version: int
    updated_at: datetime | None
    updated_by: int | None


@router.get("/policy", response_model=PolicyOut, responses=problems())
def read_policy(
    response: Response, _principal: Annotated[Principal, Depends(allow("settings.read"))], session: SessionDep
) -> Any:
    """The thresholds of the advice. The body's schema describes each."""
    return with_etag(response, get_policy(session))


@router.put("/policy", response_model=PolicyOut, responses=problems(412, 428))
def replace_policy(
    body: AdvicePolicy,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> Any:
    """Set the thresholds of the advice, all at once; what is left out gets its default."""
    stored = set_policy(action, body, expected_version)
    return with_etag(response, stored)
