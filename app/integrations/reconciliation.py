"""A day's exports compared with the other side's lists: both say what they sent and what they have.

Control asks for yesterday once it is over; a neighbour that is away is asked when it is back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy.orm import Session

from app.integrations import export_store, service, store
from app.integrations.export_messages import ROUTES, DayEntry, DayList, DayQuery
from app.integrations.export_tables import ReconciliationRow
from app.integrations.messages import Message
from app.integrations.neighbour import Taken
from app.integrations.tables import OutMessageRow
from app.integrations.vocabulary import ExportDirection
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE
from geo.errors import NotFoundError

AFTER: Final = time(1, 0)
"""When yesterday is asked for, so that what was under way at midnight has arrived."""
SHOWN_DAYS: Final = 14


@dataclass(frozen=True)
class DayDifference:
    """An export of which both sides do not have the same newest version; `None` where it is missing."""

    direction: ExportDirection
    reference: str
    here: int | None
    there: int | None


def ask(session: Session, now: datetime) -> int:
    """Ask each connected neighbour for yesterday, once; how many were asked. Called by control each minute."""
    local = now.astimezone(LOCAL_ZONE)
    if local.time() < AFTER:
        return 0
    day, asked = local.date() - timedelta(days=1), 0
    for name in ROUTES.keys() & store.connected(session):
        if export_store.begin_day(session, name, day, now):
            service.send(session, name, DayQuery(day=day), about=f"{day}", subject=f"day {day}", now=now)
            asked += 1
    return asked


def take_day(action: ActionContext, name: str, body: DayList) -> Taken:
    """Compare a day with the neighbour's list; a later list of the same day replaces it."""
    session = action.session
    row = export_store.lock_day(session, name, body.day)
    if row is None:
        return Taken(is_superseded=True, note="nobody asked for this day")
    begin = datetime.combine(body.day, time(), LOCAL_ZONE)
    end = datetime.combine(body.day + timedelta(days=1), time(), LOCAL_ZONE)
    sent = export_store.newest_versions(session, name, ExportDirection.OUT, begin, end)
    received = export_store.newest_versions(session, name, ExportDirection.IN, begin, end)
    theirs_received, theirs_sent = _newest(body.received), _newest(body.sent)
    row.answered_at = action.now
    row.sent_here, row.received_there = len(sent), len(theirs_received)
    row.sent_there, row.received_here = len(theirs_sent), len(received)
    found = [
        *compare(ExportDirection.OUT, sent, theirs_received),
        *compare(ExportDirection.IN, received, theirs_sent),
    ]
    row.differences = [asdict(each) for each in found]
    return Taken()


def send_again(action: ActionContext, name: str, day: date) -> int:
    """Say again what a compared day shows that a neighbour has not of ours, each version once a day; how many.

    It gets an identity of its own, for the neighbour may know the first one without having what it said; a version
    that did arrive acts no second time.

    Raises
    ------
    NotFoundError
        If the day was not compared with that neighbour.
    """
    action.actor.require("neighbours.write")
    row = export_store.lock_day(action.session, name, day)
    if row is None:
        raise NotFoundError("The exports of {day} were not compared with {name}.", day=day.isoformat(), name=name)
    sent = []
    for found in missing_there(row.differences):
        subject = f"export {found.reference} {found.here}"
        before = store.find_out(action.session, name, subject)
        if before is None:
            continue
        message = message_again(before, action.now)
        if store.insert_out(action.session, name, f"{subject} again {day}", message, action.now):
            sent.append(found.reference)
    if sent:
        after = {"neighbour": name, "day": day.isoformat(), "references": sent}
        action.record("neighbours.send_again", "neighbour_message", f"{name} {day}", None, after)
    return len(sent)


def missing_there(differences: Sequence[JsonObject]) -> list[DayDifference]:
    """Exports of ours of which the other side has not the newest version. Pure."""
    found = [DayDifference(**each) for each in differences]  # type: ignore[arg-type]
    return [
        each
        for each in found
        if each.direction == ExportDirection.OUT and each.here is not None and (each.there or 0) < each.here
    ]


def compare(direction: ExportDirection, here: Mapping[str, int], there: Mapping[str, int]) -> list[DayDifference]:
    """Where the newest versions by reference differ between here and there. Pure."""
    return [
        DayDifference(direction, reference, here.get(reference), there.get(reference))
        for reference in sorted({*here, *there})
        if here.get(reference) != there.get(reference)
    ]


def message_again(row: OutMessageRow, now: datetime) -> Message:
    """What was said, with an identity of its own."""
    return Message(id=f"ck-{uuid4().hex}", kind=row.kind, about=row.about, sent_at=now, body=json.loads(row.body))


def list_days(session: Session, principal: Principal) -> Sequence[ReconciliationRow]:
    """The days that were compared, the newest first; raises ForbiddenError if the caller may not see them."""
    principal.require("neighbours.read")
    return export_store.list_days(session, limit=SHOWN_DAYS * len(ROUTES))


def _newest(entries: Sequence[DayEntry]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in entries:
        found[entry.reference] = max(entry.version, found.get(entry.reference, 0))
    return found


def day_of(moment: datetime) -> date:
    """The day of a moment by the border's calendar."""
    return moment.astimezone(LOCAL_ZONE).date()
