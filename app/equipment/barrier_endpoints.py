"""Automatic barriers: commands given, opening again, opening by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.equipment import barriers
from app.equipment.schemas import CommandList, CommandOut
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/barriers", tags=["equipment"])

EquipmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
OpenerAction = Annotated[ActionContext, Depends(acting("barriers.open"))]


class OpenIn(BaseModel):
    """The trip to let through."""

    model_config = ConfigDict(extra="forbid")

    trip_id: int = Field(ge=1, le=2**31 - 1)


class ByHandIn(OpenIn):
    """The trip that was let through by hand, and why."""

    reason: PlainText = Field(max_length=500, examples=["Mất điện, mở cần bằng tay quay"])


@router.get("/commands", responses=problems())
def list_commands(
    session: SessionDep,
    principal: Annotated[Principal, Depends(allow("equipment.read"))],
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> CommandList:
    """The newest commands to barriers of the caller's gate."""
    return CommandList(items=barriers.list_commands(session, principal, trip_id=trip_id))


@router.post("/{equipment_id}/open", status_code=202, responses=problems(404, 409))
def open_barrier(
    equipment_id: EquipmentId, body: OpenIn, action: OpenerAction, idempotency_key: IdempotencyKey = None
) -> CommandOut:
    """Open a barrier for a trip whose step there is confirmed; how it ended comes as the event `equipment`."""
    command_id = idempotency.once(
        action,
        f"barriers.open.{equipment_id}",
        idempotency_key,
        [body],
        lambda: barriers.open_barrier(action, equipment_id, body.trip_id).command_id,
    )
    return barriers.get_command(action.session, command_id)


@router.post("/{equipment_id}/by-hand", status_code=201, responses=problems(404, 409))
def open_by_hand(
    equipment_id: EquipmentId, body: ByHandIn, action: OpenerAction, idempotency_key: IdempotencyKey = None
) -> CommandOut:
    """Note that a barrier whose device is down was opened by hand."""
    command_id = idempotency.once(
        action,
        f"barriers.hand.{equipment_id}",
        idempotency_key,
        [body],
        lambda: barriers.opened_by_hand(action, equipment_id, body.trip_id, body.reason).command_id,
    )
    return barriers.get_command(action.session, command_id)
