"""Gate profiles: read, draft, publish, and their versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import acting, allow
from app.gates import service
from app.gates.profile import GateValues
from app.gates.schemas import GateList, GateOut, ProfileOut, VersionList, VersionOut
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, etag
from app.web.routers import ApiRouter
from capacity.store import list_yards

router = ApiRouter(prefix="/api/v1/gates", tags=["gates"])

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
GateId = Annotated[str, Path(max_length=60, examples=["huu-nghi"])]


class PublishIn(BaseModel):
    """From when on the draft is in force; left out: at once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    effective_from: Moment | None = None


@router.get("", responses=problems())
def list_gates(_principal: ReaderDep, session: SessionDep, corridor: CorridorDep, clock: ClockDep) -> GateList:
    """Every gate of the corridor with the profile in force."""
    known = service.profiles(session, clock.now(), corridor)
    return GateList(
        items=[GateOut(gate_id=gate.site_id, name=gate.name, profile=known[gate.site_id]) for gate in corridor.gates()]
    )


@router.get("/{gate_id}/profile", responses=problems(404))
def read_profile(
    gate_id: GateId, response: Response, _principal: ReaderDep, session: SessionDep, clock: ClockDep
) -> ProfileOut:
    """The profile in force, where each of its values comes from, and the draft; the ETag is that of all of it."""
    response.headers["ETag"] = etag(service.revision(session, gate_id))
    versions = service.list_versions(session, gate_id)
    return ProfileOut.of(service.get_profile(session, gate_id, clock.now()), versions, list_yards(session))


@router.put("/{gate_id}/profile", responses=problems(404, 412, 428))
def save_draft(
    gate_id: GateId,
    body: GateValues,
    response: Response,
    action: WriterAction,
    corridor: CorridorDep,
    expected_version: ExpectedVersion,
) -> VersionOut:
    """Write the draft of the next version; what it changes will come from the source `set`."""
    stored = service.save_draft(action, gate_id, body, expected_version=expected_version, corridor=corridor)
    response.headers["ETag"] = etag(stored.revision)
    return VersionOut.model_validate(stored)


@router.get("/{gate_id}/profile/versions", responses=problems(404))
def list_versions(gate_id: GateId, _principal: ReaderDep, session: SessionDep) -> VersionList:
    """All versions, newest first, with who made and published them."""
    found = service.list_versions(session, gate_id)
    return VersionList(items=[VersionOut.model_validate(stored) for stored in found])


@router.post("/{gate_id}/profile/publish", responses=problems(404, 409, 412, 428))
def publish(
    gate_id: GateId,
    body: PublishIn,
    response: Response,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> VersionOut:
    """Publish the draft, in force at once or from a moment to come."""
    stored = service.publish_draft(
        action, gate_id, expected_version=expected_version, effective_from=body.effective_from
    )
    response.headers["ETag"] = etag(stored.revision)
    return VersionOut.model_validate(stored)
