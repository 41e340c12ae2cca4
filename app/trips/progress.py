"""Trips moved through their stages by what is seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.trips import stages, store
from app.trips.places import Places
from app.trips.service import event_row
from app.trips.stages import DEFAULT_RULES, Passage, Seen, StageRules, TripState
from app.trips.vocabulary import Stage

OVERLAP = timedelta(seconds=30)
"""Positions are looked at again for this long, since transactions do not commit in the order of their times."""
EVENT_OVERLAP = 1000


# Stages


@dataclass(frozen=True)
class Advanced:
    """How far the last look at the trips reached, to be handed to the next one."""

    received_at: datetime | None = None
    event_id: int = 0
    looked_at: int = 0
    changed: int = 0


def advance(
    session: Session,
    now: datetime,
    *,
    places: Places,
    tails_km: Mapping[str, float],
    last: Advanced | None = None,
    rules: StageRules = DEFAULT_RULES,
) -> Advanced:
    """Move open trips on by what their trucks did since the last look; called every few seconds.

    Arguments: `tails_km`, the measured end of the queue of each gate, kilometres from the border by the gate's road;
    `last`, what the previous call gave (`None`: look at all open trips). Looking twice at the same changes nothing.
    """
    received_at, event_id = store.newest_seen(session)
    since = None if last is None or last.received_at is None else last.received_at - OVERLAP
    rows = store.moved_trips(session, since, 0 if last is None else last.event_id - EVENT_OVERLAP)
    passages = _passages(session, rows)
    changes: list[dict[str, Any]] = []
    for row in rows:
        gate = places.gates.get(row.gate_id)
        if gate is None:
            continue
        state = TripState(row.stage, row.direction, row.planned_arrival)
        seen = None
        if row.time is not None and row.time >= row.own_from:
            seen = Seen(row.time, row.road, row.km, row.heading, row.speed_mps, row.site_id, row.motion)
        own = [one for one in passages.get(row.vehicle_id, ()) if one.time >= row.own_from]
        change = stages.next_stage(state, gate, seen, own, tail_km=tails_km.get(row.gate_id), rules=rules)
        if change is not None:
            changes.append(_change(row, change.stage, change.at, change.reason))
    moved = {change["trip_id"] for change in changes}
    for row in store.silent_in_yard(session, now - rules.silent_after):
        if row.trip_id not in moved:
            changes.append(_change(row, Stage.OUT, row.time, "silent_at_border"))
    changed = _apply(session, changes, now)
    return Advanced(received_at, event_id, looked_at=len(rows), changed=changed)


def _passages(session: Session, rows: Collection[Any]) -> dict[int, list[Passage]]:
    found: dict[int, list[Passage]] = defaultdict(list)
    if rows:
        since = min(row.own_from for row in rows)
        for one in store.passages_of(session, [row.vehicle_id for row in rows], since):
            found[one.vehicle_id].append(Passage(one.time, one.site_id, one.kind))
    return found


def _change(row: Any, stage: str, at: datetime, reason: str) -> dict[str, Any]:
    return {"trip_id": row.trip_id, "old": row.stage, "new": stage, "at": at, "reason": reason}


def _apply(session: Session, changes: list[dict[str, Any]], now: datetime) -> int:
    by_trip = {change["trip_id"]: change for change in changes}
    action = ActionContext(session, None, now)
    applied = store.apply_stages(session, changes)
    lines = []
    for row in applied:
        change = by_trip[row.trip_id]
        data = {"before": change["old"], "after": change["new"], "reason": change["reason"]}
        lines.append({"trip_id": row.trip_id, "at": change["at"], "kind": "stage", "data": data, "actor_id": None})
        action.publish_event(event_row(row))
    store.insert_events(session, lines)
    return len(applied)
