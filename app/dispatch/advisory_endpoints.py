"""Advice to the traffic police: list, read, take, dismiss."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.dispatch import advisories
from app.dispatch.advisories import Reader
from app.dispatch.vocabulary import AdvisoryStatus, Severity
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.http import PlainText, etag, link_next, problems
from app.platform.permissions import Principal
from app.trips.places import Places

router = APIRouter(prefix="/api/v1/advisories", tags=["dispatch"])

AdvisoryId = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderPrincipal = Annotated[Principal, Depends(allow("advisories.read"))]
DeciderDep = Annotated[Principal, Depends(allow("advisories.decide"))]


def get_reader(request: Request, principal: ReaderPrincipal, corridor: CorridorDep, clock: ClockDep) -> Reader:
    """Texts in the caller's language."""
    gettext = partial(request.app.state.gettext, request)
    return Reader(gettext, principal.locale, Places.of(corridor), clock.now())


ReaderDep = Annotated[Reader, Depends(get_reader)]


class ReasonIn(BaseModel):
    """Why advice is not followed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Đã phân luồng tại chỗ"}]})

    reason: PlainText = Field(max_length=1000)


class CauseOut(BaseModel):
    """Why it comes to this."""

    code: str
    values: dict[str, Any]
    text: str


class MeasureOut(BaseModel):
    """What would help; `draft` is a body for `POST /api/v1/orders`."""

    kind: Literal["hold", "divert", "release"]
    text: str
    draft: dict[str, Any]


class AdvisoryOut(BaseModel):
    """A risk at a gate; `by` is when it comes true with `probability`. `text` is in the caller's language."""

    advisory_id: int
    gate_id: str
    kind: str
    severity: Severity
    made_at: datetime
    by: datetime
    until: datetime
    probability: float
    text: str
    cause: list[CauseOut]
    measure: list[MeasureOut]
    forecast_id: int | None
    status: AdvisoryStatus
    seen_at: datetime
    over_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    version: int


class AdvisoryPage(BaseModel):
    """A page of advisories, newest first; the header `Link` points to the next."""

    items: list[AdvisoryOut]


@router.get("", response_model=AdvisoryPage, responses=problems())
def list_advisories(
    request: Request,
    response: Response,
    reader: ReaderDep,
    _principal: ReaderPrincipal,
    session: SessionDep,
    current: Annotated[bool, Query(description="Only those whose risk still stands.")] = True,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="From the `Link` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Advice, newest first."""
    items, next_before = advisories.list_advisories(
        session, reader, current=current, gate_id=gate, before=before, limit=limit
    )
    if next_before is not None:
        link_next(request, response, before=next_before)
    return {"items": items}


@router.get("/{advisory_id}", response_model=AdvisoryOut, responses=problems(404))
def get_advisory(
    advisory_id: AdvisoryId, response: Response, reader: ReaderDep, _principal: ReaderPrincipal, session: SessionDep
) -> Any:
    """One advisory."""
    return _answer(response, advisories.get_advisory(session, reader, advisory_id))


@router.post("/{advisory_id}/take", response_model=AdvisoryOut, responses=problems(404, 409))
def take_advisory(
    advisory_id: AdvisoryId,
    request: Request,
    response: Response,
    reader: ReaderDep,
    principal: DeciderDep,
    session: SessionDep,
    clock: ClockDep,
) -> Any:
    """Note that something is being done about it."""
    address = client_address(request)
    advisories.decide(session, principal, advisory_id, AdvisoryStatus.TAKEN, "", now=clock.now(), address=address)
    return _answer(response, advisories.get_advisory(session, reader, advisory_id))


@router.post("/{advisory_id}/dismiss", response_model=AdvisoryOut, responses=problems(404, 409))
def dismiss_advisory(
    advisory_id: AdvisoryId,
    body: ReasonIn,
    request: Request,
    response: Response,
    reader: ReaderDep,
    principal: DeciderDep,
    session: SessionDep,
    clock: ClockDep,
) -> Any:
    """Note why nothing is done about it; it comes back only if it becomes more severe."""
    address = client_address(request)
    advisories.decide(
        session, principal, advisory_id, AdvisoryStatus.DISMISSED, body.reason, now=clock.now(), address=address
    )
    return _answer(response, advisories.get_advisory(session, reader, advisory_id))


def _answer(response: Response, advisory: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = etag(advisory["version"])
    return advisory
