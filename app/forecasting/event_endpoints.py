"""Events at other borders that change who comes here."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.forecasting import event_service as events
from app.forecasting.demand_events import DemandEvent
from app.gates.service import gate_ids
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/demand-events", tags=["forecasts"])

Reader = Annotated[Principal, Depends(allow("skill.read"))]
Writer = Annotated[ActionContext, Depends(acting("demand_events.write"))]
EventId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class DemandEventIn(BaseModel):
    """What is known to happen: `factor` times as many undeclared trucks come to a gate, or to all without `gate_id`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "gate_id": None,
                    "starts_at": "2026-03-05T07:00:00+07:00",
                    "ends_at": "2026-03-08T19:00:00+07:00",
                    "factor": 1.4,
                    "cause": "Cửa khẩu Móng Cái tạm dừng thông quan",
                }
            ]
        },
    )

    gate_id: PlainText | None = Field(None, max_length=60)
    starts_at: Moment
    ends_at: Moment
    factor: float = Field(ge=0, le=events.MAX_FACTOR, allow_inf_nan=False)
    cause: PlainText = Field(min_length=1, max_length=events.MAX_CAUSE)


class DemandEventOut(BaseModel):
    """An event that planners told of."""

    model_config = ConfigDict(from_attributes=True)

    event_id: int
    gate_id: str | None
    starts_at: Moment
    ends_at: Moment
    factor: float
    cause: str


class DemandEventMade(BaseModel):
    """The id of a new event."""

    event_id: int


class DemandEvents(BaseModel):
    """Events that go on or are to come."""

    items: list[DemandEventOut]


@router.get("")
def list_demand_events(_principal: Reader, session: SessionDep, clock: ClockDep) -> DemandEvents:
    """Events that go on or are to come, by their beginning."""
    found = events.list_events(session, since=clock.now())
    return DemandEvents(items=[DemandEventOut.model_validate(event) for event in found])


@router.post("", status_code=201, responses=problems(422))
def add_demand_event(
    body: DemandEventIn, action: Writer, corridor: CorridorDep, idempotency_key: IdempotencyKey = None
) -> DemandEventMade:
    """Tell of an event; forecasts count with it from the next minute on."""
    make = partial(events.add_event, action, DemandEvent(**body.model_dump()), gate_ids(corridor))
    return DemandEventMade(event_id=idempotency.once(action, "demand_events.create", idempotency_key, [body], make))


@router.delete("/{event_id}", status_code=204, responses=problems(404))
def withdraw_demand_event(event_id: EventId, action: Writer) -> Response:
    """Take an event back."""
    events.withdraw_event(action, event_id)
    return Response(status_code=204)
