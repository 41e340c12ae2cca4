"""The auditor's page: the audit log, searched and checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts import audit, store
from app.accounts.permissions import Principal
from app.deps import SessionDep, allow
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50

Reader = Annotated[Principal, Depends(allow("audit.read"))]


@router.get("/audit")
def show_audit(
    request: Request,
    session: SessionDep,
    _principal: Reader,
    q: Annotated[str, Query(max_length=100)] = "",
    action: Annotated[str, Query(max_length=50)] = "",
    since: str = "",
    until: str = "",
    before: int | None = None,
) -> Response:
    """The log, newest first; `since` and `until` are local days."""
    rows = store.search_audit(
        session, query=q, action=action, since=local_day(since), until=local_day(until, days=1), before=before,
        limit=PAGE_SIZE,
    )  # fmt: skip
    following = rows[-1].audit_id if len(rows) == PAGE_SIZE else None
    return render(request, "audit.html", rows=rows, q=q, action=action, since=since, until=until, following=following)


@router.get("/audit/verification")
def show_verification(request: Request, session: SessionDep, _principal: Reader) -> Response:
    """The outcome of checking the chain, as a piece of the page."""
    return render(request, "audit_verification.html", faults=audit.verify(session), last=store.last_audit(session))


def local_day(text: str, *, days: int = 0) -> datetime | None:
    """The beginning of a local day written YYYY-MM-DD, `days` later; `None` for an empty text.

    Raises
    ------
    InvalidInputError
        If it is no date.
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=LOCAL_ZONE)
    except ValueError:
        raise InvalidInputError("{value} is no date; write it as 2026-03-31.", value=text) from None
    return day + timedelta(days=days)
