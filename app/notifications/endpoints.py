"""What the caller was told: the list behind the bell."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.notifications import service
from app.notifications.schemas import NotificationPage, Unread
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.page_links import AnswerPage, page_of
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/notifications", tags=["following"])

ReaderDep = Annotated[Principal, Depends(allow("notifications.read"))]
OwnDep = Annotated[Principal, Depends(allow("account.own"))]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ReadIn(BaseModel):
    """Up to which notification the caller has read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"until": 4711}]})

    until: Number


@router.get("", responses=problems())
def list_notifications(
    request: Request,
    page: Annotated[PageRequest, Depends(page_of(20))],
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
) -> NotificationPage:
    """What the caller was told in the last 30 days, newest first."""
    gettext = partial(request.app.state.gettext, request)
    language = request.app.state.pages.language(request)
    listed = answer(service.list_notifications(session, principal, gettext, language, page))
    return NotificationPage(unread=service.count_unread(session, principal), **listed)


@router.get("/unread", responses=problems())
def count_unread(principal: ReaderDep, session: SessionDep) -> Unread:
    """How many the caller has not read."""
    return Unread(unread=service.count_unread(session, principal))


@router.post("/read", responses=problems())
def mark_read(body: ReadIn, principal: OwnDep, session: SessionDep, clock: ClockDep) -> Unread:
    """Mark what the caller was told up to a number as read; how many are unread then."""
    service.mark_read(session, principal, body.until, now=clock.now())
    return Unread(unread=service.count_unread(session, principal))
