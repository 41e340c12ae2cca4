"""What the API of checkpoints takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.checkpoints.case import StandingFinding
from app.checkpoints.override_store import LoggedOverride
from app.checkpoints.vocabulary import Part, SeenBy, Verdict, WarningKind
from app.checkpoints.warnings import StepWarning, shown, shown_all
from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.trips.service import NamedTrip

Reason = Annotated[PlainText, Field(max_length=2000, examples=["Đầu kéo thay do hỏng máy, có biên bản số 12"])]
Entered = Annotated[PlainText, Field(max_length=200)]


class WarningOut(BaseModel):
    """A warning: `steps` answer for it; `message` is a template of English that `values` fill."""

    kind: WarningKind
    severity: str
    message: str
    values: JsonObject
    steps: list[str]

    @classmethod
    def of(cls, warning: StepWarning) -> Self:
        """A warning."""
        return cls(
            kind=warning.kind,
            severity=warning.kind.severity,
            message=warning.message,
            values=dict(warning.values),
            steps=[str(step) for step in warning.kind.steps],
        )


class OtherTrip(BaseModel):
    """The trip that something belongs to."""

    trip_id: int
    code: str
    plate: str


class FindingOut(BaseModel):
    """Something seen that does not belong to the trip. `other` names the trip it is of, where the reader may see it."""

    finding_id: int
    trip_id: int
    part: Part
    seen: str
    declared: str
    seen_by: SeenBy
    step: str | None
    seen_at: datetime
    is_of_another_trip: bool
    other: OtherTrip | None
    is_open: bool
    verdict: Verdict | None
    reason: str
    decided_at: datetime | None
    decided_by: str | None

    @classmethod
    def of(cls, finding: StandingFinding, other: NamedTrip | None) -> Self:
        """A finding with the other trip, if the reader may see it."""
        named = None
        if other is not None:
            trip = other.trip
            named = OtherTrip(trip_id=trip.trip_id, code=trip.code, plate=other.plate)
        return cls(
            finding_id=finding.finding_id,
            trip_id=finding.trip_id,
            part=finding.part,
            seen=shown(finding.part, finding.seen),
            declared=shown_all(finding.part, finding.declared),
            seen_by=finding.by,
            step=finding.step,
            seen_at=finding.seen_at,
            is_of_another_trip=finding.other_trip_id is not None,
            other=named,
            is_open=finding.is_open,
            verdict=finding.verdict,
            reason=finding.reason,
            decided_at=finding.decided_at,
            decided_by=finding.decided_by,
        )


class OverrideOut(BaseModel):
    """An override: who did what on which trip against which warning, and why."""

    model_config = ConfigDict(from_attributes=True)

    override_id: int
    at: datetime
    gate_id: str
    step: str
    kind: WarningKind
    message: str
    details: JsonObject
    reason: str
    trip_id: int
    code: str
    plate: str
    full_name: str
    role: str

    @classmethod
    def of(cls, found: LoggedOverride) -> Self:
        """A line of the log."""
        return cls.model_validate(found)


class CheckpointOut(BaseModel):
    """What a sheet says to those who compare: warnings, findings, and its truck's priority.

    `priority` are the classes by which it goes first, `priority_lane` says why it may use the priority lanes;
    `overrides` what was done on it against warnings, with the reasons, oldest first.
    """

    warnings: list[WarningOut]
    findings: list[FindingOut]
    overrides: list[OverrideOut] = Field(default_factory=list)
    priority: list[str]
    priority_lane: str | None = None


class ObservationIn(BaseModel):
    """What stands at a checkpoint; leave out what you did not look at, an empty text says there is none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"step": "barrier_1", "trailer_plate": "29R-012.34", "seal_numbers": "VN1 VN2"}]
        },
    )

    step: str = Field(pattern=r"^[a-z_0-9]{1,40}$")
    tractor_plate: Entered | None = None
    trailer_plate: Entered | None = None
    container_number: Entered | None = None
    seal_numbers: Entered | None = None
    driver_paper_number: Entered | None = None
    customs_number: Entered | None = None


class FindingList(BaseModel):
    """The findings of a trip, oldest first."""

    items: list[FindingOut]


class DecisionIn(BaseModel):
    """What border guard or customs decide of a finding, and why."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    reason: Reason


class PriorityIn(BaseModel):
    """Priority given by hand, or taken back, and why."""

    model_config = ConfigDict(extra="forbid")

    is_given: bool
    reason: Reason


class OverrideList(BaseModel):
    """The overrides of a day, newest first."""

    items: list[OverrideOut]
