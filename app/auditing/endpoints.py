"""The audit log: `/api/v1/audit`. It can be read and searched, never changed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.auditing import reading
from app.platform import audit
from app.platform.audit import Fault
from app.platform.dependencies import SessionDep
from app.platform.page_links import link_next
from app.platform.permissions import Principal
from app.web.routers import ApiRouter
from geo.clock import parse_time

router = ApiRouter(prefix="/api/v1/audit", tags=["accounts"])

Reader = Annotated[Principal, Depends(allow("audit.read"))]


class AuditRecord(BaseModel):
    """One act."""

    model_config = ConfigDict(from_attributes=True)

    audit_id: int
    at: datetime
    actor_id: int | None
    actor: str
    action: str = Field(examples=["orders.issue"])
    object_type: str = Field(examples=["order"])
    object_id: str
    before: Any
    after: Any
    address: str


class Verification(BaseModel):
    """Whether the log is as it was written."""

    whole: bool
    faults: list[Fault]


@router.get("", summary="Search the audit log")
def search(
    request: Request,
    response: Response,
    session: SessionDep,
    _principal: Reader,
    q: Annotated[
        str,
        Query(max_length=100, description="plate, code, person, act in words, kind or number of the object, address"),
    ] = "",
    action: Annotated[str, Query(max_length=50, description="beginning of the action")] = "",
    since: str | None = None,
    until: str | None = None,
    before: Annotated[int | None, Query(description="only rows with a smaller number")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[AuditRecord]:
    """Rows that match, newest first, in pages."""
    acts = reading.search(
        session,
        partial(request.app.state.gettext, request),
        query=q,
        action=action,
        since=parse_time(since, field="since") if since else None,
        until=parse_time(until, field="until") if until else None,
        before=before,
        limit=limit,
    )
    if len(acts) == limit:
        link_next(request, response, before=acts[-1].row.audit_id)
    return [AuditRecord.model_validate(act.row).model_copy(update={"actor": act.actor}) for act in acts]


@router.get("/verification", summary="Check the chain of the audit log")
def verify(session: SessionDep, _principal: Reader) -> Verification:
    """Recompute every hash of the log."""
    faults = audit.verify(session)
    return Verification(whole=not faults, faults=faults)
