"""The simulated drivers: they receive orders, answer after a while, and mostly do as told.

Orders are read from the database once for all of them, instead of over a thousand open event streams; what a driver
then does, receiving and answering, goes through the public API with that driver's own token.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import numpy as np
import structlog
from shapely import Point, Polygon, prepare
from sqlalchemy.orm import Session, sessionmaker

from app.demo import store
from app.demo.playback import Playback
from app.demo.seed import Fleet
from app.dispatch.vocabulary import OrderKind, RecipientStatus
from app.trips.places import Places
from geo.clock import Clock
from geo.corridor import Corridor

log = structlog.get_logger("demo")

REFUSE_SHARE = 0.04
FASTEST_S, SLOWEST_S = 10.0, 90.0
REASONS = ("Xe đang hỏng, chờ sửa", "Hết giờ lái xe liên tục, phải nghỉ", "Hàng tươi, không chờ được")
"""Broken down; four hours at the wheel are over; fresh goods cannot wait."""
PASSED = "Đã qua vị trí yêu cầu"
"""Already past the place."""
OBEYED = (OrderKind.HOLD, OrderKind.STOP)
TOKEN_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """What a driver will say, and how long it takes (s): `refusal` is the reason, `None` to confirm."""

    wait_s: float
    refusal: str | None


def decide(order_id: int, vehicle_id: int, kind: str) -> Answer:
    """What the driver of a truck answers to an order; always the same for the same order and truck."""
    rng = np.random.default_rng([order_id, vehicle_id])
    wait_s = float(rng.uniform(FASTEST_S, SLOWEST_S))
    refuses = kind != OrderKind.NOTICE and rng.random() < REFUSE_SHARE
    return Answer(wait_s, str(rng.choice(REASONS)) if refuses else None)


@dataclass
class _Pending:
    order: store.StandingOrder
    truck: int
    answer_at: datetime
    refusal: str | None


@dataclass
class Drivers:
    """All simulated drivers but the one that a person plays."""

    playback: Playback
    fleet: Fleet
    corridor: Corridor
    sessions: sessionmaker[Session]
    clock: Clock
    client: httpx.Client
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _pending: list[_Pending] = field(default_factory=list)
    _tokens: dict[int, tuple[str, datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        played = self.playback.recording.driver_truck
        self.truck_of = {vehicle: truck for truck, vehicle in enumerate(self.fleet.vehicle_ids) if truck != played}
        self.driver_ids = [driver for truck, driver in enumerate(self.fleet.driver_ids) if truck != played]

    def step(self) -> None:
        """Look for new orders, give the answers that are due, let trucks go whose order is over."""
        now = self.clock.now()
        with self.sessions() as session:
            orders = store.standing_orders(session, self.driver_ids, now)
        self._end_holds(orders, now)
        for order in orders:
            key = (order.order_id, order.vehicle_id)
            if key in self._seen or order.vehicle_id not in self.truck_of:
                continue
            self._seen.add(key)
            if order.status == RecipientStatus.ACKNOWLEDGED:  # before a restart; the hold itself was kept
                continue
            self._receive(order, now)
        due = [pending for pending in self._pending if pending.answer_at <= now]
        self._pending = [pending for pending in self._pending if pending.answer_at > now]
        for pending in due:
            self._answer(pending, now)

    def _receive(self, order: store.StandingOrder, now: datetime) -> None:
        if not self._call(order.driver_id, "POST", f"/api/v1/orders/{order.order_id}/delivered"):
            log.info("demo driver could not receive", order_id=order.order_id)
        answer = decide(order.order_id, order.vehicle_id, order.kind)
        at = now + timedelta(seconds=answer.wait_s)
        self._pending.append(_Pending(order, self.truck_of[order.vehicle_id], at, answer.refusal))

    def _answer(self, pending: _Pending, now: datetime) -> None:
        order, refusal = pending.order, pending.refusal
        if refusal is None and not self._obey(order, pending.truck, now):
            refusal = PASSED
        path = f"/api/v1/orders/{order.order_id}"
        if refusal is None:
            self._call(order.driver_id, "POST", f"{path}/acknowledge")
        else:
            self._call(order.driver_id, "POST", f"{path}/refuse", {"reason": refusal})

    def _obey(self, order: store.StandingOrder, truck: int, now: datetime) -> bool:
        """Do in the playback what the order asks, as far as a recorded journey can; whether it could."""
        if order.kind in OBEYED:
            return self.playback.hold(truck, order.order_id, now, self._spot(order)) is not None
        if order.kind == OrderKind.DIVERT:
            return self._divert(truck, str(order.parameters["gate_id"]), now)
        if order.kind == OrderKind.PROCEED:
            self.playback.release(truck, now)
        return True

    def _divert(self, truck: int, gate_id: str, now: datetime) -> bool:
        gate = Places.of(self.corridor).gates.get(gate_id)
        if gate is None or not gate.feeders:
            return False
        road, (there_km, _) = next(iter(gate.feeders.items()))
        lon, lat = (float(np.ravel(value)[0]) for value in self.corridor.position(road, there_km))
        return self.playback.divert(truck, gate_id, now, (lon, lat))

    def _spot(self, order: store.StandingOrder) -> tuple[float, float] | None:
        """A place of its own for a truck in the area it is told to wait in; `None` if it is to stop where it is."""
        site_id = order.parameters.get("site_id")
        if order.kind != OrderKind.HOLD or not isinstance(site_id, str):
            return None
        site = self.corridor.get_site(site_id)
        if site.geofence is None:
            return site.lon, site.lat
        return place_within(site.geofence, seed=order.vehicle_id)

    def _end_holds(self, orders: Sequence[store.StandingOrder], now: datetime) -> None:
        standing = {(order.order_id, self.truck_of.get(order.vehicle_id)) for order in orders}
        for truck, order_id in self.playback.held().items():
            if order_id > 0 and (order_id, truck) not in standing:
                self.playback.release(truck, now)

    def _call(self, driver_id: int, method: str, path: str, body: Mapping[str, str] | None = None) -> bool:
        headers = {"Authorization": f"Bearer {self._token(driver_id)}"}
        try:
            answer = self.client.request(method, path, headers=headers, json=body)
        except httpx.HTTPError as error:
            log.warning("demo driver not heard", path=path, error=str(error))
            return False
        if answer.status_code == 401:
            self._tokens.pop(driver_id, None)
        if answer.is_error:
            log.warning("demo driver not heard", path=path, status=answer.status_code, answer=answer.text[:200])
        return not answer.is_error

    def _token(self, driver_id: int) -> str:
        """A token of a simulated driver, made in the database: nobody knows a password to these accounts."""
        now = self.clock.now()
        token, until = self._tokens.get(driver_id, ("", now))
        if until <= now:
            token = secrets.token_urlsafe(32)
            with self.sessions() as session:
                digest = hashlib.sha256(token.encode()).digest()
                store.add_token(session, driver_id, digest, secrets.token_urlsafe(32), now, until=now + TOKEN_LIFETIME)
                session.commit()
            self._tokens[driver_id] = (token, now + TOKEN_LIFETIME - timedelta(hours=1))
        return token


def place_within(area: Polygon, *, seed: int) -> tuple[float, float]:
    """A point (lon, lat) in a polygon, drawn evenly; always the same for the same seed."""
    rng = np.random.default_rng(seed)
    prepare(area)
    west, south, east, north = area.bounds
    while True:
        lon, lat = float(rng.uniform(west, east)), float(rng.uniform(south, north))
        if area.contains(Point(lon, lat)):
            return lon, lat
