"""What devices tell beside positions: kept, told to those whom it concerns, and seen by the traffic police."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

import structlog
from redis import Redis
from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.paging import PageRequest
from app.platform.permissions import Principal, Role
from app.registers.claims import holders_of
from app.tracking import signal_store
from app.tracking.signal_store import ConcernedVehicle, ListedEvent, NewEvent
from app.tracking.tables import DeviceEvent
from app.tracking.vocabulary import DeviceEventKind
from app.trips.scope import visible_past, visible_vehicles
from geo.errors import NotFoundError
from ingest.formats.report import from_microseconds
from ingest.signals import STREAM, Signal, decode, repeats_s

EVENT: Final = "device"
MAX_AT_ONCE: Final = 1_000
CALLED_FOR: Final = timedelta(hours=12)
"""So long an emergency that nobody has seen stands on the police's page."""
KEPT: Final = timedelta(days=90)

log = structlog.get_logger("signals")


@dataclass
class SignalReader:
    """Reads the stream of signals; lives in control.

    An entry is dropped in the round after the one that kept it, when that is surely committed; what is read twice has
    one effect, because an event is known by its device, kind, time and detail.
    """

    redis: Redis
    _kept: list[bytes] = field(default_factory=list)

    def take_in(self, session: Session, now: datetime) -> int:
        """Keep what waits in the stream and tell people of it; how many events were new."""
        if self._kept:
            self.redis.xdel(STREAM, *self._kept)
            self._kept = []
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", self.redis.xrange(STREAM, count=MAX_AT_ONCE))
        signals = [signal for _, fields in entries for signal in _read(fields)]
        count = keep(session, signals, now)
        self._kept = [entry_id for entry_id, _ in entries]
        return count


def _read(fields: dict[bytes, bytes]) -> Iterable[Signal]:
    try:
        yield decode(fields[b"s"])
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        log.error("not a signal", error=repr(error)[:200])


def keep(session: Session, signals: Sequence[Signal], now: datetime) -> int:
    """Keep signals that say something new, and publish them; how many."""
    vehicles = signal_store.concerned_vehicles(session, {signal.vehicle_id for signal in signals})
    new = 0
    for signal in signals:
        event = NewEvent(
            signal.device_id,
            signal.vehicle_id,
            signal.kind,
            from_microseconds(signal.time_us),
            now,
            signal.lat,
            signal.lon,
            signal.detail,
        )
        vehicle = vehicles.get(event.vehicle_id)
        if vehicle is None or not _is_new(session, event, signal):
            continue
        event_id = signal_store.insert_event(session, event)
        if event_id is not None:
            new += 1
            _publish(session, event_id, event, vehicle, now)
    return new


def _is_new(session: Session, event: NewEvent, signal: Signal) -> bool:
    ignition = DeviceEventKind.ignition()
    if event.kind in ignition:
        return signal_store.last_kind(session, event.device_id, ignition, event.time) != event.kind
    within_s = repeats_s(signal.kind)
    return within_s == 0 or not signal_store.has_alike(session, event, within_s)


def _publish(session: Session, event_id: int, event: NewEvent, vehicle: ConcernedVehicle, now: datetime) -> None:
    is_emergency = event.kind in DeviceEventKind.emergencies()
    is_located = is_emergency or vehicle.trip_id is not None  # between trips it is nobody's business where it is
    organisations = set(holders_of(session, vehicle.vehicle_id))
    if vehicle.organisation_id is not None:
        organisations.add(vehicle.organisation_id)
    audience = Audience(
        roles=(Role.TRAFFIC_POLICE.value,) if is_emergency else (),
        organisations=tuple(sorted(organisations)),
        accounts=() if vehicle.driver_id is None else (vehicle.driver_id,),
    )
    data: dict[str, object] = {
        "event_id": event_id,
        "kind": event.kind,
        "vehicle_id": vehicle.vehicle_id,
        "plate": vehicle.plate,
        "trip_id": vehicle.trip_id,
        "time": event.time.isoformat(),
        "lat": event.lat if is_located else None,
        "lon": event.lon if is_located else None,
        "detail": event.detail,
    }
    outbox.publish_event(session, EVENT, audience, data, at=now)


def list_events(
    session: Session, principal: Principal, page: PageRequest, kinds: Sequence[DeviceEventKind]
) -> list[ListedEvent]:
    """What the devices of the vehicles told that the caller may see, newest first."""
    visible = visible_vehicles(principal, "signals.read", DeviceEvent.vehicle_id)
    sight = or_(DeviceEvent.kind.in_(DeviceEventKind.emergencies()), _was_on_trip(principal))
    return signal_store.list_events(session, visible, sight, kinds=kinds, before=page.before, limit=page.fetch)


def _was_on_trip(principal: Principal) -> ColumnElement[bool]:
    return visible_past(principal, "signals.read", DeviceEvent.vehicle_id, DeviceEvent.time)


def list_emergencies(session: Session, principal: Principal, now: datetime) -> list[ListedEvent]:
    """The calls for help of late that nobody has seen yet, newest first."""
    visible = visible_vehicles(principal, "signals.read", DeviceEvent.vehicle_id)
    return signal_store.list_events(
        session,
        visible,
        true(),
        kinds=DeviceEventKind.emergencies(),
        unseen_only=True,
        since=now - CALLED_FOR,
        limit=20,
    )


def mark_seen(action: ActionContext, event_id: int) -> None:
    """Somebody of the traffic police saw a call for help. Saying it again changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such call.
    """
    visible = visible_vehicles(action.actor, "signals.answer", DeviceEvent.vehicle_id)
    event = signal_store.mark_seen(
        action.session, event_id, visible, account_id=action.actor.account_id, now=action.now
    )
    if event is None:
        raise NotFoundError("There is no call for help {event_id}.", event_id=event_id)
    if event.seen_at is None:
        action.record("signals.answer", "device_event", event_id, None, {"seen_at": action.now.isoformat()})
        data = {"event_id": event_id, "kind": event.kind, "vehicle_id": event.vehicle_id, "seen": True}
        outbox.publish_event(action.session, EVENT, Audience(roles=(Role.TRAFFIC_POLICE.value,)), data, at=action.now)


def prune(session: Session, now: datetime) -> None:
    """Forget what is older than `KEPT`."""
    signal_store.prune(session, now - KEPT)
