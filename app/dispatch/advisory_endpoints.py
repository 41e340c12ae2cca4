"""Advice to the traffic police: list, read, take, dismiss."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.dispatch import advisories
from app.dispatch.advisories import Reader
from app.dispatch.vocabulary import AdvisoryStatus, Severity
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import with_etag
from app.trips.places import Places

router = APIRouter(prefix="/api/v1/advisories", tags=["dispatch"])

AdvisoryId = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderPrincipal = Annotated[Principal, Depends(allow("advisories.read"))]
DeciderAction = Annotated[ActionContext, Depends(acting("advisories.decide"))]


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
    page: PageParams,
    answer: AnswerPage,
    reader: ReaderDep,
    _principal: ReaderPrincipal,
    session: SessionDep,
    current: Annotated[bool, Query(description="Only those whose risk still stands.")] = True,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
) -> Any:
    """Advice, newest first."""
    return answer(advisories.list_advisories(session, reader, current=current, gate_id=gate, page=page))


@router.get("/{advisory_id}", response_model=AdvisoryOut, responses=problems(404))
def get_advisory(
    advisory_id: AdvisoryId, response: Response, reader: ReaderDep, _principal: ReaderPrincipal, session: SessionDep
) -> Any:
    """One advisory."""
    return with_etag(response, advisories.get_advisory(session, reader, advisory_id))


@router.post("/{advisory_id}/take", response_model=AdvisoryOut, responses=problems(404, 409))
def take_advisory(advisory_id: AdvisoryId, response: Response, reader: ReaderDep, action: DeciderAction) -> Any:
    """Note that something is being done about it."""
    advisories.decide(action, advisory_id, AdvisoryStatus.TAKEN, "")
    return with_etag(response, advisories.get_advisory(action.session, reader, advisory_id))


@router.post("/{advisory_id}/dismiss", response_model=AdvisoryOut, responses=problems(404, 409))
def dismiss_advisory(
    advisory_id: AdvisoryId, body: ReasonIn, response: Response, reader: ReaderDep, action: DeciderAction
) -> Any:
    """Note why nothing is done about it; it comes back only if it becomes more severe."""
    advisories.decide(action, advisory_id, AdvisoryStatus.DISMISSED, body.reason)
    return with_etag(response, advisories.get_advisory(action.session, reader, advisory_id))
