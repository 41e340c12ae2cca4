"""What planners set: the thresholds of the advice."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from app.accounts.authorisation import acting, allow
from app.dispatch.policy import POLICY, AdvicePolicy
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.policies import InForceOut
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/settings", tags=["planning"])


class PolicyOut(InForceOut[AdvicePolicy]):
    """The thresholds in force; version 0 while nobody has set them."""


@router.get("/policy", responses=problems())
def read_policy(
    response: Response, _principal: Annotated[Principal, Depends(allow("settings.read"))], session: SessionDep
) -> PolicyOut:
    """The thresholds of the advice. The body's schema describes each."""
    return with_etag(response, PolicyOut.model_validate(POLICY.get(session)))


@router.put("/policy", responses=problems(412, 428))
def replace_policy(
    body: AdvicePolicy,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> PolicyOut:
    """Set the thresholds of the advice, all at once; what is left out gets its default."""
    stored = POLICY.set(action, body, expected_version)
    return with_etag(response, PolicyOut.model_validate(stored))
