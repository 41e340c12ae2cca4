"""The query of orders issued lately with whom they went to. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.dispatch.records import ParametersRecord
from app.dispatch.tables import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import OrderKind, OrderStatus, RecipientStatus


@dataclass(frozen=True)
class SentOrder:
    """An order that stands: `recipients`, vehicle → when its own part ends a hold or lets it go (`None`: with all).

    `held_until`, vehicle → until when it would be held by the order that this one replaced; `from_gate`, the gate of
    the trucks that were chosen, if they were chosen by it.
    """

    order_id: int
    kind: str
    parameters: ParametersRecord
    valid_from: datetime
    valid_to: datetime
    recipients: Mapping[int, datetime | None]
    held_until: Mapping[int, datetime]
    from_gate: str | None


def orders_since(session: Session, since: datetime) -> list[SentOrder]:
    """Orders issued since a moment that stand, the oldest first, with the trucks that they bind."""
    rows = session.execute(
        select(DispatchOrder, OrderRecipient.vehicle_id, OrderRecipient.release_at)
        .join(OrderRecipient, OrderRecipient.order_id == DispatchOrder.order_id)
        .where(
            func.coalesce(DispatchOrder.approved_at, DispatchOrder.issued_at) >= since,
            DispatchOrder.status == OrderStatus.ACTIVE,
            OrderRecipient.status.in_(RecipientStatus.active()),
        )
        .order_by(DispatchOrder.order_id, OrderRecipient.vehicle_id)
    ).all()
    orders: dict[int, DispatchOrder] = {}
    recipients: dict[int, dict[int, datetime | None]] = defaultdict(dict)
    for order, vehicle_id, release_at in rows:
        orders[order.order_id] = order
        recipients[order.order_id][vehicle_id] = release_at
    held: dict[int, dict[int, datetime]] = defaultdict(dict)
    replaced = select(OrderRecipient.superseded_by, OrderRecipient.vehicle_id, DispatchOrder.valid_to).join(
        DispatchOrder, DispatchOrder.order_id == OrderRecipient.order_id
    )
    for order_id, vehicle_id, valid_to in session.execute(
        replaced.where(OrderRecipient.superseded_by.in_(orders), DispatchOrder.kind == OrderKind.HOLD)
    ):
        if order_id is not None:
            held[order_id][vehicle_id] = valid_to
    return [
        SentOrder(
            order_id=order.order_id,
            kind=order.kind,
            parameters=order.parameters,
            valid_from=order.valid_from,
            valid_to=order.valid_to,
            recipients=recipients[order.order_id],
            held_until=held[order.order_id],
            from_gate=order.selection.get("gate_id"),
        )
        for order in orders.values()
    ]
