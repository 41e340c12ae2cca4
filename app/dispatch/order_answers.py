"""What drivers answer to orders: delivered, confirmed, refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from app.dispatch import release_store, store
from app.dispatch.order_drafts import MAX_REASON_LENGTH
from app.dispatch.order_events import publish_response
from app.dispatch.order_reading import concerned, no_order, note_delivery
from app.dispatch.release_store import Recall
from app.dispatch.store import ReceivedOrder, UndeliveredOrder
from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import OrderKind, OrderStatus, RecipientStatus
from app.platform.actions import ActionContext
from app.platform.labels import Vocabulary
from app.platform.permissions import Principal
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError

RECALL_TOLD: Final = timedelta(hours=24)
"""A recall that nobody has read is told so long."""
RECALL_READ: Final = "recall_read"
"""Status of the event that tells the police of it."""

# The driver's side


class Mover(Protocol):
    """What takes a trip to another gate, with its procedure, fee and yard place: above dispatch, and given to it."""

    def divert(
        self, action: ActionContext, trip_id: int, gate_id: str, *, order_id: int, corridor: Corridor
    ) -> None: ...


def acknowledge(action: ActionContext, order_id: int, mover: Mover, corridor: Corridor) -> None:
    """The driver confirms. Confirming again changes nothing; a confirmed divert takes the trip to its new gate.

    Raises
    ------
    NotFoundError
        If the order did not go to this driver.
    ConflictError
        If it no longer stands, or the trip can no longer be moved: it is over, or its truck stands at its gate.
    RefusedError
        If the gate that it leads to does not take the trip's regime or goods now.
    """
    received = _respond(action, order_id, RecipientStatus.ACKNOWLEDGED, None)
    if received is not None and received.order.kind == OrderKind.DIVERT and received.recipient.trip_id is not None:
        gate_id = received.order.parameters["gate_id"]
        mover.divert(action, received.recipient.trip_id, gate_id, order_id=order_id, corridor=corridor)


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
    concerns = concerned(principal, "orders.respond")
    if store.find_recipient(session, order_id, concerns) is None:
        raise no_order(order_id)
    note_delivery(session, [order_id], concerns, now)


def list_recalls(session: Session, principal: Principal, *, now: datetime) -> list[Recall]:
    """Orders that had reached the driver and were taken back, until the driver has read it."""
    concerns = concerned(principal, "orders.respond")
    return release_store.list_recalls(session, concerns, since=now - RECALL_TOLD)


def read_recall(action: ActionContext, order_id: int) -> None:
    """The driver has read that an order was taken back. Saying it again changes nothing.

    Raises
    ------
    NotFoundError
        If the order did not go to this driver.
    ConflictError
        If it was not taken back.
    """
    concerns = concerned(action.actor, "orders.respond")
    received = store.find_recipient(action.session, order_id, concerns)
    if received is None:
        raise no_order(order_id)
    if received.order.status != OrderStatus.CANCELLED:
        raise ConflictError("The order {order_id} was not taken back.", order_id=order_id)
    for row in release_store.mark_recall_read(action.session, order_id, concerns, action.now):
        publish_response(action.session, order_id, row.vehicle_id, RECALL_READ, None, action.now)
        after = {"vehicle_id": row.vehicle_id, "recall_read_at": action.now.isoformat()}
        action.record("orders.read_recall", "order", order_id, None, after)


def note_messaged(session: Session, order_id: int, vehicle_id: int, *, now: datetime) -> None:
    """A message about the order left for the phone of the truck's driver: a recall concerns them too."""
    release_store.note_messaged(session, order_id, vehicle_id, now)


def list_undelivered(session: Session, before: datetime) -> list[UndeliveredOrder]:
    """Orders that stand and were sent before a time, with each truck whose driver has not seen them."""
    return store.undelivered(session, before)


def deliver_by_device(session: Session, order_id: int, vehicle_id: int, *, now: datetime) -> None:
    """A device of the truck showed the order to its driver; telling it again changes nothing."""
    note_delivery(session, [order_id], OrderRecipient.vehicle_id == vehicle_id, now)


def _respond(action: ActionContext, order_id: int, status: str, reason: str | None) -> ReceivedOrder | None:
    """The recipient and order if the answer was new, `None` if it had been given before."""
    concerns = concerned(action.actor, "orders.respond")
    received = store.find_recipient(action.session, order_id, concerns)
    if received is None:
        raise no_order(order_id)
    vehicle_id, before = received.recipient.vehicle_id, received.recipient.status
    if not store.respond(action.session, order_id, vehicle_id, status=status, reason=reason, now=action.now):
        received = store.find_recipient(action.session, order_id, concerns)
        if received is None:
            raise no_order(order_id)
        if received.recipient.status == status:
            return None
        raise _over(received, order_id, action.now)
    publish_response(action.session, order_id, vehicle_id, status, reason, action.now)
    action.record(
        f"orders.{'acknowledge' if status == RecipientStatus.ACKNOWLEDGED else 'refuse'}",
        "order",
        order_id,
        {"vehicle_id": vehicle_id, "status": before},
        {"vehicle_id": vehicle_id, "status": status, **({"reason": reason} if reason else {})},
    )
    return received


def _over(received: ReceivedOrder, order_id: int, now: datetime) -> ConflictError:
    recipient, order = received.recipient, received.order
    if recipient.status == RecipientStatus.SUPERSEDED:
        return ConflictError(
            "The order {order_id} was replaced by the order {newer}; answer that one.",
            order_id=order_id,
            newer=recipient.superseded_by,
            state=RecipientStatus.SUPERSEDED,
        )
    state: Vocabulary = OrderStatus.get(order.status)
    if state is OrderStatus.ACTIVE:
        state = OrderStatus.EXPIRED if order.valid_to <= now else RecipientStatus.get(recipient.status)
    return ConflictError(
        "The order {order_id} is {state}; it can no longer be answered.", order_id=order_id, state=state
    )
