"""What belongs together, asked and decided: sights are compared, findings raised, decided, and answered for.

A finding stands on the sheets of both trips until border guard or customs decide it with a reason; while it stands, the
exit is stopped. Whatever else a step is warned of is confirmed with a reason, which is kept in the log of overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.checkpoints import store
from app.checkpoints.case import Case, Observation, StandingFinding, normal_values
from app.checkpoints.combination import NOTHING, Finding, Sighting, compare, joined
from app.checkpoints.vocabulary import CHECKPOINTS, DECIDERS, Part, SeenBy, Verdict
from app.checkpoints.warnings import OF_DRIVER, StepWarning, warnings_at
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.registers.container_number import normalise_container_number
from app.trips.presence_rules import Contradiction
from app.trips.scope import visible_trips
from app.trips.service import Trip, lock_trip
from app.trips.timeline import TimelineEntry
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from geo.text import fold
from ingest.plates import normalise_plate

NOTED_AS: Final = {
    "tractor_plate": Part.TRACTOR,
    "trailer_plate": Part.TRAILER,
    "container_number": Part.CONTAINER,
    "seal_numbers": Part.SEAL,
    "driver_paper_number": Part.DRIVER,
    "customs_number": Part.CUSTOMS_NUMBER,
}
"""What an officer may enter of what stands before him, by the name that it is sent under."""
HAS_NONE: Final = (Part.TRAILER, Part.CONTAINER, Part.SEAL)
"""Parts of which an officer may say that there is none: by an empty text, or one of these words, folded."""
NONE_WORDS: Final = frozenset({"", "-", "–", "0", "no", "none", "khong", "khong co", "无", "没有"})
TAKEN_BY_TRUCK: Final = (Part.TRAILER, Part.CONTAINER, Part.SEAL)
"""Parts that stand on another truck if they are not on their own: its sheet shows that too."""
MAX_REASON_LENGTH: Final = 2000
MIN_REASON_LENGTH: Final = 3
MAX_VALUE_LENGTH: Final = 200


# Comparing


def compare_trip(action: ActionContext, trip_id: int) -> list[int]:
    """Compare what was seen of a trip with what is declared; the numbers of the findings that are new."""
    found, new = _compare(action, trip_id)
    others = {each.other_trip_id for each in found if each.sighting.by is SeenBy.CAMERA} - {None, trip_id}
    for other in sorted(each for each in others if each is not None):
        _compare(action, other)  # cameras saw both: each sheet says what it lacks
    return new


def _compare(action: ActionContext, trip_id: int) -> tuple[list[Finding], list[int]]:
    case = store.load_case(action.session, trip_id)
    found = _find(action.session, case, _passed(action.session, case, action.now))
    return found, _raise(action, case, found)


def observe(action: ActionContext, trip_id: int, step: str, entered: Mapping[str, str | None]) -> list[int]:
    """An officer enters what stands at a checkpoint, by the names of `NOTED_AS`; the new findings.

    An empty text says that there is none of it.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such trip at the caller's gate, no such checkpoint, or a value cannot be read.
    """
    if step not in CHECKPOINTS:
        known = ", ".join(CHECKPOINTS)
        raise InvalidInputError("{step} is not one of {known}.", field="step", step=step, known=known)
    trip = lock_trip(action.session, visible_trips(action.actor, "steps.act"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    observations = read_observations(entered, step, action.now)
    if not observations:
        raise InvalidInputError("Enter what stands there: plates, container, seals or papers.", field="step")
    _keep_observations(action, trip_id, observations)
    return compare_trip(action, trip_id)


def read_observations(entered: Mapping[str, object], step: str, now: datetime) -> list[Observation]:
    """What an officer entered, in normal form; other names are passed over.

    Raises
    ------
    InvalidInputError
        If a plate or a container number cannot be one.
    """
    found = []
    for name, part in NOTED_AS.items():
        written = entered.get(name)
        if not isinstance(written, str):
            continue
        if len(written) > MAX_VALUE_LENGTH:
            raise InvalidInputError("Shorten {name} to {length}.", field=name, name=name, length=MAX_VALUE_LENGTH)
        if part in HAS_NONE and fold(written).strip(" .") in NONE_WORDS:
            values: tuple[str, ...] = ()
        elif part in (Part.TRACTOR, Part.TRAILER) and written.strip():
            values = (normalise_plate(written),)
        elif part is Part.CONTAINER and written.strip():
            values = (normalise_container_number(written),)
        else:
            values = normal_values(part, written)
        found.append(Observation(part, values, now, step))
    return found


def _passed(session: Session, case: Case, now: datetime) -> list[Sighting]:
    """What cameras saw pass with a trip's own plates."""
    if not case.has_reads:
        return []
    passages = store.passages_around(session, case.trip_id, now)
    plates = store.plates_of(session, {each.trip_id for each in passages if each.trip_id is not None})
    found = []
    for pair in joined(passages, plates):
        at, step = max(pair.tractor.at, pair.trailer.at), pair.tractor.station.partition("/")[2]
        if pair.tractor.trip_id == case.trip_id:
            found.append(Sighting(Part.TRAILER, pair.trailer.plate, at, SeenBy.CAMERA, step))
        elif pair.trailer.trip_id == case.trip_id:
            found.append(Sighting(Part.TRACTOR, pair.tractor.plate, at, SeenBy.CAMERA, step))
    return found


def _find(session: Session, case: Case, more: Sequence[Sighting] = ()) -> list[Finding]:
    sightings = [*case.sightings(), *more]
    declared, explanations = case.values, list(case.explanations())
    odd: dict[Part, set[str]] = {}
    for each in sightings:
        if each.value not in declared.get(each.part, frozenset()):
            odd.setdefault(each.part, set()).add(each.value)
    if not odd:
        return []
    claims = store.claims_of(session, {part: values - {NOTHING} for part, values in odd.items()})
    found = compare(case.trip_id, declared, sightings, explanations, claims)
    return [each for each in found if not _is_handed_over(session, case, each)]


def _is_handed_over(session: Session, case: Case, finding: Finding) -> bool:
    """Whether the other trip's goods were transshipped, as recorded, to this truck, which so carries what was its."""
    if finding.other_trip_id is None or finding.sighting.part not in TAKEN_BY_TRUCK:
        return False
    other = store.load_case(session, finding.other_trip_id)
    own = {case.tractor, case.trailer}
    return any(plate in own and since <= finding.sighting.at for plate, since in other.receivers)


def _raise(action: ActionContext, case: Case, found: Sequence[Finding]) -> list[int]:
    """Keep findings that are new, on both sheets, and alarm border guard and customs."""
    new = []
    for finding in found:
        number = store.insert_finding(action.session, case.trip_id, finding, action.now)
        if number is None:
            continue
        new.append(number)
        _alarm(action, case.trip_id, number, finding)
        if finding.other_trip_id is not None and finding.sighting.part in TAKEN_BY_TRUCK:
            _mirror(action, case, finding, finding.other_trip_id)
    return new


def _mirror(action: ActionContext, case: Case, finding: Finding, other_trip_id: int) -> None:
    """What is on another truck is missing on its own: the finding on the sheet of the trip that declared it."""
    own = store.plates_of(action.session, [other_trip_id]).get(other_trip_id, ())
    sighting = replace(finding.sighting, part=Part.TRACTOR, value=case.tractor)
    mirrored = Finding(sighting, own[:1], case.trip_id)
    number = store.insert_finding(action.session, other_trip_id, mirrored, action.now)
    if number is not None:
        _alarm(action, other_trip_id, number, mirrored)


def _alarm(action: ActionContext, trip_id: int, number: int, finding: Finding) -> None:
    trip = action.session.get_one(Trip, trip_id)
    sighting = finding.sighting
    data = {"trip_id": trip_id, "gate_id": trip.gate_id, "finding_id": number, "part": sighting.part.value}
    audience = Audience(roles=tuple(map(str, DECIDERS)), gates=(trip.gate_id,))
    after = {
        "part": sighting.part.value,
        "seen": sighting.value,
        "declared": list(finding.declared),
        "other_trip_id": finding.other_trip_id,
        "trip_id": trip_id,
    }
    action.record("checkpoints.finding", "finding", number, None, after, event=Event("finding", audience, data))


def _keep_observations(action: ActionContext, trip_id: int, observations: Sequence[Observation]) -> None:
    store.insert_observations(action.session, trip_id, observations, action.actor.account_id)
    entered = {each.part.value: list(each.values) for each in observations}
    action.record("checkpoints.observe", "trip", trip_id, None, {"step": observations[0].step, "entered": entered})


# Deciding


def decide(action: ActionContext, trip_id: int, finding_id: int, verdict: Verdict, reason: str) -> None:
    """Border guard or customs decide a finding, on both sheets; the same decision again changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such finding at the caller's gate.
    InvalidInputError
        If no reason is given.
    ConflictError
        If it was let go already.
    """
    wanted = check_reason(reason)
    trip = lock_trip(action.session, visible_trips(action.actor, "findings.decide"), trip_id)
    row = None if trip is None else store.lock_finding(action.session, trip_id, finding_id)
    if trip is None or row is None:
        raise NotFoundError("There is no finding {finding_id} that you may decide.", finding_id=finding_id)
    if (row.verdict, row.reason) == (verdict, wanted):
        return
    if row.verdict == Verdict.EXPLAINED:
        raise ConflictError(
            "The finding {finding_id} is decided already: {reason}", finding_id=row.finding_id, reason=row.reason
        )
    for each in (row, *(store.mirror_of(action.session, row) if row.other_trip_id is not None else ())):
        before = {"verdict": each.verdict, "reason": each.reason}
        each.verdict, each.reason = verdict.value, wanted
        each.decided_at, each.decided_by = action.now, action.actor.account_id
        action.session.flush()
        own = action.session.get_one(Trip, each.trip_id)
        data = {"finding_id": each.finding_id, "part": each.part, "verdict": verdict.value, "reason": wanted}
        audience = Audience(roles=tuple(map(str, DECIDERS)), gates=(own.gate_id,))
        told = {"trip_id": each.trip_id, "gate_id": own.gate_id, **data}
        action.record(
            "checkpoints.decide",
            "finding",
            each.finding_id,
            before,
            {**data, "trip_id": each.trip_id},
            event=Event("finding", audience, {name: value for name, value in told.items() if name != "reason"}),
            timeline=TimelineEntry(each.trip_id, "finding", data),
        )


def check_reason(reason: str) -> str:
    """A reason, without blanks around it; raises InvalidInputError if there is none, or too much of it."""
    tidy = reason.strip()
    if not MIN_REASON_LENGTH <= len(tidy) <= MAX_REASON_LENGTH:
        raise InvalidInputError(
            "Give a reason of {least} to {most} characters.",
            field="reason",
            least=MIN_REASON_LENGTH,
            most=MAX_REASON_LENGTH,
        )
    return tidy


# Confirming a step


@dataclass(frozen=True)
class Confirmation:
    """A step about to be confirmed: what the officer notes with it, the reason given; `judge` asks presence."""

    step: str
    is_exit: bool
    noted: Mapping[str, object]
    reason: str
    judge: Callable[[], Sequence[Contradiction]] = tuple


def check_confirm(action: ActionContext, trip: Trip, asked: Confirmation) -> list[StepWarning]:
    """Let a step be confirmed by a person, and keep why, if there are warnings; those that were overridden.

    Raises
    ------
    ConflictError
        If the step is the exit and a finding stands.
    InvalidInputError
        If there is a warning and no reason.
    """
    case = store.load_case(action.session, trip.trip_id)
    observations = read_observations(asked.noted, asked.step, action.now) if asked.step in CHECKPOINTS else []
    seen = replace(case, observations=[*case.observations, *observations])
    new = _find(action.session, seen) if observations else []
    known = {(each.part, each.seen) for each in case.findings}
    fresh = [_standing(trip.trip_id, each) for each in new if each.key not in known]
    judged = replace(seen, findings=[*case.findings, *fresh])
    if asked.is_exit:
        _check_exit(trip, judged.findings)
    today = action.now.astimezone(LOCAL_ZONE).date()
    warnings = warnings_at(
        asked.step, judged, today=today, noted=asked.noted, contradictions=contradictions_of(judged, asked.judge)
    )
    reason = asked.reason.strip()
    if warnings and not reason:
        raise _reason_missing(warnings)
    if observations:
        _keep_observations(action, trip.trip_id, observations)
        _raise(action, case, new)
    if warnings:
        log_overrides(action, trip, asked.step, warnings, check_reason(reason))
    return warnings


def warnings_of(session: Session, trip_id: int, step: str, now: datetime) -> list[StepWarning]:
    """What a step is warned of by what is kept of its trip, for the platform, which does not look at presence."""
    case = store.load_case(session, trip_id)
    return warnings_at(step, case, today=now.astimezone(LOCAL_ZONE).date())


def contradictions_of(case: Case, judge: Callable[[], Sequence[Contradiction]]) -> Sequence[Contradiction]:
    """What cannot both be true of where a truck was; presence is asked only if something but GPS saw it."""
    return judge() if case.has_reads or case.weighing is not None or case.scan is not None else ()


def log_overrides(action: ActionContext, trip: Trip, step: str, warnings: Sequence[StepWarning], reason: str) -> None:
    """Keep what was done against warnings, for whoever supervises; also in the audit log."""
    rows: list[JsonObject] = [
        {
            "trip_id": trip.trip_id,
            "gate_id": trip.gate_id,
            "step": step,
            "kind": each.kind.value,
            "identity": each.identity,
            "message": each.message,
            "details": dict(each.values),
            "reason": reason,
            "at": action.now,
            "account_id": action.actor.account_id,
        }
        for each in warnings
    ]
    store.insert_overrides(action.session, rows)
    kept = [{"kind": each.kind.value, "key": each.key, "details": _told(each)} for each in warnings]
    after = {"step": step, "warnings": kept, "reason": reason}
    action.record("checkpoints.override", "trip", trip.trip_id, None, after)


def _told(warning: StepWarning) -> JsonObject:
    """What the audit log keeps of a warning's values: nothing of a driver's papers, whose digest is in the key."""
    return {} if warning.identity.startswith(OF_DRIVER) else dict(warning.values)


def _reason_missing(warnings: Sequence[StepWarning]) -> RefusedError:
    ask = InvalidInputError("There is a warning; say why you confirm all the same.", field="reason")
    return RefusedError([ask, *(InvalidInputError(each.message, field="reason", **each.values) for each in warnings)])


def _check_exit(trip: Trip, findings: Sequence[StandingFinding]) -> None:
    standing = [each for each in findings if each.is_open]
    if standing:
        raise ConflictError(
            "The exit of the trip {code} is stopped: {count} things seen do not belong to it. Border guard or customs "
            "decide with a reason first.",
            code=trip.code,
            count=len(standing),
        )


def _standing(trip_id: int, finding: Finding) -> StandingFinding:
    sighting = finding.sighting
    return StandingFinding(
        finding_id=0,
        trip_id=trip_id,
        part=sighting.part,
        seen=sighting.value,
        declared=finding.declared,
        by=sighting.by,
        step=sighting.step,
        seen_at=sighting.at,
        other_trip_id=finding.other_trip_id,
        verdict=None,
        reason="",
        decided_at=None,
        decided_by=None,
    )
