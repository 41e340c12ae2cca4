"""Who is told of orders and of the answers to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.dispatch import store
from app.dispatch.store import ConcernedTruck
from app.dispatch.vocabulary import OrderStatus
from app.platform import outbox
from app.platform.outbox import Audience

POLICE: Final = ("traffic_police",)


def publish_orders(
    session: Session, statuses: Mapping[int, str], now: datetime, more: Mapping[str, object] | None = None
) -> None:
    by_order: dict[int, list[ConcernedTruck]] = defaultdict(list)
    for truck in store.concerned_by(session, list(statuses)):
        by_order[truck.order_id].append(truck)
    for order_id, status in statuses.items():
        data = {"order_id": order_id, "status": status, **(more or {})}
        outbox.publish_event(session, "order", _audience(by_order[order_id]), data, at=now)


def publish_proposal(session: Session, order_id: int, status: str, now: datetime) -> None:
    """Tell the police, and nobody else, of an order that waits for a second person, or waits no more."""
    outbox.publish_event(session, "order", Audience(roles=POLICE), {"order_id": order_id, "status": status}, at=now)


def publish_told(session: Session, order_id: int, vehicle_ids: Collection[int], now: datetime) -> None:
    """Tell those whose group's turn has come of an order in force."""
    trucks = [truck for truck in store.concerned_by(session, [order_id]) if truck.vehicle_id in vehicle_ids]
    data = {"order_id": order_id, "status": OrderStatus.ACTIVE}
    outbox.publish_event(session, "order", _audience(trucks), data, at=now)


def publish_response(
    session: Session, order_id: int, vehicle_id: int, status: str, reason: str | None, now: datetime
) -> None:
    trucks = [truck for truck in store.concerned_by(session, [order_id]) if truck.vehicle_id == vehicle_id]
    data = {"order_id": order_id, "vehicle_id": vehicle_id, "status": status, "reason": reason}
    outbox.publish_event(session, "order_response", _audience(trucks), data, at=now)


def _audience(trucks: Sequence[ConcernedTruck]) -> Audience:
    return Audience(
        roles=POLICE,
        organisations=tuple(sorted({truck.organisation_id for truck in trucks if truck.organisation_id is not None})),
        accounts=tuple(sorted({truck.driver_id for truck in trucks if truck.driver_id is not None})),
        vehicles=tuple(sorted(truck.vehicle_id for truck in trucks)),
    )
