"""What drivers answer to orders: delivered, confirmed, refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.dispatch import store
from app.dispatch.order_drafts import MAX_REASON_LENGTH
from app.dispatch.order_events import publish_response
from app.dispatch.order_reading import no_order, note_delivery
from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import OrderKind, OrderStatus, RecipientStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.trips.scope import visible_vehicles
from app.trips.service import redirect_trip
from geo.errors import ConflictError, InvalidInputError

# The driver's side


def acknowledge(action: ActionContext, order_id: int) -> None:
    """The driver confirms. Confirming again changes nothing; a confirmed divert takes the trip to its new gate.

    Raises
    ------
    NotFoundError
        If the order did not go to this driver.
    ConflictError
        If it no longer stands.
    """
    order = _respond(action, order_id, RecipientStatus.ACKNOWLEDGED, None)
    if order is not None and order.DispatchOrder.kind == OrderKind.DIVERT and order.OrderRecipient.trip_id is not None:
        gate_id = order.DispatchOrder.parameters["gate_id"]
        redirect_trip(action.without_address(), order.OrderRecipient.trip_id, gate_id=gate_id, order_id=order_id)


def refuse(action: ActionContext, order_id: int, reason: str) -> None:
    """The driver cannot follow, and says why. Raises like `acknowledge`, and InvalidInputError without a reason."""
    tidy = " ".join(reason.split())
    if not 1 <= len(tidy) <= MAX_REASON_LENGTH:
        raise InvalidInputError(
            "The reason has {length} characters; say in 1 to {most} why you cannot follow.",
            field="reason",
            length=len(tidy),
            most=MAX_REASON_LENGTH,
        )
    _respond(action, order_id, RecipientStatus.REFUSED, tidy)


def deliver(session: Session, principal: Principal, order_id: int, *, now: datetime) -> None:
    """The driver's client shows the order; telling it again changes nothing. Raises NotFoundError."""
    concerns = visible_vehicles(principal, "orders.respond", OrderRecipient.vehicle_id, now=now)
    if store.find_recipient(session, order_id, concerns) is None:
        raise no_order(order_id)
    note_delivery(session, [order_id], concerns, now)


def _respond(action: ActionContext, order_id: int, status: str, reason: str | None) -> Any | None:
    """The recipient and order if the answer was new, `None` if it had been given before."""
    concerns = visible_vehicles(action.actor, "orders.respond", OrderRecipient.vehicle_id, now=action.now)
    row = store.find_recipient(action.session, order_id, concerns)
    if row is None:
        raise no_order(order_id)
    vehicle_id, before = row.OrderRecipient.vehicle_id, row.OrderRecipient.status
    if not store.respond(action.session, order_id, vehicle_id, status=status, reason=reason, now=action.now):
        row = store.find_recipient(action.session, order_id, concerns)
        if row is not None and row.OrderRecipient.status == status:
            return None
        raise _over(row, order_id, action.now)
    publish_response(action.session, order_id, vehicle_id, status, reason, action.now)
    action.record(
        f"orders.{'acknowledge' if status == RecipientStatus.ACKNOWLEDGED else 'refuse'}",
        "order",
        order_id,
        {"vehicle_id": vehicle_id, "status": before},
        {"vehicle_id": vehicle_id, "status": status, **({"reason": reason} if reason else {})},
    )
    return row


def _over(row: Any, order_id: int, now: datetime) -> ConflictError:
    recipient, order = row.OrderRecipient, row.DispatchOrder
    if recipient.status == RecipientStatus.SUPERSEDED:
        return ConflictError(
            "The order {order_id} was replaced by the order {newer}; answer that one.",
            order_id=order_id,
            newer=recipient.superseded_by,
            state=RecipientStatus.SUPERSEDED,
        )
    state = order.status if order.status != OrderStatus.ACTIVE else recipient.status
    if order.status == OrderStatus.ACTIVE and order.valid_to <= now:
        state = OrderStatus.EXPIRED
    return ConflictError(
        "The order {order_id} is {state}; it can no longer be answered.", order_id=order_id, state=state
    )
