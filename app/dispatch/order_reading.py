"""Orders as those they concern may read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from app.accounts.service import account_names
from app.dispatch import release_store, store
from app.dispatch.order_events import publish_response
from app.dispatch.schemas import OrderOut, RecallOut, RecipientOut
from app.dispatch.store import OrderLine
from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import Compliance, RecipientStatus
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.trips.scope import visible_positions, visible_vehicles
from geo.errors import NotFoundError

# Reading


def list_orders(
    session: Session, principal: Principal, *, current: bool | None, page: PageRequest, now: datetime
) -> Page[OrderOut]:
    """A page of orders the caller may see, newest first.

    A driver gets, unless told otherwise, only those that stand, and has thereby received them.
    """
    concerns = _concerns(principal, "orders.read")
    current = principal.may("orders.respond") if current is None else current
    found = store.list_orders(session, concerns, standing_only=current, now=now, before=page.before, limit=page.fetch)
    shown = found[: page.limit]
    ids = [line.order.order_id for line in shown]
    if principal.may("orders.respond") and concerns is not None:
        note_delivery(session, ids, concerns, now)
    orders = _describe(session, shown, concerns)
    if concerns is not None:
        _add_recipients(session, principal, orders, concerns)
    return Page(orders, ids[-1] if len(found) > page.limit else None)


def get_order(session: Session, principal: Principal, order_id: int) -> OrderOut:
    """An order the caller may see, with those recipients that the caller may see.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    concerns = _concerns(principal, "orders.read")
    line = store.find_order(session, order_id, concerns)
    if line is None:
        raise no_order(order_id)
    orders = _describe(session, [line], concerns)
    _add_recipients(session, principal, orders, concerns)
    return orders[0]


def _describe(session: Session, lines: Sequence[OrderLine], concerns: ColumnElement[bool] | None) -> list[OrderOut]:
    ids = [line.order.order_id for line in lines]
    statuses = {order_id: dict.fromkeys(map(str, RecipientStatus), 0) for order_id in ids}
    verdicts = {order_id: dict.fromkeys(Compliance, 0) for order_id in ids}
    for count in store.count_recipients(session, ids, concerns) if ids else ():
        statuses[count.order_id][count.status] += count.recipients
        verdicts[count.order_id][Compliance(count.compliance)] += count.recipients
    recalls = {
        count.order_id: RecallOut.model_validate(count) for count in release_store.count_recalls(session, ids, concerns)
    }
    approvers = account_names(session, [line.order.approved_by for line in lines])
    return [
        OrderOut.of(
            line,
            statuses[line.order.order_id],
            verdicts[line.order.order_id],
            recalls.get(line.order.order_id),
            approvers.get(line.order.approved_by or 0),
        )
        for line in lines
    ]


def _add_recipients(
    session: Session, principal: Principal, orders: Sequence[OrderOut], concerns: ColumnElement[bool] | None
) -> None:
    found: dict[int, list[RecipientOut]] = defaultdict(list)
    sight = visible_positions(principal, OrderRecipient.vehicle_id)
    for line in store.recipients_of(session, [order.order_id for order in orders], concerns, sight):
        found[line.recipient.order_id].append(RecipientOut.of(line))
    for order in orders:
        order.recipients = found[order.order_id]


def _concerns(principal: Principal, act: str) -> ColumnElement[bool] | None:
    return None if principal.require(act) is Scope.ALL else concerned(principal, act)


def concerned(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on recipients of orders that `principal` may do `act` with: who is not told yet is none."""
    told = OrderRecipient.status != RecipientStatus.WAITING
    return and_(visible_vehicles(principal, act, OrderRecipient.vehicle_id), told)


def no_order(order_id: int) -> NotFoundError:
    return NotFoundError("There is no order {order_id} that concerns you.", order_id=order_id)


def note_delivery(session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool], now: datetime) -> None:
    if order_ids:
        for row in store.mark_delivered(session, order_ids, concerns, now):
            publish_response(session, row.order_id, row.vehicle_id, RecipientStatus.DELIVERED, None, now)
