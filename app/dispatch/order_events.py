"""Who is told of orders and of the answers to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from app.dispatch import store
from app.platform import outbox
from app.platform.outbox import Audience

POLICE: Final = ("traffic_police",)


def publish_orders(
    session: Session, statuses: Mapping[int, str], now: datetime, more: Mapping[str, Any] | None = None
) -> None:
    by_order: dict[int, list[Any]] = defaultdict(list)
    for row in store.concerned_by(session, list(statuses)):
        by_order[row.order_id].append(row)
    for order_id, status in statuses.items():
        data = {"order_id": order_id, "status": status, **(more or {})}
        outbox.publish_event(session, "order", _audience(by_order[order_id]), data, at=now)


def publish_response(
    session: Session, order_id: int, vehicle_id: int, status: str, reason: str | None, now: datetime
) -> None:
    rows = [row for row in store.concerned_by(session, [order_id]) if row.vehicle_id == vehicle_id]
    data = {"order_id": order_id, "vehicle_id": vehicle_id, "status": status, "reason": reason}
    outbox.publish_event(session, "order_response", _audience(rows), data, at=now)


def _audience(rows: Iterable[Any]) -> Audience:
    rows = list(rows)
    return Audience(
        roles=POLICE,
        organisations=tuple(sorted({row.organisation_id for row in rows if row.organisation_id is not None})),
        accounts=tuple(sorted({row.driver_id for row in rows if row.driver_id is not None})),
        vehicles=tuple(sorted(row.vehicle_id for row in rows)),
    )
