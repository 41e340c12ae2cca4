"""The auditor's page: the audit log, searched and checked."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.auditing import reading
from app.auditing.vocabulary import SUBJECTS
from app.platform import audit, audit_store
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.platform.written_times import local_day
from app.web.pages import Pages, render

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
    corridor: CorridorDep,
    _principal: Reader,
    q: Annotated[str, Query(max_length=100)] = "",
    action: Annotated[str, Query(max_length=50)] = "",
    since: str = "",
    until: str = "",
    before: int | None = None,
) -> Response:
    """The log, newest first; `since` and `until` are local days."""
    pages: Pages = request.app.state.pages
    language = pages.language(request)
    sites = {site.site_id: site.name[language] for site in corridor.sites.values()}
    acts = reading.search(
        session,
        _say(request),
        query=q,
        action=action,
        since=local_day(since),
        until=local_day(until, days=1),
        before=before,
        limit=PAGE_SIZE,
        sites=sites,
    )
    following = acts[-1].row.audit_id if len(acts) == PAGE_SIZE else None
    return render(
        request,
        "auditing/audit.html",
        acts=acts,
        changes=reading.changes_of(session, [act.row for act in acts], _say(request), language, sites),
        subjects=SUBJECTS,
        q=q,
        action=action,
        since=since,
        until=until,
        following=following,
    )


@router.get("/audit/export.csv")
def export_audit(
    request: Request,
    session: SessionDep,
    _principal: Annotated[Principal, Depends(allow("audit.read", is_export=True))],
    q: Annotated[str, Query(max_length=100)] = "",
    action: Annotated[str, Query(max_length=50)] = "",
    since: str = "",
    until: str = "",
) -> Response:
    """What the page shows, as a table: newest first, at most `MAX_EXPORTED` rows, with each row's hash."""
    text = _to_csv(session, _say(request), q, action, local_day(since), local_day(until, days=1))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return Response(text.encode(), 200, headers, "text/csv; charset=utf-8")


@router.get("/audit/verification")
def show_verification(request: Request, session: SessionDep, _principal: Reader) -> Response:
    """The outcome of checking the chain, as a piece of the page."""
    return render(
        request, "auditing/audit_verification.html", faults=audit.verify(session), last=audit_store.last_audit(session)
    )


def _say(request: Request) -> reading.Say:
    pages: Pages = request.app.state.pages
    return partial(pages.gettext, request)


def _to_csv(
    session: Session, say: reading.Say, q: str, action: str, since: datetime | None, until: datetime | None
) -> str:
    """Rows that match as CSV (RFC 4180, UTF-8 with byte order mark)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(EXPORT_COLUMNS)
    for act in reading.search(session, say, query=q, action=action, since=since, until=until, limit=MAX_EXPORTED):
        row = act.row
        changed = ["" if values is None else orjson.dumps(values).decode() for values in (row.before, row.after)]
        cells = (
            row.audit_id,
            row.at.isoformat(),
            row.actor_id or "",
            act.actor,
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
