"""Queries on orders; `selection_store` finds their trucks, `compliance_store` what these did. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import ColumnElement, and_, exists, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.dispatch.records import EvidenceRecord
from app.dispatch.tables import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import Compliance, OrderKind, OrderStatus, RecipientStatus
from app.registers.service import holder_of
from app.trips.service import Trip
from geo.tables import RoadRow
from ingest.tables import LastPosition, Vehicle


@dataclass(frozen=True)
class NewRecipient:
    """A truck that an order is sent to; `release_at` is its own start where the order lets trucks go in groups."""

    vehicle_id: int
    trip_id: int | None
    driver_id: int | None
    release_at: datetime | None
    compliance: str
    evidence: EvidenceRecord
    status: str = RecipientStatus.SENT
    tell_at: datetime | None = None


@dataclass(frozen=True)
class OrderLine:
    """An order with the name of who issued it."""

    order: DispatchOrder
    issuer: str


@dataclass(frozen=True)
class RecipientLine:
    """A recipient of an order with its plate and driver, and where the truck is now (`km` on `road`)."""

    recipient: OrderRecipient
    plate: str
    driver: str | None
    road: str | None
    km: float | None
    position_time: datetime | None


@dataclass(frozen=True)
class RecipientCount:
    """How many recipients of an order are in a status and have a verdict."""

    order_id: int
    status: str
    compliance: str
    recipients: int


@dataclass(frozen=True)
class UndeliveredOrder:
    """An order that stands, and a truck of it whose driver has not seen it; `text` by language."""

    order_id: int
    vehicle_id: int
    plate: str
    text: dict[str, str]
    valid_to: datetime


@dataclass(frozen=True)
class ReceivedOrder:
    """An order as one recipient has it."""

    recipient: OrderRecipient
    order: DispatchOrder


@dataclass(frozen=True)
class RecipientKey:
    """A recipient of an order."""

    order_id: int
    vehicle_id: int


@dataclass(frozen=True)
class ConcernedTruck:
    """Whom an order concerns: a truck, its driver, and the enterprise of its trip."""

    order_id: int
    vehicle_id: int
    driver_id: int | None
    organisation_id: int | None


# Orders


def insert_order(session: Session, values: Mapping[str, object]) -> DispatchOrder:
    """A new order."""
    return session.scalars(insert(DispatchOrder).values(**values).returning(DispatchOrder)).one()


def insert_recipients(session: Session, order_id: int, recipients: Sequence[NewRecipient]) -> None:
    """Who an order goes to."""
    session.execute(
        text(
            """
            INSERT INTO app.order_recipient
                (order_id, vehicle_id, trip_id, driver_id, release_at, compliance, status, tell_at, evidence)
            SELECT :order_id, * FROM unnest(
                CAST(:vehicle_id AS integer[]), CAST(:trip_id AS integer[]), CAST(:driver_id AS integer[]),
                CAST(:release_at AS timestamptz[]), CAST(:compliance AS text[]), CAST(:status AS text[]),
                CAST(:tell_at AS timestamptz[]), CAST(:evidence AS jsonb[]))
            """
        ),
        {
            "order_id": order_id,
            **{
                name: [getattr(recipient, name) for recipient in recipients]
                for name in ("vehicle_id", "trip_id", "driver_id", "release_at", "compliance", "status", "tell_at")
            },
            "evidence": [orjson.dumps(recipient.evidence).decode() for recipient in recipients],
        },
    )


def list_orders(
    session: Session,
    concerns: ColumnElement[bool] | None,
    *,
    standing_only: bool,
    now: datetime,
    before: int | None,
    limit: int,
) -> list[OrderLine]:
    """Orders, newest first, with the name of who issued them.

    `concerns` narrows by recipient: an order is listed if one of its recipients meets it (`None`: every order).
    `standing_only` leaves out those that are over, and recipients to whom an order no longer applies.
    """
    query = (
        select(DispatchOrder, Account.full_name.label("issuer"))
        .join(Account, Account.account_id == DispatchOrder.issued_by)
        .order_by(DispatchOrder.order_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(DispatchOrder.order_id < before)
    if standing_only:
        query = query.where(DispatchOrder.status == OrderStatus.ACTIVE, DispatchOrder.valid_to > now)
    if concerns is not None:
        conditions = [OrderRecipient.order_id == DispatchOrder.order_id, concerns]
        if standing_only:
            conditions.append(OrderRecipient.status.in_(RecipientStatus.current()))
        query = query.where(exists().where(*conditions))
    return [OrderLine(order, issuer) for order, issuer in session.execute(query)]


def find_order(session: Session, order_id: int, concerns: ColumnElement[bool] | None) -> OrderLine | None:
    """One order with the name of who issued it, if a recipient meets `concerns`."""
    query = (
        select(DispatchOrder, Account.full_name.label("issuer"))
        .join(Account, Account.account_id == DispatchOrder.issued_by)
        .where(DispatchOrder.order_id == order_id)
        .execution_options(populate_existing=True)
    )
    if concerns is not None:
        query = query.where(exists().where(OrderRecipient.order_id == DispatchOrder.order_id, concerns))
    row = session.execute(query).one_or_none()
    return None if row is None else OrderLine(*row)


def lock_order(session: Session, order_id: int) -> DispatchOrder | None:
    """An order, locked against other changes until the transaction ends."""
    return session.scalars(
        select(DispatchOrder)
        .where(DispatchOrder.order_id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def recipients_of(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool] | None, sight: ColumnElement[bool]
) -> list[RecipientLine]:
    """Recipients of orders that meet `concerns`, with plate, driver and, where `sight` opens it, where the truck is."""
    query = (
        select(
            OrderRecipient,
            Vehicle.plate,
            Account.full_name.label("driver"),
            RoadRow.road,
            LastPosition.km,
            LastPosition.time.label("position_time"),
        )
        .join(Vehicle, Vehicle.vehicle_id == OrderRecipient.vehicle_id)
        .outerjoin(Account, Account.account_id == OrderRecipient.driver_id)
        .outerjoin(LastPosition, and_(LastPosition.vehicle_id == OrderRecipient.vehicle_id, sight))
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .where(OrderRecipient.order_id.in_(order_ids))
        .order_by(OrderRecipient.order_id, OrderRecipient.release_at, LastPosition.km, OrderRecipient.vehicle_id)
        .execution_options(populate_existing=True)
    )
    if concerns is not None:
        query = query.where(concerns)
    return [RecipientLine(*row) for row in session.execute(query)]


def count_recipients(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool] | None
) -> list[RecipientCount]:
    """How many recipients of each order are in each status and compliance."""
    query = (
        select(
            OrderRecipient.order_id, OrderRecipient.status, OrderRecipient.compliance, func.count().label("recipients")
        )
        .where(OrderRecipient.order_id.in_(order_ids))
        .group_by(OrderRecipient.order_id, OrderRecipient.status, OrderRecipient.compliance)
    )
    if concerns is not None:
        query = query.where(concerns)
    return [RecipientCount(*row) for row in session.execute(query)]


def find_recipient(session: Session, order_id: int, concerns: ColumnElement[bool]) -> ReceivedOrder | None:
    """The recipient of an order that meets `concerns`, with the order; a driver has one truck, so one at most."""
    row = session.execute(
        select(OrderRecipient, DispatchOrder)
        .join(DispatchOrder, DispatchOrder.order_id == OrderRecipient.order_id)
        .where(OrderRecipient.order_id == order_id, concerns)
        .order_by(OrderRecipient.vehicle_id)
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return None if row is None else ReceivedOrder(*row)


def respond(
    session: Session, order_id: int, vehicle_id: int, *, status: str, reason: str | None, now: datetime
) -> bool:
    """Record a driver's answer if the order still stands and the answer is a new one; whether it did.

    Of two answers at once the second waits for the first and then finds nothing left to change.
    """
    query = (
        update(OrderRecipient)
        .where(
            OrderRecipient.order_id == order_id,
            OrderRecipient.vehicle_id == vehicle_id,
            OrderRecipient.status.in_([current for current in RecipientStatus.current() if current != status]),
            exists().where(
                DispatchOrder.order_id == order_id,
                DispatchOrder.status == OrderStatus.ACTIVE,
                DispatchOrder.valid_to > now,
            ),
        )
        .values(
            status=status,
            responded_at=now,
            refusal_reason=reason,
            delivered_at=func.coalesce(OrderRecipient.delivered_at, now),
        )
        .returning(OrderRecipient.vehicle_id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(query).one_or_none() is not None


def undelivered(session: Session, before: datetime) -> list[UndeliveredOrder]:
    """Orders that stand and were sent before a time, with each truck whose driver has not seen them."""
    query = (
        select(
            OrderRecipient.order_id,
            OrderRecipient.vehicle_id,
            Vehicle.plate,
            DispatchOrder.text,
            DispatchOrder.valid_to,
        )
        .join(DispatchOrder, DispatchOrder.order_id == OrderRecipient.order_id)
        .join(Vehicle, Vehicle.vehicle_id == OrderRecipient.vehicle_id)
        .where(
            DispatchOrder.status == OrderStatus.ACTIVE,
            func.coalesce(OrderRecipient.tell_at, DispatchOrder.issued_at) <= before,
            OrderRecipient.status == RecipientStatus.SENT,
        )
        .order_by(OrderRecipient.order_id, OrderRecipient.vehicle_id)
    )
    return [UndeliveredOrder(*row) for row in session.execute(query)]


def mark_delivered(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool], now: datetime
) -> list[RecipientKey]:
    """Note that orders reached their drivers; those for which it is news."""
    rows = session.execute(
        update(OrderRecipient)
        .where(OrderRecipient.order_id.in_(order_ids), OrderRecipient.status == RecipientStatus.SENT, concerns)
        .values(status=RecipientStatus.DELIVERED, delivered_at=now)
        .returning(OrderRecipient.order_id, OrderRecipient.vehicle_id)
        .execution_options(synchronize_session=False)
    )
    return [RecipientKey(*row) for row in rows]


_NAMES: Final[Mapping[str, object]] = {
    "active": OrderStatus.ACTIVE,
    "superseded": OrderStatus.SUPERSEDED,
    "binding": list(RecipientStatus.active()),
    "open": [*RecipientStatus.active(), RecipientStatus.WAITING],
    "not_over": [OrderStatus.PROPOSED, OrderStatus.ACTIVE],
    "pending": Compliance.PENDING,
    "unknown": Compliance.UNKNOWN,
    "notice": OrderKind.NOTICE,
    "of_motion": list(OrderKind.of_motion()),
}
"""What the statements below bind besides their arguments."""


def end_orders(session: Session, order_ids: Sequence[int], status: str, among: Sequence[str], now: datetime) -> None:
    """End orders that are proposed or active, and what recipients in one of the statuses `among` still had to do.

    Every judgement still open is closed as unknown; other recipients keep their answer, or stay untold.
    """
    values = {**_NAMES, "order_ids": list(order_ids), "status": status, "among": list(among), "now": now}
    session.execute(
        text(
            """
            UPDATE app.dispatch_order SET status = :status, ended_at = :now, version = version + 1
            WHERE order_id = ANY(:order_ids) AND status = ANY(:not_over)
            """
        ),
        values,
    )
    session.execute(
        text(
            """
            UPDATE app.order_recipient
            SET status = CASE WHEN status = ANY(:among) THEN :status ELSE status END,
                compliance = CASE compliance WHEN :pending THEN :unknown ELSE compliance END
            WHERE order_id = ANY(:order_ids) AND (status = ANY(:among) OR compliance = :pending)
            """
        ),
        values,
    )


def concerned_by(session: Session, order_ids: Sequence[int]) -> list[ConcernedTruck]:
    """Whom orders concern, by those of their recipients who were told of them."""
    rows = session.execute(
        select(
            OrderRecipient.order_id,
            OrderRecipient.vehicle_id,
            OrderRecipient.driver_id,
            func.coalesce(Trip.organisation_id, holder_of(Vehicle.vehicle_id)).label("organisation_id"),
        )
        .join(Vehicle, Vehicle.vehicle_id == OrderRecipient.vehicle_id)
        .outerjoin(Trip, Trip.trip_id == OrderRecipient.trip_id)
        .where(OrderRecipient.order_id.in_(order_ids), OrderRecipient.status != RecipientStatus.WAITING)
    )
    return [ConcernedTruck(*row) for row in rows]


def supersede(session: Session, now: datetime) -> list[RecipientKey]:
    """Let each truck's newest order that has begun replace older ones that it contradicts.

    Hold, proceed and stop say how to move; divert and yard say where to. An order replaces those of its own group.
    Returns what was replaced.
    """
    rows = session.execute(
        text(
            """
            WITH standing AS (
                SELECT r.order_id, r.vehicle_id, coalesce(r.release_at, o.valid_from) <= :now AS has_begun,
                       CASE WHEN o.kind = ANY(:of_motion) THEN 'how' ELSE 'where' END AS says
                FROM app.dispatch_order o JOIN app.order_recipient r USING (order_id)
                WHERE o.status = :active AND o.kind <> :notice AND o.valid_to > :now
                  AND r.status = ANY(:binding)
            ), newest AS (
                SELECT order_id, vehicle_id,
                       max(order_id) FILTER (WHERE has_begun) OVER (PARTITION BY vehicle_id, says) AS superseded_by
                FROM standing
            ), replaced AS (
                SELECT order_id, vehicle_id, superseded_by FROM newest WHERE superseded_by > order_id
            )
            UPDATE app.order_recipient r
            SET status = :superseded, superseded_by = replaced.superseded_by,
                compliance = CASE r.compliance WHEN :pending THEN :unknown ELSE r.compliance END
            FROM replaced
            WHERE r.order_id = replaced.order_id AND r.vehicle_id = replaced.vehicle_id
              AND r.status = ANY(:binding)
            RETURNING r.order_id, r.vehicle_id
            """
        ),
        {**_NAMES, "now": now},
    )
    return [RecipientKey(*row) for row in rows]


def end_superseded(session: Session, order_ids: Sequence[int], now: datetime) -> Sequence[int]:
    """End those active orders that bind nobody any more; their ids."""
    return session.scalars(
        text(
            """
            UPDATE app.dispatch_order o SET status = :superseded, ended_at = :now, version = version + 1
            WHERE o.order_id = ANY(:order_ids) AND o.status = :active AND NOT EXISTS (
                SELECT FROM app.order_recipient r
                WHERE r.order_id = o.order_id AND r.status = ANY(:open))
            RETURNING o.order_id
            """
        ),
        {**_NAMES, "order_ids": list(order_ids), "now": now},
    ).all()


def due_orders(session: Session, now: datetime) -> Sequence[int]:
    """Active orders whose time is over, locked; rows another process works on are skipped."""
    return session.scalars(
        select(DispatchOrder.order_id)
        .where(DispatchOrder.status == OrderStatus.ACTIVE, DispatchOrder.valid_to <= now)
        .order_by(DispatchOrder.order_id)
        .with_for_update(skip_locked=True)
    ).all()
