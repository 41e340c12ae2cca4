"""What is answered of gates, their profiles and their settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from app.gates.profile import GateProfile
from app.gates.store import StoredProfile
from capacity.store import Yard
from routing.gates import Direction


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class GateSettingOut(_FromRow):
    """How one direction of a gate works; hours are local (Asia/Ho_Chi_Minh), equal hours mean round the clock."""

    gate_id: str
    direction: Direction
    lanes: int
    open_from: time
    open_to: time
    hours: str
    service_mean_s: float
    service_cv: float
    entrance_lanes: int
    entrance_service_mean_s: float
    entrance_service_cv: float
    dwell_mean_s: float
    dwell_cv: float
    version: int
    updated_at: datetime
    updated_by: int | None

    @classmethod
    def of(cls, stored: StoredProfile, direction: Direction, version: int) -> Self:
        """One direction of a profile; `version` is the gate's revision, for `If-Match`.

        Of several intervals of opening hours, `open_from` and `open_to` are the first and the last; `hours` are all.
        """
        part = stored.profile.of(direction)
        return cls(
            gate_id=stored.gate_id,
            direction=direction,
            open_from=part.open_from,
            open_to=part.open_to,
            hours=str(part.opening_hours),
            version=version,
            updated_at=stored.published_at or stored.created_at,
            updated_by=stored.published_by,
            **part.model_dump(exclude={"hours"}),
        )


class GateYardOut(_FromRow):
    """A yard of the gate; `/api/v1/yards` says how full it is."""

    yard_id: str
    kind: str
    capacity_veh: int


class VersionOut(_FromRow):
    """One version of a profile; `based_on` is the published version on which a draft was written."""

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

    yards: list[GateYardOut]
    draft: VersionOut | None

    @classmethod
    def of(cls, present: StoredProfile, versions: Sequence[StoredProfile], yards: Sequence[Yard]) -> Self:
        """The version in force with the draft among `versions` and the gate's among `yards`."""
        draft = next((stored for stored in versions if stored.status == "draft"), None)
        return cls(
            **dict(VersionOut.model_validate(present)),
            yards=[GateYardOut.model_validate(yard) for yard in yards if yard.gate_id == present.gate_id],
            draft=None if draft is None else VersionOut.model_validate(draft),
        )


class VersionList(BaseModel):
    """All versions of a gate, newest first."""

    items: list[VersionOut]


class GateOut(BaseModel):
    """A gate with its names and its profile."""

    gate_id: str
    name: dict[str, str]
    profile: GateProfile


class GateList(BaseModel):
    """All gates of the corridor."""

    items: list[GateOut]
