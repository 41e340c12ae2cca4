"""How neighbours do, and what was given up: mended, sent again, dropped."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.integrations import customs_effects, service
from app.integrations.dependencies import NeighboursDep
from app.integrations.schemas import (
    CustomsDifferenceOut,
    DeadLetterList,
    DeadLetterOut,
    DifferenceList,
    NeighbourList,
    NeighbourOut,
)
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/neighbours", tags=["neighbours"])

Reader = Annotated[Principal, Depends(allow("neighbours.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("neighbours.write"))]
Direction = Annotated[Literal["in", "out"], Path()]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


DifferenceId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "paper file handed in"}]})

    reason: PlainText = Field(max_length=2000)


class MendedIn(BaseModel):
    """The body of a message as a person mended it: a JSON object, as text."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"body": '{"plate": "29C12345"}'}]})

    body: PlainText = Field(max_length=service.MAX_BODY)


@router.get("", responses=problems())
def list_neighbours(session: SessionDep, neighbours: NeighboursDep, principal: Reader) -> NeighbourList:
    """How each neighbour does."""
    return NeighbourList(items=[NeighbourOut.of(each) for each in service.conditions(session, neighbours, principal)])


@router.get("/dead-letters", responses=problems())
def list_dead_letters(session: SessionDep, neighbours: NeighboursDep, principal: Reader) -> DeadLetterList:
    """Messages that were given up, the oldest first."""
    return DeadLetterList(items=[DeadLetterOut.of(each) for each in service.list_dead(session, neighbours, principal)])


@router.post("/dead-letters/{direction}/{number}/mend", status_code=204, responses=problems(404, 409))
def mend_dead_letter(
    direction: Direction, number: Number, body: MendedIn, neighbours: NeighboursDep, action: WriterAction
) -> None:
    """Send a message that was given up again, or take it in again, as it was mended."""
    service.mend(action, neighbours, direction, number, body.body)


@router.post("/dead-letters/{direction}/{number}/drop", status_code=204, responses=problems(404, 409))
def drop_dead_letter(direction: Direction, number: Number, action: WriterAction) -> None:
    """Let a message that was given up go for good."""
    service.drop(action, direction, number)


@router.get("/differences", responses=problems())
def list_differences(session: SessionDep, principal: Reader) -> DifferenceList:
    """What was done here and is said otherwise by a neighbour, those that are open first."""
    found = customs_effects.list_differences(session, principal)
    return DifferenceList(items=[CustomsDifferenceOut.of(each) for each in found])


@router.post("/differences/{difference_id}/settle", status_code=204, responses=problems(404, 409))
def settle_difference(difference_id: DifferenceId, body: ReasonIn, action: WriterAction) -> None:
    """Say what became of a difference."""
    customs_effects.settle(action, difference_id, body.reason)
