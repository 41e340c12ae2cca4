"""What may report positions: enrolment, list, revocation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.registers.claim_endpoints import VehicleListenerDep
from app.tracking import enrolment
from app.tracking.terminal_state import forget_unknown, list_unknown
from app.web.routers import ApiRouter
from ingest.formats.report import RefusalReason

router = ApiRouter(prefix="/api/v1/devices", tags=["devices"])


class NewDevice(BaseModel):
    """A device to enrol."""

    plate: str = Field(max_length=32, examples=["29C-123.45"])
    kind: Literal["phone", "tracker"] = "phone"
    imei: str | None = Field(
        None,
        max_length=20,
        description="Of a tracker: its IMEI, or the number that it names itself by (JT/T 808: the terminal's phone).",
        examples=["353861053849681"],
    )


class EnrolledDevice(BaseModel):
    """A device just enrolled; `device_id`, the identifier its GPS client sends, is shown only now."""

    device_id: str
    number: int
    vehicle_id: int
    plate: str
    kind: str
    imei: str | None
    gps: dict[str, str]


class DeviceItem(BaseModel):
    """A device in the list, told by its number and the last characters of its identifier."""

    number: int
    hint: str
    vehicle_id: int
    plate: str
    kind: str
    imei: str | None
    created_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None
    refused: RefusalReason | None = Field(
        description="Why the last report was refused; a device that is heard and refused was seen all the same."
    )


@router.post("", status_code=201, summary="Enrol a device", responses=problems(404, 409))
def enrol_device(
    new: NewDevice,
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    runtime: RuntimeDep,
    principal: Annotated[Principal, Depends(allow("devices.enrol"))],
    follow: VehicleListenerDep,
) -> EnrolledDevice:
    """Bind a new device to the vehicle with this plate. Repeating the call makes one more device."""
    made = enrolment.enrol(session, principal, new.plate, new.kind, imei=new.imei, now=clock.now(), follow=follow)
    forget_unknown(runtime.redis, [] if new.imei is None else [new.imei.lstrip("0")])
    urls = enrolment.gps_urls(runtime.settings.public_url or str(request.base_url), made.identifier)
    return EnrolledDevice(
        device_id=made.identifier,
        number=made.device.device_id,
        vehicle_id=made.vehicle.vehicle_id,
        plate=made.vehicle.plate,
        kind=made.device.kind,
        imei=made.device.imei,
        gps=urls,
    )


@router.get("", summary="List devices")
def list_devices(
    request: Request,
    response: Response,
    session: SessionDep,
    principal: Annotated[Principal, Depends(allow("devices.read"))],
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[DeviceItem]:
    """The devices the caller may see, oldest first; `Link` leads to the next page."""
    rows = enrolment.list_devices(session, principal, after=after, limit=limit)
    if len(rows) == limit:
        url = request.url.include_query_params(after=rows[-1][0].device_id)
        response.headers["Link"] = f'<{url}>; rel="next"'
    return [
        DeviceItem(
            number=device.device_id,
            hint=device.key_hint,
            vehicle_id=vehicle.vehicle_id,
            plate=vehicle.plate,
            kind=device.kind,
            imei=device.imei,
            created_at=device.created_at,
            revoked_at=device.revoked_at,
            last_seen_at=last_seen_at,
            refused=None if refused is None else RefusalReason(refused),
        )
        for device, vehicle, last_seen_at, refused in rows
    ]


class UnknownTerminalItem(BaseModel):
    """A number that reports to a gateway and that no device is enrolled with: enrol it as `imei`, or turn it away."""

    model_config = ConfigDict(from_attributes=True)

    number: str
    protocol: str
    address: str
    first_heard_at: datetime
    last_heard_at: datetime
    refused: int


@router.get("/unknown", summary="List trackers that nobody enrolled")
def list_unknown_terminals(
    runtime: RuntimeDep, _principal: Annotated[Principal, Depends(allow("terminals.read_unknown"))]
) -> list[UnknownTerminalItem]:
    """The numbers of trackers that reported and were refused because no device is enrolled with them, latest first."""
    return [UnknownTerminalItem.model_validate(terminal) for terminal in list_unknown(runtime.redis)]


@router.delete("/{identifier}", status_code=204, summary="Revoke a device", responses=problems(404))
def revoke_device(
    identifier: str,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("devices.enrol"))],
) -> None:
    """End a device, named by its identifier or its number; the doors refuse it within 5 seconds."""
    enrolment.revoke(session, principal, identifier, now=clock.now())
