"""A truck's day as a page; a recorded trace sent in for one's own device."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, UploadFile
from starlette.responses import Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal
from app.registers.refusal_labels import REFUSAL_LABELS
from app.tracking import enrolment, trace_upload, traces
from app.tracking.fix_intake import shared_intake
from app.tracking.trace_upload import TakenIn
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError
from ingest.store import ListedDevice
from ingest.traces.files import KINDS, TRACE_FORMATS

router = APIRouter(include_in_schema=False)


@router.get("/vehicles/{vehicle_id}/day")
def show_day(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("traces.read"))],
    vehicle_id: Annotated[int, Path(ge=1, lt=2**31)],
    day: Annotated[date | None, Query(alias="date")] = None,
) -> Response:
    """Distance, stops, idle times, over-speed and driving without a break of a truck's day."""
    today = clock.now().astimezone(LOCAL_ZONE).date()
    chosen = min(day or today, today)
    plate, report = traces.day_of(session, principal, corridor, vehicle_id, chosen)
    return render(
        request,
        "tracking/day.html",
        report=report,
        vehicle_id=vehicle_id,
        plate=plate,
        day=chosen,
        before=chosen - timedelta(days=1),
        after=chosen + timedelta(days=1),
        today=today,
        formats=list(TRACE_FORMATS),
    )


@router.get("/devices/traces")
def show_upload(
    request: Request, session: SessionDep, principal: Annotated[Principal, Depends(allow("devices.enrol"))]
) -> Response:
    """Where a recorded trace is sent in."""
    devices = enrolment.list_own(session, principal)
    return _show_upload(request, devices)


@router.post("/devices/traces")
async def send_trace(
    request: Request,
    action: Annotated[ActionContext, Depends(acting("devices.enrol"))],
    file: UploadFile,
    number: Annotated[int, Form(ge=1, lt=2**63)],
) -> Response:
    """Take in a recorded trace of one of the caller's devices, and show what became of each point."""
    result, error = None, ""
    try:
        content = await file.read(trace_upload.MAX_FILE_BYTES + 1)
        result = await trace_upload.take_in(
            action, shared_intake(request.app.state), number, file.filename or "", content
        )
    except CuaKhauError as problem:
        error = translate(request, problem)
    devices = enrolment.list_own(action.session, action.actor)
    return _show_upload(request, devices, number=number, result=result, error=error)


def _show_upload(
    request: Request,
    devices: list[ListedDevice],
    *,
    number: int = 0,
    result: TakenIn | None = None,
    error: str = "",
) -> Response:
    is_bad = bool(error) or (result is not None and not result.accepted)
    return render(
        request,
        "tracking/traces.html",
        status=422 if is_bad else 200,
        devices=devices,
        number=number,
        result=result,
        error=error,
        kinds=KINDS,
        refusal_labels=REFUSAL_LABELS,
    )
