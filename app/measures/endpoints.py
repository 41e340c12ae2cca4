"""Acts tried against the risks that stand, what an order would bring, and what orders brought."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.accounts.authorisation import allow
from app.dispatch.endpoints import OrderIn
from app.gates.service import get_gate_id
from app.measures import effects, order_effects, release_plans, service
from app.measures.order_effects import Missing, Question
from app.measures.schemas import MeasuresPage, MeteringOut, RealisedPage
from app.measures.wording import Wording
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.trips.places import Places
from app.web.routers import ApiRouter
from routing.acts import Trial

router = ApiRouter(prefix="/api/v1/measures", tags=["dispatch"])

ReaderDep = Annotated[Principal, Depends(allow("advisories.read"))]
IssuerDep = Annotated[Principal, Depends(allow("orders.issue"))]
OrderIds = Annotated[list[int], Query(max_length=200, description="The orders.")]


def get_wording(request: Request, corridor: CorridorDep, clock: ClockDep) -> Wording:
    """How sentences are put for the caller."""
    gettext = partial(request.app.state.gettext, request)
    return Wording(gettext, request.app.state.pages.language(request), Places.of(corridor), clock.now())


WordingDep = Annotated[Wording, Depends(get_wording)]


@router.get("", responses=problems())
def list_measures(_principal: ReaderDep, session: SessionDep, clock: ClockDep, wording: WordingDep) -> MeasuresPage:
    """What was tried against the risks that stand, the best act first; and what orders brought of late."""
    record = order_effects.read_record(session, wording, clock.now())
    return MeasuresPage(items=service.list_measures(session, wording), record=record)


@router.get("/effects", responses=problems())
def list_effects(
    _principal: ReaderDep,
    session: SessionDep,
    wording: WordingDep,
    order_id: OrderIds,
) -> RealisedPage:
    """What orders brought at the gates that they touched, an estimate."""
    return RealisedPage(items=order_effects.list_realised(session, order_id, wording))


@router.get("/release-plan", responses=problems(404))
def plan_release(
    gate: Annotated[PlainText, Query(max_length=60, description="The gate.", examples=["huu-nghi"])],
    _principal: IssuerDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    wording: WordingDep,
) -> MeteringOut:
    """How many of the trucks held for a gate to let go in each quarter of an hour, and the orders that do it."""
    return release_plans.read_plan(session, get_gate_id(corridor, gate), corridor, wording, clock.now())


@router.post("/effect", responses=problems(), response_class=EventSourceResponse)
def foresee_effect(
    body: OrderIn,
    _principal: IssuerDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    wording: WordingDep,
) -> EventSourceResponse:
    """What an order would bring, as server-sent events: `progress` with the share done, then `effect`. Nothing is
    sent to anybody."""
    asked = order_effects.ask(session, body.read(), corridor, clock.now())
    return EventSourceResponse(_answer(asked, wording), headers={"X-Accel-Buffering": "no"})


def _answer(asked: Question | Missing, wording: Wording) -> Iterator[ServerSentEvent]:
    if not isinstance(asked, Question):
        yield ServerSentEvent(event="effect", data=order_effects.say_missing(asked, wording).model_dump_json())
        return
    parts: list[Trial] = []
    for share, part in effects.in_chunks(asked.laboratory, asked.ordered):
        parts.append(part)
        yield ServerSentEvent(event="progress", data=f'{{"share": {share:.2f}}}')
    effect = effects.effect_of(parts, asked.ordered, weight=asked.weight)
    yield ServerSentEvent(event="effect", data=order_effects.describe(asked, effect, wording).model_dump_json())
