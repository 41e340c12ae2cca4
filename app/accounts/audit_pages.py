"""The auditor's page: the audit log, searched and checked."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts import audit_reading
from app.accounts.authorisation import allow
from app.platform import audit, audit_store
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
MAX_EXPORTED = 20_000
EXPORT_COLUMNS = (
    "audit_id",
    "at",
    "actor_id",
    "actor",
    "action",
    "object_type",
    "object_id",
    "before",
    "after",
    "address",
    "hash",
)

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
    rows, names = audit_reading.search(
        session,
        query=q,
        action=action,
        since=local_day(since),
        until=local_day(until, days=1),
        before=before,
        limit=PAGE_SIZE,
    )
    following = rows[-1].audit_id if len(rows) == PAGE_SIZE else None
    return render(
        request,
        "accounts/audit.html",
        rows=rows,
        names=names,
        q=q,
        action=action,
        since=since,
        until=until,
        following=following,
    )


@router.get("/audit/export.csv")
def export_audit(
    session: SessionDep,
    _principal: Annotated[Principal, Depends(allow("audit.read", is_export=True))],
    q: Annotated[str, Query(max_length=100)] = "",
    action: Annotated[str, Query(max_length=50)] = "",
    since: str = "",
    until: str = "",
) -> Response:
    """What the page shows, as a table: newest first, at most `MAX_EXPORTED` rows, with each row's hash."""
    text = _to_csv(session, q, action, local_day(since), local_day(until, days=1))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return Response(text.encode(), 200, headers, "text/csv; charset=utf-8")


@router.get("/audit/verification")
def show_verification(request: Request, session: SessionDep, _principal: Reader) -> Response:
    """The outcome of checking the chain, as a piece of the page."""
    return render(
        request, "accounts/audit_verification.html", faults=audit.verify(session), last=audit_store.last_audit(session)
    )


def _to_csv(session: Session, q: str, action: str, since: datetime | None, until: datetime | None) -> str:
    """Rows that match as CSV (RFC 4180, UTF-8 with byte order mark)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(EXPORT_COLUMNS)
    rows, names = audit_reading.search(session, query=q, action=action, since=since, until=until, limit=MAX_EXPORTED)
    for row in rows:
        changed = ["" if values is None else orjson.dumps(values).decode() for values in (row.before, row.after)]
        cells = (
            row.audit_id,
            row.at.isoformat(),
            row.actor_id or "",
            audit_reading.name_of(row, names),
            row.action,
            row.object_type,
            row.object_id,
            *changed,
            row.address,
            row.hash.hex(),
        )
        writer.writerow([_inert(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def _inert(cell: object) -> object:
    """The cell so that no spreadsheet takes it for a formula (CWE-1236)."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


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
