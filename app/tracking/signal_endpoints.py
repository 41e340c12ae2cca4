"""What devices told beside positions: calls for help, power lost, regions entered and left, ignition."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.page_links import AnswerPage, PageParams
from app.platform.paging import paginate
from app.platform.permissions import Principal
from app.tracking import signals
from app.tracking.vocabulary import DeviceEventKind
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/device-events", tags=["devices"])


class DeviceEventItem(BaseModel):
    """What a device told; `received_at` is when the platform knew, `seen_at` when the traffic police saw a call."""

    model_config = ConfigDict(from_attributes=True)

    event_id: int
    kind: DeviceEventKind
    vehicle_id: int
    plate: str
    time: datetime
    received_at: datetime
    lat: float | None
    lon: float | None
    detail: str
    seen_at: datetime | None


class DeviceEventPage(BaseModel):
    """A page of them, newest first."""

    items: list[DeviceEventItem]


@router.get("", summary="List what devices told", responses=problems())
def list_device_events(
    session: SessionDep,
    principal: Annotated[Principal, Depends(allow("signals.read"))],
    page: PageParams,
    answer: AnswerPage,
    kind: Annotated[list[DeviceEventKind] | None, Query(description="Only these.")] = None,
) -> DeviceEventPage:
    """What the devices of the vehicles told that the caller may see, newest first."""
    rows = signals.list_events(session, principal, page, kind or ())
    return DeviceEventPage(**answer(paginate(rows, page, "event_id", DeviceEventItem.model_validate)))


@router.post("/{event_id}/seen", status_code=204, summary="See a call for help", responses=problems(404))
def see_device_event(
    event_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    action: Annotated[ActionContext, Depends(acting("signals.answer"))],
) -> None:
    """The traffic police saw a call for help: it leaves their page. Saying it again changes nothing."""
    signals.mark_seen(action, event_id)
