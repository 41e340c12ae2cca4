"""Orders as those they concern may read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.dispatch import store
from app.dispatch.order_events import publish_response
from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import Compliance, RecipientStatus
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.trips.scope import visible_vehicles
from geo.errors import NotFoundError

# Reading


def list_orders(
    session: Session, principal: Principal, *, current: bool | None, page: PageRequest, now: datetime
) -> Page[dict[str, Any]]:
    """A page of orders the caller may see, newest first.

    A driver gets, unless told otherwise, only those that stand, and has thereby received them.
    """
    concerns = _concerns(principal, "orders.read", now)
    current = principal.may("orders.respond") if current is None else current
    rows = store.list_orders(session, concerns, standing_only=current, now=now, before=page.before, limit=page.fetch)
    shown = rows[: page.limit]
    ids = [row.DispatchOrder.order_id for row in shown]
    if principal.may("orders.respond") and concerns is not None:
        note_delivery(session, ids, concerns, now)
    records = _describe(session, shown, concerns)
    if concerns is not None:
        _add_recipients(session, records, concerns)
    return Page(records, ids[-1] if len(rows) > page.limit else None)


def get_order(session: Session, principal: Principal, order_id: int, now: datetime) -> dict[str, Any]:
    """An order the caller may see, with those recipients that the caller may see.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    concerns = _concerns(principal, "orders.read", now)
    row = store.find_order(session, order_id, concerns)
    if row is None:
        raise no_order(order_id)
    records = _describe(session, [row], concerns)
    _add_recipients(session, records, concerns)
    return records[0]


def _describe(session: Session, rows: Sequence[Any], concerns: ColumnElement[bool] | None) -> list[dict[str, Any]]:
    ids = [row.DispatchOrder.order_id for row in rows]
    statuses: dict[int, dict[str, int]] = {one: dict.fromkeys(map(str, RecipientStatus), 0) for one in ids}
    verdicts: dict[int, dict[str, int]] = {one: dict.fromkeys(map(str, Compliance), 0) for one in ids}
    for count in store.count_recipients(session, ids, concerns) if ids else ():
        statuses[count.order_id][count.status] += count.recipients
        verdicts[count.order_id][count.compliance] += count.recipients
    return [
        {
            "order_id": order.order_id,
            "kind": order.kind,
            "selection": order.selection,
            "parameters": order.parameters,
            "text": order.text,
            "valid_from": order.valid_from,
            "valid_to": order.valid_to,
            "issued_by": row.issuer,
            "issued_at": order.issued_at,
            "status": order.status,
            "ended_at": order.ended_at,
            "supersedes": order.supersedes,
            "advisory_id": order.advisory_id,
            "version": order.version,
            "counts": {"total": sum(statuses[order.order_id].values()), **statuses[order.order_id]},
            "compliance": verdicts[order.order_id],
        }
        for row in rows
        for order in (row.DispatchOrder,)
    ]


def _add_recipients(session: Session, records: list[dict[str, Any]], concerns: ColumnElement[bool] | None) -> None:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in store.recipients_of(session, [record["order_id"] for record in records], concerns):
        one: OrderRecipient = row.OrderRecipient
        found[one.order_id].append(
            {
                "vehicle_id": one.vehicle_id,
                "plate": row.plate,
                "trip_id": one.trip_id,
                "driver": row.driver,
                "release_at": one.release_at,
                "status": one.status,
                "delivered_at": one.delivered_at,
                "responded_at": one.responded_at,
                "refusal_reason": one.refusal_reason,
                "superseded_by": one.superseded_by,
                "compliance": one.compliance,
                "judged_at": one.judged_at,
                "road": row.road,
                "km": row.km,
                "position_time": row.position_time,
            }
        )
    for record in records:
        record["recipients"] = found[record["order_id"]]


def _concerns(principal: Principal, act: str, now: datetime) -> ColumnElement[bool] | None:
    if principal.require(act) is Scope.ALL:
        return None
    return visible_vehicles(principal, act, OrderRecipient.vehicle_id, now=now)


def no_order(order_id: int) -> NotFoundError:
    return NotFoundError("There is no order {order_id} that concerns you.", order_id=order_id)


def note_delivery(session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool], now: datetime) -> None:
    if order_ids:
        for row in store.mark_delivered(session, order_ids, concerns, now):
            publish_response(session, row.order_id, row.vehicle_id, RecipientStatus.DELIVERED, None, now)
