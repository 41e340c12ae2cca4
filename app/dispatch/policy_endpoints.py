"""What planners set: the thresholds of the advice."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.dispatch.policy import AdvicePolicy, StoredPolicy, get_policy, set_policy
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.http import IfMatch, etag, problems, read_if_match
from app.platform.permissions import Principal

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
    return _answer(response, get_policy(session))


@router.put("/policy", response_model=PolicyOut, responses=problems(412, 428))
def replace_policy(
    body: AdvicePolicy,
    request: Request,
    response: Response,
    principal: Annotated[Principal, Depends(allow("settings.write"))],
    session: SessionDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Set the thresholds of the advice, all at once; what is left out gets its default."""
    edited, address = read_if_match(if_match), client_address(request)
    stored = set_policy(session, principal, body, edited, now=clock.now(), address=address)
    return _answer(response, stored)


def _answer(response: Response, stored: StoredPolicy) -> Any:
    response.headers["ETag"] = etag(stored.version)
    return stored.__dict__
