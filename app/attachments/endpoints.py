"""Files kept with a trip: attach, list, download, remove; and their limits."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, File, Form, Path, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.attachments import service
from app.attachments.schemas import AttachmentList
from app.attachments.service import AttachmentPolicy
from app.attachments.vocabulary import AttachmentKind
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.trips.endpoints import TripId
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["attachments"])

ReaderDep = Annotated[Principal, Depends(allow("attachments.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("attachments.write"))]
PolicyReader = Annotated[Principal, Depends(allow("attachments.read_policy"))]
PolicyAction = Annotated[ActionContext, Depends(acting("attachments.set_policy"))]
AttachmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Upload = Annotated[UploadFile, File(description="PDF, JPEG, PNG or WebP.")]


class RemoveIn(BaseModel):
    """Why a file is removed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Nhầm xe"}]})

    reason: PlainText = Field(max_length=2000)


def read_upload(session: SessionDep, file: UploadFile) -> tuple[str, bytes]:
    """The name and the bytes of a file sent, one byte over the limit at most."""
    policy = service.POLICY.get(session).value
    return (file.filename or "").replace("\0", ""), file.file.read(policy.max_size_mb * 2**20 + 1)


@router.get("/trips/{trip_id}/attachments", responses=problems(404))
def list_attachments(trip_id: TripId, principal: ReaderDep, session: SessionDep) -> AttachmentList:
    """The files of a trip that you may read."""
    return service.list_attachments(session, principal, trip_id)


@router.post("/trips/{trip_id}/attachments", status_code=201, responses=problems(404, 409))
def attach(
    trip_id: TripId, action: WriterAction, kind: Annotated[AttachmentKind, Form()], file: Upload
) -> AttachmentList:
    """Attach a file to a trip; the same file sent again is attached once. Answers with all that you may read."""
    name, content = read_upload(action.session, file)
    service.attach(action, trip_id, kind, name, content)
    return service.list_attachments(action.session, action.actor, trip_id)


@router.get(
    "/attachments/{attachment_id}/content",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}, **problems(404)},
)
def download(attachment_id: AttachmentId, principal: ReaderDep, session: SessionDep) -> Response:
    """The file itself, to be kept: a browser neither guesses its type nor shows it as a page of this platform."""
    file = service.read(session, principal, attachment_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
    }
    return Response(file.content, headers=headers, media_type=file.media_type)


@router.post("/attachments/{attachment_id}/remove", responses=problems(404, 409))
def remove(attachment_id: AttachmentId, body: RemoveIn, action: WriterAction) -> AttachmentList:
    """Erase a file that you attached, while its trip is open; that it was there is kept."""
    trip_id = service.remove(action, attachment_id, body.reason)
    return service.list_attachments(action.session, action.actor, trip_id)


@router.get("/attachment-policy", responses=problems())
def get_policy(response: Response, _principal: PolicyReader, session: SessionDep) -> AttachmentPolicy:
    """Size, number and time kept; the ETag is the version."""
    return with_etag(response, service.POLICY.get(session)).value


@router.put("/attachment-policy", responses=problems(412, 428))
def set_policy(
    body: AttachmentPolicy, response: Response, action: PolicyAction, expected_version: ExpectedVersion
) -> AttachmentPolicy:
    """Set size, number and time kept."""
    return with_etag(response, service.POLICY.set(action, body, expected_version)).value
