"""What planners set: when a trip that never comes is over."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.policies import InForceOut
from app.platform.versions import ExpectedVersion, with_etag
from app.trips.expiry import EXPIRY, TripExpiry
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/settings", tags=["planning"])


class ExpiryOut(InForceOut[TripExpiry]):
    """The rule in force; version 0 while nobody has set it."""


@router.get("/trip-expiry", responses=problems())
def read_expiry(
    response: Response, _principal: Annotated[Principal, Depends(allow("settings.read"))], session: SessionDep
) -> ExpiryOut:
    """When a trip whose truck never came is over, in hours after its planned arrival."""
    return with_etag(response, ExpiryOut.model_validate(EXPIRY.get(session)))


@router.put("/trip-expiry", responses=problems(412, 428))
def replace_expiry(
    body: TripExpiry,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> ExpiryOut:
    """Set when trips expire."""
    return with_etag(response, ExpiryOut.model_validate(EXPIRY.set(action, body, expected_version)))
