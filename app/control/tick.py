"""The fast tick, every five seconds: yard movements, trip stages, orders, the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app import events
from app.control import store
from app.control.steps import gauge, log, run_step
from app.control.yards import emit_yards
from app.dispatch import orders
from app.equipment import service as equipment
from app.following import bulletin, feed
from app.following.delivery import Deliverer
from app.runtime import Runtime
from app.trips import service as trips
from app.trips.places import Places
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement

HEARTBEAT = "ck:heartbeat:control"
HEARTBEAT_TTL_S = 15
FEED = "site_event"
OVERLAP_EVENTS = 2000
"""Passages are looked at again this far back: transactions do not commit in the order of their numbers."""


@dataclass
class Tick:
    """What the fast tick keeps from one round to the next."""

    runtime: Runtime
    places: Places
    tails_km: Mapping[str, float]
    advanced: trips.Advanced | None = None
    deliverer: Deliverer = field(init=False)

    def __post_init__(self) -> None:
        self.deliverer = Deliverer(self.runtime)

    def run(self) -> None:
        """One round; each step in its own transaction."""
        runtime = self.runtime
        beat(runtime)
        run_step(runtime, "yard_movements", self.record_passages)
        advanced = run_step(runtime, "trip_stages", self._advance)
        self.advanced = advanced or self.advanced
        run_step(runtime, "yards_left", self._close_stays)
        run_step(runtime, "orders_expire", self._expire)
        run_step(runtime, "orders_judge", self._judge)
        run_step(runtime, "following", self._follow)
        run_step(runtime, "bulletins", self._sum_up)
        run_step(runtime, "equipment", self._watch_equipment)
        run_step(runtime, "outbox", self._sweep)
        self.deliverer.tend()
        beat(runtime)

    def record_passages(self, session: Session) -> int:
        """Enter new passages of yards into the ledger; how many."""
        position = capacity_store.feed_position(session, FEED)
        newest = store.newest_passage(session)
        rows = store.passages_after(session, position - OVERLAP_EVENTS)
        movements = [
            (
                row.site_id,
                Movement(
                    LedgerTruck(row.vehicle_id, row.plate_norm),
                    row.kind,
                    row.time,
                    row.source,
                    source_ref=str(row.event_id),
                ),
            )
            for row in rows
        ]
        touched = capacity_store.record_movements(session, movements)
        if newest > position:
            capacity_store.set_feed_position(session, FEED, newest)
        self._emit(session, touched)
        return len(movements)

    def _close_stays(self, session: Session) -> int:
        gone = store.gone_but_inside(session)
        if gone:
            self._emit(session, capacity_store.close_stays(session, gone, self.runtime.clock.now()))
        return len(gone)

    def _emit(self, session: Session, yard_ids: set[str]) -> None:
        if yard_ids:
            now = self.runtime.clock.now()
            states = capacity_store.yard_states(session, now)
            emit_yards(session, [state for state in states if state.yard_id in yard_ids], now)

    def _advance(self, session: Session) -> trips.Advanced:
        return trips.advance(
            session, self.runtime.clock.now(), places=self.places, tails_km=dict(self.tails_km), last=self.advanced
        )

    def _expire(self, session: Session) -> int:
        return orders.expire_orders(session, self.runtime.clock.now(), places=self.places)

    def _judge(self, session: Session) -> int:
        return orders.judge(session, self.runtime.clock.now(), places=self.places)

    def _follow(self, session: Session) -> int:
        return feed.follow(session, self.runtime.clock.now())

    def _sum_up(self, session: Session) -> int:
        return bulletin.sum_up(session, self.runtime.clock.now(), list(self.places.gates))

    def _watch_equipment(self, session: Session) -> int:
        return equipment.sweep(session, self.runtime.clock.now())

    def _sweep(self, session: Session) -> int:
        sent = events.relay_waiting(session, self.runtime.redis)
        gauge(self.runtime, {"outbox_waiting": float(store.waiting_events(session))})
        return sent


def beat(runtime: Runtime) -> None:
    """Show that control lives."""
    try:
        runtime.redis.set(HEARTBEAT, runtime.clock.now().isoformat(), ex=HEARTBEAT_TTL_S)
    except RedisError:
        log.warning("Redis is away", heartbeat=HEARTBEAT)
