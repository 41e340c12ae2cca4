"""How orders' texts to devices stand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import allow
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.tracking import commands
from app.tracking.vocabulary import CommandStatus
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/device-commands", tags=["devices"])


class DeviceCommandItem(BaseModel):
    """An order's text for a truck's device: who sent it by which protocol, and what the device answered."""

    model_config = ConfigDict(from_attributes=True)

    command_id: int
    order_id: int
    vehicle_id: int
    status: CommandStatus
    protocol: str | None
    created_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None


@router.get("", summary="List the commands of an order", responses=problems())
def list_device_commands(
    session: SessionDep,
    _principal: Annotated[Principal, Depends(allow("commands.read"))],
    order_id: Annotated[int, Query(ge=1, lt=2**31)],
) -> list[DeviceCommandItem]:
    """The texts of an order that were queued for devices of trucks whose drivers had not seen it, by vehicle."""
    return [DeviceCommandItem.model_validate(line) for line in commands.list_of_order(session, order_id)]
