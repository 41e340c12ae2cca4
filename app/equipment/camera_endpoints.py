"""The doors of devices at the gates: a device proves itself by the key it was set up with, in the way it can.

`Authorization: Bearer KEY`, `Authorization: Basic` with the key as password, or `?token=KEY`. A camera that sends none
of it is challenged for Basic, since many wait to be asked. Digest is not offered: of a key only its hash is kept, and
Digest needs the secret itself.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from app.equipment import cameras, service
from app.equipment.tables import Equipment
from app.gates.vocabulary import EquipmentKind
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.sheets.dependencies import SheetsDep
from app.web.routers import ApiRouter
from ingest.formats.registry import CAMERA_FORMATS

router = ApiRouter(tags=["equipment"])

FORMATS = {name: item for name, item in CAMERA_FORMATS.items() if item.path}
"""Those that cameras send as webhooks."""
Vendor = Annotated[str, Path(pattern=f"^({'|'.join(FORMATS)})$")]


CHALLENGE = 'Basic realm="cameras", charset="UTF-8"'


class Accepted(BaseModel):
    """How many plates the message held, and how many of them were new; and what the vendor's cameras wait for."""

    model_config = ConfigDict(extra="allow")

    plates: int
    new: int


def read_key(request: Request) -> str | None:
    """The key a device sends with its request."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[2] or None
        except (binascii.Error, ValueError):
            return None
    return request.query_params.get("token") or None


def find_camera(vendor: Vendor, request: Request, session: SessionDep) -> Equipment:
    """The camera that sends."""
    key = read_key(request)
    return service.authenticate(session, key, kind=EquipmentKind.PLATE_CAMERA, vendor=vendor, challenge=CHALLENGE)


CameraDep = Annotated[Equipment, Depends(find_camera)]


async def read_body(vendor: Vendor, request: Request, _device: CameraDep) -> bytes:
    """The body of a camera that has proved itself, refused if it is too large."""
    size, parts, limit = 0, [], FORMATS[vendor].max_bytes
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"The body is larger than {limit} bytes; send smaller pictures.")
        parts.append(part)
    return b"".join(parts)


@router.post("/cameras/{vendor}", responses=problems(400, 413))
def receive_reads(
    vendor: Vendor,
    request: Request,
    device: CameraDep,
    body: Annotated[bytes, Depends(read_body)],
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    runtime: RuntimeDep,
) -> Accepted:
    """A webhook of a plate camera, as its maker defines it. The same message sent again has no second effect."""
    content_type = request.headers.get("content-type", "")
    intake = cameras.PlateIntake.of(runtime, sheets)
    received = intake.receive(session, FORMATS[vendor], body, content_type, device=device, now=clock.now())
    return Accepted(plates=received.plates, new=len(received.new), **FORMATS[vendor].acknowledgement)
