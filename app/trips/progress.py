"""Trips followed by what devices see, many at once: positions, plate reads, weighings, scans, movements, silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.trips import place_store, presence_store, progress_store
from app.trips.presence_keeping import PresenceKeeper
from app.trips.presence_reading import new_sight
from app.trips.presence_store import Newest, News
from app.trips.vocabulary import PlaceKind

OVERLAP: Final = timedelta(seconds=30)
"""What came in is looked at again for this long, since transactions do not commit in the order of their times."""
OVERLAP_ROWS: Final = 1000
LATE: Final = timedelta(days=2)
"""A trip that ended no longer ago is still corrected by what becomes known late."""
UNCONFIRMED: Final = timedelta(minutes=15)
"""A truck that GPS has in a yard, and that nobody saw come, is looked at again for this long: history may come late."""
BATCH: Final = 500
KEEP_SIGHTS: Final = timedelta(days=30)


@dataclass(frozen=True)
class Advanced:
    """How far the last look at the trips reached, to be handed to the next one; and what it did."""

    at: datetime
    newest: Newest
    known: frozenset[News]
    held: frozenset[int] = frozenset()
    """Trips on which somebody acted at that moment: the next look settles them."""
    looked_at: int = 0
    changed: int = 0


def advance(
    session: Session,
    now: datetime,
    *,
    keeper: PresenceKeeper,
    tails_km: Mapping[str, float],
    last: Advanced | None = None,
) -> Advanced:
    """Settle the trips of which something came in since the last look, or is silent now; called every few seconds.

    A position counts if it shows something else than the one before. Trips on which somebody acts at the moment are
    left to that act, and to the next look.

    Arguments: `tails_km`, the measured end of the queue of each gate, kilometres from the border by the gate's road;
    `last`, what the previous call gave (`None`: look at all open trips). Looking twice at the same changes nothing.
    """
    newest = presence_store.newest(session)
    since = None if last is None or last.newest.received_at is None else last.newest.received_at - OVERLAP
    geography = keeper.geography(session)
    positions = place_store.moved_positions(session, since)
    sights = [sight for row in positions if (sight := new_sight(row, geography, tails_km.get(row.gate_id))) is not None]
    place_store.insert_sights(session, sights)
    news = frozenset(
        ()
        if last is None
        else presence_store.news_of_trips(
            session, _back(last.newest), decided_since=last.at - OVERLAP, late_from=now - LATE
        )
    )
    if last is None:
        moved = set(presence_store.open_trips(session))
    else:
        fresh = news - last.known
        moved = {sight.trip_id for sight in sights} | {each.trip_id for each in fresh}
        rules = geography.rules
        windows = {
            PlaceKind.ON_THE_ROAD.value: (last.at - rules.lost_after, now - rules.lost_after),
            PlaceKind.GATE_AREA.value: (last.at - rules.gone_after, now - rules.gone_after),
        }
        moved |= last.held | set(progress_store.fallen_silent(session, windows))
        moved |= set(progress_store.unconfirmed(session, now - UNCONFIRMED))
        moved |= set(progress_store.displaced_trips(session))
    changed, held = 0, set[int]()
    ordered = sorted(moved)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        settled = keeper.settle(ActionContext(session, None, now), batch, skip_locked=True, keep_misdated=True)
        changed += sum(each.is_new_stage for each in settled)
        held |= set(batch) - {each.trip.trip_id for each in settled}
    return Advanced(now, newest, news, frozenset(held), looked_at=len(ordered), changed=changed)


def prune(session: Session, now: datetime) -> None:
    """Forget what GPS showed of trips that are long over."""
    place_store.prune_sights(session, now - KEEP_SIGHTS)


def _back(newest: Newest) -> Newest:
    """The rows from which to look again."""
    return Newest(
        newest.received_at,
        newest.event_id - OVERLAP_ROWS,
        newest.read_id - OVERLAP_ROWS,
        newest.weighing_id - OVERLAP_ROWS,
        newest.scan_id - OVERLAP_ROWS,
        newest.movement_id - OVERLAP_ROWS,
        newest.line_id - OVERLAP_ROWS,
    )
