"""The page of a trip's files, also a part of the declaration's page and of a station's sheet."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.attachments import service
from app.attachments.endpoints import AttachmentId, read_upload
from app.attachments.vocabulary import AttachmentKind
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal, Role
from app.trips.endpoints import TripId
from app.trips.scope import visible_trips
from app.trips.service import find_trip
from app.web.pages import render
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/attachments")

ReaderDep = Annotated[Principal, Depends(allow("attachments.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("attachments.write"))]
BACK: Final = {Role.ENTERPRISE: "/enterprise/trips/", Role.AUDITOR: "", Role.DRIVER: ""}
"""Where the trip of the files is shown; for whoever works at a gate that is the station."""


@router.get("/of-trip/{trip_id}")
def show_attachments(request: Request, trip_id: TripId, principal: ReaderDep, session: SessionDep) -> Response:
    """The files of a trip, and the form to attach one."""
    return _page(request, principal, session, trip_id)


@router.post("/of-trip/{trip_id}")
def attach(
    request: Request, trip_id: TripId, action: WriterAction, file: UploadFile, kind: Annotated[str, Form()] = ""
) -> Response:
    """Attach a file."""
    name, content = read_upload(action.session, file)
    try:
        with action.session.begin_nested():
            service.attach(action, trip_id, kind, name, content)
    except CuaKhauError as error:
        return _page(request, action.actor, action.session, trip_id, message=translate(request, error))
    return RedirectResponse(f"/attachments/of-trip/{trip_id}", 303)


@router.post("/{attachment_id}/remove")
def remove(
    request: Request,
    attachment_id: AttachmentId,
    action: WriterAction,
    trip_id: Annotated[int, Form(ge=1, le=2**31 - 1)],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Remove a file."""
    try:
        with action.session.begin_nested():
            service.remove(action, attachment_id, reason.replace("\0", ""))
    except CuaKhauError as error:
        return _page(request, action.actor, action.session, trip_id, message=translate(request, error))
    return RedirectResponse(f"/attachments/of-trip/{trip_id}", 303)


def _page(request: Request, principal: Principal, session: SessionDep, trip_id: int, message: str = "") -> Response:
    found = service.list_attachments(session, principal, trip_id)
    trip = find_trip(session, visible_trips(principal, "attachments.read"), trip_id)
    policy = service.POLICY.get(session).value
    kinds = [
        kind for kind in AttachmentKind if principal.role in service.OF_ENTERPRISE or kind.is_read_by(principal.role)
    ]
    return render(
        request,
        "attachments/attachments.html",
        status=422 if message else 200,
        trip_id=trip_id,
        plate=trip.plate if trip else "",
        back=BACK.get(principal.role, "/station?trip="),
        items=found.items,
        kinds=kinds if principal.may("attachments.write") else [],
        policy=policy,
        message=message,
    )
