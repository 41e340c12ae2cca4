"""What the caller was told: the list behind the bell."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.notifications import service
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.page_links import AnswerPage, page_of
from app.platform.paging import PageRequest
from app.platform.permissions import Principal

router = APIRouter(prefix="/api/v1/notifications", tags=["following"])

ReaderDep = Annotated[Principal, Depends(allow("notifications.read"))]
OwnDep = Annotated[Principal, Depends(allow("account.own"))]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]


class NotificationOut(BaseModel):
    """One thing the caller was told; `text` in the caller's language, `urgent` if it asks for something."""

    notification_id: int
    at: datetime
    kind: str = Field(examples=["step.returned"])
    text: str
    urgent: bool
    trip_id: int | None
    code: str | None
    plate: str | None
    gate_id: str | None
    data: dict[str, Any]
    read_at: datetime | None


class NotificationPage(BaseModel):
    """A page of notifications, newest first; the header `Link` points to the next."""

    unread: int
    items: list[NotificationOut]


class ReadIn(BaseModel):
    """Up to which notification the caller has read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"until": 4711}]})

    until: Number


class Unread(BaseModel):
    """How many notifications are unread, counted up to 100."""

    unread: int


@router.get("", response_model=NotificationPage, responses=problems())
def list_notifications(
    request: Request,
    page: Annotated[PageRequest, Depends(page_of(20))],
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
) -> Any:
    """What the caller was told in the last 30 days, newest first."""
    gettext = partial(request.app.state.gettext, request)
    listed = answer(service.list_notifications(session, principal, gettext, page))
    return {"unread": service.count_unread(session, principal), **listed}


@router.get("/unread", response_model=Unread, responses=problems())
def count_unread(principal: ReaderDep, session: SessionDep) -> Any:
    """How many the caller has not read."""
    return {"unread": service.count_unread(session, principal)}


@router.post("/read", response_model=Unread, responses=problems())
def mark_read(body: ReadIn, principal: OwnDep, session: SessionDep, clock: ClockDep) -> Any:
    """Mark what the caller was told up to a number as read; how many are unread then."""
    service.mark_read(session, principal, body.until, now=clock.now())
    return {"unread": service.count_unread(session, principal)}
