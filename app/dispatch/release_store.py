"""Queries on orders that wait for a second person, are told in groups, or were recalled. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text, true, update
from sqlalchemy.orm import Session

from app.dispatch.store import RecipientKey
from app.dispatch.tables import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import OrderStatus, RecipientStatus


@dataclass(frozen=True)
class RecallCount:
    """How far the recall of an order has come: of those whom the order had reached, how many had confirmed it, and how
    many have read that it was taken back."""

    order_id: int
    reached: int
    confirmed: int
    read: int


@dataclass(frozen=True)
class Recall:
    """An order that was taken back, as one of those whom it had reached is told; `text` by language."""

    order_id: int
    kind: str
    text: dict[str, str]
    recalled_at: datetime
    had_confirmed: bool
    read_at: datetime | None


def set_tell_times(session: Session, order_id: int, vehicle_ids: Sequence[int], times: Sequence[datetime]) -> None:
    """Write when each of an order's trucks is told."""
    session.execute(
        text(
            """
            UPDATE app.order_recipient r SET tell_at = v.tell_at
            FROM unnest(CAST(:vehicle_ids AS integer[]), CAST(:times AS timestamptz[])) AS v (vehicle_id, tell_at)
            WHERE r.order_id = :order_id AND r.vehicle_id = v.vehicle_id
            """
        ),
        {"order_id": order_id, "vehicle_ids": list(vehicle_ids), "times": list(times)},
    )


def release_due(session: Session, now: datetime, order_id: int | None = None) -> list[RecipientKey]:
    """Send active orders to those trucks whose turn it is to be told; which they are.

    What is remembered of where a truck was when its order began is taken as of now.
    """
    rows = session.execute(
        text(
            """
            UPDATE app.order_recipient r
            SET status = :sent,
                evidence = coalesce((
                    SELECT jsonb_build_object('road', g.road, 'km', p.km)
                    FROM ingest.last_position p JOIN geo.road g ON g.road_id = p.road_id
                    WHERE p.vehicle_id = r.vehicle_id), r.evidence)
            FROM app.dispatch_order o
            WHERE o.order_id = r.order_id AND o.status = :active AND r.status = :waiting AND r.tell_at <= :now
                AND (CAST(:order_id AS integer) IS NULL OR r.order_id = :order_id)
            RETURNING r.order_id, r.vehicle_id
            """
        ),
        {
            "sent": RecipientStatus.SENT,
            "waiting": RecipientStatus.WAITING,
            "active": OrderStatus.ACTIVE,
            "now": now,
            "order_id": order_id,
        },
    )
    return [RecipientKey(*row) for row in rows]


def recipient_ids(session: Session, order_id: int) -> Sequence[int]:
    """The trucks of an order, the first to be let go or told first."""
    return session.scalars(
        select(OrderRecipient.vehicle_id)
        .where(OrderRecipient.order_id == order_id)
        .order_by(OrderRecipient.tell_at, OrderRecipient.release_at, OrderRecipient.vehicle_id)
    ).all()


def old_proposals(session: Session, before: datetime, now: datetime) -> Sequence[int]:
    """Orders that have waited for a second person since before a time, or whose own time is over; locked."""
    return session.scalars(
        select(DispatchOrder.order_id)
        .where(
            DispatchOrder.status == OrderStatus.PROPOSED,
            (DispatchOrder.issued_at <= before) | (DispatchOrder.valid_to <= now),
        )
        .order_by(DispatchOrder.order_id)
        .with_for_update(skip_locked=True)
    ).all()


# Recalls


def _was_reached() -> ColumnElement[bool]:
    reached = OrderRecipient.delivered_at.is_not(None) | OrderRecipient.messaged_at.is_not(None)
    return (OrderRecipient.status == RecipientStatus.CANCELLED) & reached


def note_messaged(session: Session, order_id: int, vehicle_id: int, now: datetime) -> None:
    """Note that a message about an order left for the driver's phone."""
    session.execute(
        update(OrderRecipient)
        .where(OrderRecipient.order_id == order_id, OrderRecipient.vehicle_id == vehicle_id)
        .values(messaged_at=now)
        .execution_options(synchronize_session=False)
    )


def count_recalls(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool] | None
) -> list[RecallCount]:
    """How far the recalls of those orders that were taken back have come, with recipients that meet `concerns`."""
    had_confirmed = OrderRecipient.responded_at.is_not(None) & OrderRecipient.refusal_reason.is_(None)
    rows = session.execute(
        select(
            OrderRecipient.order_id,
            func.count(),
            func.count().filter(had_confirmed),
            func.count(OrderRecipient.recall_read_at),
        )
        .join(DispatchOrder, DispatchOrder.order_id == OrderRecipient.order_id)
        .where(
            OrderRecipient.order_id.in_(order_ids),
            DispatchOrder.status == OrderStatus.CANCELLED,
            _was_reached(),
            true() if concerns is None else concerns,
        )
        .group_by(OrderRecipient.order_id)
    )
    return [RecallCount(*row) for row in rows]


def list_recalls(session: Session, concerns: ColumnElement[bool], *, since: datetime) -> list[Recall]:
    """Orders taken back since a time of which recipients that meet `concerns` have not read it; the newest first."""
    rows = session.execute(
        select(DispatchOrder, OrderRecipient)
        .join(OrderRecipient, OrderRecipient.order_id == DispatchOrder.order_id)
        .where(
            DispatchOrder.status == OrderStatus.CANCELLED,
            DispatchOrder.ended_at >= since,
            OrderRecipient.recall_read_at.is_(None),
            _was_reached(),
            concerns,
        )
        .order_by(DispatchOrder.order_id.desc())
    )
    return [
        Recall(
            order_id=order.order_id,
            kind=order.kind,
            text=order.text,
            recalled_at=order.ended_at or order.valid_to,
            had_confirmed=recipient.responded_at is not None and recipient.refusal_reason is None,
            read_at=recipient.recall_read_at,
        )
        for order, recipient in rows
    ]


def mark_recall_read(
    session: Session, order_id: int, concerns: ColumnElement[bool], now: datetime
) -> list[RecipientKey]:
    """Note that the driver has read that an order was taken back; empty if that is no news or it concerns nobody."""
    rows = session.execute(
        update(OrderRecipient)
        .where(OrderRecipient.order_id == order_id, OrderRecipient.recall_read_at.is_(None), _was_reached(), concerns)
        .values(recall_read_at=now)
        .returning(OrderRecipient.order_id, OrderRecipient.vehicle_id)
        .execution_options(synchronize_session=False)
    )
    return [RecipientKey(*row) for row in rows]
