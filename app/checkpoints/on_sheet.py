"""What a sheet and a work list say of warnings, findings and priority."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.checkpoints import service, store, turns
from app.checkpoints.case import StandingFinding
from app.checkpoints.overrides import overrides_of
from app.checkpoints.personal import project_finding, project_warnings
from app.checkpoints.schemas import CheckpointOut, FindingOut, OverrideOut, WarningOut
from app.checkpoints.vocabulary import WarningKind
from app.checkpoints.warnings import all_warnings
from app.platform.permissions import PERMISSIONS, Principal
from app.trips.presence_rules import Contradiction
from app.trips.scope import visible_trips
from app.trips.service import Trip, find_trip
from geo.clock import LOCAL_ZONE
from geo.errors import NotFoundError

Judge = Callable[[], Sequence[Contradiction]]
"""Asks presence what cannot both be true of a trip's truck."""


def show(session: Session, principal: Principal, trip: Trip, judge: Judge, now: datetime) -> CheckpointOut | None:
    """What those who compare are told of a trip; `None` for whoever may not read findings."""
    if not principal.may("findings.read"):
        return None
    case = store.load_case(session, trip.trip_id)
    warnings = all_warnings(
        case, today=now.astimezone(LOCAL_ZONE).date(), contradictions=service.contradictions_of(case, judge)
    )
    priority = turns.priority_of(session, trip.trip_id, now)
    sees_scans = principal.role in PERMISSIONS["scans.read"]
    return CheckpointOut(
        warnings=[
            WarningOut.of(each)
            for each in project_warnings(warnings, principal.role)
            if sees_scans or each.kind is not WarningKind.SCAN_SUSPICIOUS
        ],
        findings=describe_findings(session, principal, case.findings),
        overrides=[OverrideOut.of(each) for each in overrides_of(session, principal, [trip.trip_id])],
        priority=[str(each) for each in priority.first],
        priority_lane=priority.lane,
    )


def list_findings(session: Session, principal: Principal, trip_id: int) -> list[FindingOut]:
    """The findings of a trip that the reader may see; raises NotFoundError if there is no such trip."""
    if find_trip(session, visible_trips(principal, "findings.read"), trip_id) is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    return describe_findings(session, principal, store.list_findings(session, trip_id))


def describe_findings(session: Session, principal: Principal, findings: Sequence[StandingFinding]) -> list[FindingOut]:
    """Findings for a reader, the other trip named if the reader may see it."""
    visible = visible_trips(principal, "findings.read")
    others = {each.other_trip_id for each in findings if each.other_trip_id is not None}
    named = {trip_id: find_trip(session, visible, trip_id) for trip_id in others}
    told = [project_finding(each, principal.role) for each in findings]
    return [FindingOut.of(each, named.get(each.other_trip_id or 0)) for each in told]
