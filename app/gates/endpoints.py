"""Gate profiles: read, draft, publish, and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import acting, allow
from app.gates import service
from app.gates.profile import GateProfile, GateValues
from app.gates.store import StoredProfile
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, etag
from capacity.store import Yard, list_yards

router = APIRouter(prefix="/api/v1/gates", tags=["gates"])

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
GateId = Annotated[str, Path(max_length=60, examples=["huu-nghi"])]


class YardOut(BaseModel):
    """A yard of the gate; `/api/v1/yards` says how full it is."""

    model_config = ConfigDict(from_attributes=True)

    yard_id: str
    kind: str
    capacity_veh: int


class VersionOut(BaseModel):
    """One version of a profile; `based_on` is the published version on which a draft was written."""

    model_config = ConfigDict(from_attributes=True)

    gate_id: str
    version: int
    status: Literal["draft", "published"]
    effective_from: datetime | None
    based_on: int | None
    created_by: int | None
    created_at: datetime
    published_by: int | None
    published_at: datetime | None
    profile: GateProfile


class ProfileOut(VersionOut):
    """The version in force, the yards of the gate, and the draft if there is one."""

    yards: list[YardOut]
    draft: VersionOut | None


class VersionList(BaseModel):
    """All versions of a gate, newest first."""

    items: list[VersionOut]


class PublishIn(BaseModel):
    """From when on the draft is in force; left out: at once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    effective_from: Moment | None = None


class GateOut(BaseModel):
    """A gate with its names and its profile."""

    gate_id: str
    name: dict[str, str]
    profile: GateProfile


class GateList(BaseModel):
    """All gates of the corridor."""

    items: list[GateOut]


@router.get("", response_model=GateList, responses=problems())
def list_gates(_principal: ReaderDep, session: SessionDep, corridor: CorridorDep, clock: ClockDep) -> Any:
    """Every gate of the corridor with the profile in force."""
    known = service.profiles(session, clock.now(), corridor)
    items = [{"gate_id": gate.site_id, "name": gate.name, "profile": known[gate.site_id]} for gate in corridor.gates()]
    return {"items": items}


@router.get("/{gate_id}/profile", response_model=ProfileOut, responses=problems(404))
def read_profile(
    gate_id: GateId, response: Response, _principal: ReaderDep, session: SessionDep, clock: ClockDep
) -> Any:
    """The profile in force, where each of its values comes from, and the draft; the ETag is that of all of it."""
    response.headers["ETag"] = etag(service.revision(session, gate_id))
    versions = service.list_versions(session, gate_id)
    return _describe(service.get_profile(session, gate_id, clock.now()), versions, list_yards(session))


@router.put("/{gate_id}/profile", response_model=VersionOut, responses=problems(404, 412, 428))
def save_draft(
    gate_id: GateId,
    body: GateValues,
    response: Response,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> Any:
    """Write the draft of the next version; what it changes will come from the source `set`."""
    stored = service.save_draft(action, gate_id, body, expected_version=expected_version)
    response.headers["ETag"] = etag(stored.revision)
    return stored


@router.get("/{gate_id}/profile/versions", response_model=VersionList, responses=problems(404))
def list_versions(gate_id: GateId, _principal: ReaderDep, session: SessionDep) -> Any:
    """All versions, newest first, with who made and published them."""
    return {"items": service.list_versions(session, gate_id)}


@router.post("/{gate_id}/profile/publish", response_model=VersionOut, responses=problems(404, 409, 412, 428))
def publish(
    gate_id: GateId,
    body: PublishIn,
    response: Response,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> Any:
    """Publish the draft, in force at once or from a moment to come."""
    stored = service.publish_draft(
        action, gate_id, expected_version=expected_version, effective_from=body.effective_from
    )
    response.headers["ETag"] = etag(stored.revision)
    return stored


def _describe(present: StoredProfile, versions: Sequence[StoredProfile], yards: Sequence[Yard]) -> dict[str, Any]:
    return {
        **vars(present),
        "yards": [yard for yard in yards if yard.gate_id == present.gate_id],
        "draft": next((one for one in versions if one.status == "draft"), None),
    }
