"""What is out at a gate and the steps that need it: said on the sheet, blocked without paper, entered later from paper.

An act done on paper is entered with its true time, by whom it was done and why so late; the step then counts as done at
that time, and the sheet shows that it was entered later. Only outages during which paper may be used allow it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.gates.notice import GateNotice, show_moment
from app.gates.vocabulary import System
from app.notices import service as notices
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.platform.written_times import CLOCK_ERROR
from app.procedures.procedure import Sheet
from app.procedures.steps import Step, StepStatus
from app.sheets.store import NamedStep
from app.trips.service import Trip
from geo.errors import ConflictError, InvalidInputError

ENTERED_WITHIN: Final = timedelta(days=7)
"""How long after an act on paper it may be entered; assumed."""
NAME_LENGTH: Final = (2, 200)
REASON_LENGTH: Final = (3, 500)


@dataclass(frozen=True)
class PaperAct:
    """An act done on paper: when, by whom, and why it is entered later."""

    at: datetime
    by: str
    reason: str


def check_outage(session: Session, trip: Trip, step: str, now: datetime) -> None:
    """Let a step be done now unless something that it needs is out and paper may not be used; raises ConflictError."""
    for outage in _needed(step, notices.outages(session, trip.gate_id, now, now + timedelta(seconds=1))):
        if not outage.paper_mode and outage.is_in_force(now):
            raise ConflictError(
                "The step {step} needs what is out at this gate ({system}, since {since}: {cause}), and paper may not "
                "be used; wait until it works again.",
                step=step,
                system=outage.system and System.get(outage.system),
                since=show_moment(outage.starts_at),
                cause=outage.cause,
            )


def enter_later(
    session: Session, trip: Trip, sheet: Sheet, steps: Collection[NamedStep], step: str, act: PaperAct, now: datetime
) -> JsonObject:
    """What the step keeps of an act done on paper, under `entered_later`.

    Raises
    ------
    InvalidInputError
        If no outage allowed paper at that time, the time cannot be, or a name or reason is missing; `field` names it.
    """
    at = act.at
    if at > now + CLOCK_ERROR or at < now - ENTERED_WITHIN or at < trip.created_at:
        raise InvalidInputError(
            "The true time {value} must lie after the trip was entered, within {days} days, and before now.",
            field="paper.at",
            value=at.isoformat(),
            days=ENTERED_WITHIN.days,
        )
    by = _text(act.by, "paper.by", NAME_LENGTH)
    reason = _text(act.reason, "paper.reason", REASON_LENGTH)
    outage = next(
        (
            outage
            for outage in _needed(step, _at(session, trip.gate_id, at))
            if outage.paper_mode and outage.is_in_force(at)
        ),
        None,
    )
    if outage is None:
        raise InvalidInputError(
            "At {value} no outage allowed the step {step} to be done on paper; announce the outage first.",
            field="paper.at",
            value=show_moment(at),
            step=step,
        )
    before = sheet.procedure.ancestors[step] - {Step.DECLARATION}
    done = [
        step for step in steps if step.step in before and step.status == StepStatus.DONE and step.done_at is not None
    ]
    latest = max(done, key=lambda step: step.done_at or at, default=None)
    if latest is not None and latest.done_at is not None and latest.done_at > at:
        raise InvalidInputError(
            "The step {before} that comes first was done at {time}, after the true time {value}; check both.",
            field="paper.at",
            before=latest.step,
            time=show_moment(latest.done_at),
            value=show_moment(at),
        )
    return {
        "entered_later": {
            "at": at.isoformat(),
            "by": by,
            "reason": reason,
            "entered_at": now.isoformat(),
            "notice_id": outage.notice_id,
            "system": outage.system,
        }
    }


def true_time(data: JsonObject, now: datetime) -> datetime:
    """When an act was done: the time on paper if it was entered later, else now."""
    entered = data.get("entered_later")
    return datetime.fromisoformat(str(entered["at"])) if isinstance(entered, dict) else now


def papers(session: Session, gate_id: str, step: str, now: datetime) -> list[GateNotice]:
    """The outages for which an act on paper at a step can still be entered, the newest last."""
    known = notices.outages(session, gate_id, now - ENTERED_WITHIN, now + timedelta(seconds=1))
    return [outage for outage in _needed(step, known) if outage.paper_mode and outage.starts_at <= now]


def outages_of_step(session: Session, gate_id: str, step: str, now: datetime) -> list[GateNotice]:
    """What a step needs and is out now."""
    return _needed(step, _at(session, gate_id, now))


def show_outages(session: Session, _principal: Principal, trip: Trip) -> JsonObject | None:
    """What the sheet shows of outages that nobody has declared over, with the steps that each concerns.

    Planned ones are among them: `starts_at` says from when.
    """
    found = [
        {**outage.to_record(), "steps": [str(step) for step in Step if outage.system in step.spec.needs]}
        for outage in notices.open_outages(session, trip.gate_id)
    ]
    return {"items": found} if found else None


def _at(session: Session, gate_id: str, moment: datetime) -> list[GateNotice]:
    known = notices.outages(session, gate_id, moment, moment + timedelta(seconds=1))
    return [outage for outage in known if outage.is_in_force(moment)]


def _needed(step: str, outages: Collection[GateNotice]) -> list[GateNotice]:
    known = Step.lookup(step)
    needs = () if known is None else known.spec.needs
    return [outage for outage in outages if outage.system in needs]


def _text(written: str, field: str, length: tuple[int, int]) -> str:
    text, (shortest, longest) = " ".join(written.split()), length
    if not shortest <= len(text) <= longest:
        raise InvalidInputError(
            "Write {shortest} to {longest} characters.", field=field, shortest=shortest, longest=longest
        )
    return text
