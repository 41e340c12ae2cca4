"""Advice to the traffic police: list, read, take, dismiss."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.dispatch import advisories
from app.dispatch.advice_outcomes import hit_rates
from app.dispatch.advisories import Reader
from app.dispatch.schemas import AdvisoryOut, AdvisoryPage, TellingList
from app.dispatch.vocabulary import AdvisoryStatus
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import with_etag
from app.trips.places import Places
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/advisories", tags=["dispatch"])

AdvisoryId = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderPrincipal = Annotated[Principal, Depends(allow("advisories.read"))]
DeciderAction = Annotated[ActionContext, Depends(acting("advisories.decide"))]


def get_reader(
    request: Request, principal: ReaderPrincipal, corridor: CorridorDep, clock: ClockDep, session: SessionDep
) -> Reader:
    """Texts in the caller's language, and how often recent advice came as told."""
    gettext, now = partial(request.app.state.gettext, request), clock.now()
    return Reader(gettext, principal.locale, Places.of(corridor), now, hit_rates(session, now))


ReaderDep = Annotated[Reader, Depends(get_reader)]


class ReasonIn(BaseModel):
    """Why advice is not followed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Đã phân luồng tại chỗ"}]})

    reason: PlainText = Field(max_length=1000)


@router.get("", responses=problems())
def list_advisories(
    page: PageParams,
    answer: AnswerPage,
    reader: ReaderDep,
    _principal: ReaderPrincipal,
    session: SessionDep,
    current: Annotated[bool, Query(description="Only those whose risk still stands.")] = True,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
) -> AdvisoryPage:
    """Advice, newest first."""
    found = advisories.list_advisories(session, reader, current=current, gate_id=gate, page=page)
    return AdvisoryPage.model_validate(answer(found))


@router.get("/tellings", responses=problems(422))
def list_tellings(
    from_: Annotated[Moment, Query(alias="from")],
    to: Moment,
    reader: ReaderDep,
    _principal: ReaderPrincipal,
    session: SessionDep,
) -> TellingList:
    """What advice told in a time of at most 25 hours, in the words of that time, and what stood at its beginning."""
    return TellingList(items=advisories.list_tellings(session, reader, from_, to))


@router.get("/{advisory_id}", responses=problems(404))
def get_advisory(
    advisory_id: AdvisoryId, response: Response, reader: ReaderDep, _principal: ReaderPrincipal, session: SessionDep
) -> AdvisoryOut:
    """One advisory."""
    return with_etag(response, advisories.get_advisory(session, reader, advisory_id))


@router.post("/{advisory_id}/take", responses=problems(404, 409))
def take_advisory(advisory_id: AdvisoryId, response: Response, reader: ReaderDep, action: DeciderAction) -> AdvisoryOut:
    """Note that something is being done about it."""
    advisories.decide(action, advisory_id, AdvisoryStatus.TAKEN, "")
    return with_etag(response, advisories.get_advisory(action.session, reader, advisory_id))


@router.post("/{advisory_id}/dismiss", responses=problems(404, 409))
def dismiss_advisory(
    advisory_id: AdvisoryId, body: ReasonIn, response: Response, reader: ReaderDep, action: DeciderAction
) -> AdvisoryOut:
    """Note why nothing is done about it; it comes back only if it becomes more severe."""
    advisories.decide(action, advisory_id, AdvisoryStatus.DISMISSED, body.reason)
    return with_etag(response, advisories.get_advisory(action.session, reader, advisory_id))
