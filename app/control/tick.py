"""The fast tick, every five seconds: yard movements, trip stages, orders, the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.control import store
from app.declarations.contacts import declared_telephones
from app.dispatch import orders
from app.equipment import service as equipment
from app.integrations.text_messages import OutboxTexts
from app.notices import service as notices
from app.notifications import feed
from app.notifications.delivery import Deliverer
from app.notifications.reach import Reacher
from app.platform import outbox
from app.platform.runtime import Runtime
from app.platform.steps import Round, gauge, log
from app.reporting import bulletin, day_figures
from app.sheets.presence import make_keeper
from app.tracking.commands import CommandQueue
from app.tracking.signals import SignalReader
from app.trips import expiry, progress
from app.trips.places import Places
from app.trips.presence_keeping import PresenceKeeper
from app.trips.yard_ledger import publish_yards
from app.yards import store as yards_store
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from ingest import dead_letters

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
    advanced: progress.Advanced | None = None
    keeper: PresenceKeeper = field(default_factory=make_keeper)
    deliverer: Deliverer = field(init=False)
    reacher: Reacher = field(init=False)
    signals: SignalReader = field(init=False)
    commands: CommandQueue = field(init=False)

    def __post_init__(self) -> None:
        self.deliverer = Deliverer(self.runtime)
        self.reacher = Reacher(self.runtime, OutboxTexts(), declared_telephones)
        self.signals = SignalReader(self.runtime.redis)
        self.commands = CommandQueue(self.runtime.redis)

    def run(self) -> Round:
        """One round; what became of its steps."""
        runtime = self.runtime
        beat(runtime)
        tick = Round(runtime, runtime.clock.now())
        tick.run("yard_movements", self.record_passages)
        tick.run("trips_expire", expiry.expire_trips)
        self.advanced = tick.run("trip_stages", self._advance).value_or(self.advanced)
        tick.run("orders_expire", partial(orders.expire_orders, places=self.places))
        tick.run("orders_told", orders.tell_groups)
        tick.run("orders_judge", partial(orders.judge, places=self.places))
        tick.run("device_commands", self.commands.fill)
        tick.run("gate_notices", notices.follow)
        tick.run("device_events", self.signals.take_in)
        tick.run("following", feed.follow)
        tick.run("reach", self.reacher.put_down)
        tick.run("bulletins", partial(bulletin.sum_up, gates=list(self.places.gates)))
        tick.run("day_figures", partial(day_figures.sum_up, gates=list(self.places.gates)))
        tick.run("equipment", equipment.sweep)
        tick.run("unsent_fixes", self._send_unsent)
        tick.run("outbox", self._relay)
        self.deliverer.tend()
        self.reacher.tend()
        beat(runtime)
        return tick

    def record_passages(self, session: Session, now: datetime) -> int:
        """Enter new passages of yards of trucks without a trip into the ledger; how many.

        For those on a trip the ledger follows the judgement of where they are.
        """
        position = capacity_store.feed_position(session, FEED)
        newest = yards_store.newest_passage(session)
        rows = yards_store.passages_after(session, position - OVERLAP_EVENTS)
        movements = [
            (
                row.yard_id,
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
        touched = capacity_store.record_movements(session, movements, now=now)
        if newest > position:
            capacity_store.set_feed_position(session, FEED, newest)
        self._emit(session, now, touched)
        return len(movements)

    def _emit(self, session: Session, now: datetime, yard_ids: set[str]) -> None:
        if yard_ids:
            states = capacity_store.yard_states(session, now)
            publish_yards(session, [state for state in states if state.yard_id in yard_ids], now)

    def _advance(self, session: Session, now: datetime) -> progress.Advanced:
        return progress.advance(session, now, keeper=self.keeper, tails_km=dict(self.tails_km), last=self.advanced)

    def _send_unsent(self, session: Session, now: datetime) -> int:
        return dead_letters.send_unsent(session, self.runtime.redis, self.runtime.settings.ingest_shards, now)

    def _relay(self, session: Session, _now: datetime) -> int:
        sent = outbox.relay_waiting(session, self.runtime.redis)
        gauge(self.runtime, {"outbox_waiting": float(store.waiting_events(session))})
        return sent


def beat(runtime: Runtime) -> None:
    """Show that control lives."""
    try:
        runtime.redis.set(HEARTBEAT, runtime.clock.now().isoformat(), ex=HEARTBEAT_TTL_S)
    except RedisError:
        log.warning("Redis is away", heartbeat=HEARTBEAT)
