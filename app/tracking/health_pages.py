"""How devices fare, as a page for enterprises and police."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.permissions import Principal
from app.registers.refusal_labels import REFUSAL_LABELS
from app.tracking import health
from app.tracking.vocabulary import SPEED_UNIT_LABELS, DeviceView
from app.web.pages import render

router = APIRouter(include_in_schema=False)
PAGE_DEVICES = 100
MAX_SEARCHED = 5_000
"""Devices that a view of those with something wrong looks through at once."""


@router.get("/devices/health")
def show_health(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("device_health.read"))],
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    view: DeviceView = DeviceView.ALL,
) -> Response:
    """The devices the caller may see, all or those with something wrong."""
    now = clock.now()
    is_all = view is DeviceView.ALL
    limit = PAGE_DEVICES if is_all else MAX_SEARCHED
    found = health.list_health(session, principal, now, after=after, limit=limit, with_gaps=is_all)
    shown = sorted((device for device in found if view.shows(device)), key=lambda device: device.concern)
    return render(
        request,
        "tracking/health.html",
        devices=shown[:PAGE_DEVICES],
        view=view,
        views=DeviceView,
        next_after=found[-1].number if len(found) == limit else None,
        refusal_labels=REFUSAL_LABELS,
        unit_labels=SPEED_UNIT_LABELS,
        now=now,
    )
