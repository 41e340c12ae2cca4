"""Queries on orders and advice. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import ColumnElement, Row, and_, exists, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.dispatch.selection import Selection
from app.dispatch.tables import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import Compliance, OrderKind, OrderStatus, RecipientStatus
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.tables import RoadRow
from ingest.tables import Device, LastPosition, Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

# Which trucks


def select_vehicles(session: Session, wanted: Selection, now: datetime) -> Sequence[AnyRow]:
    """Trucks that meet all criteria of a selection, with their open trip, place and driver; its limit not applied."""
    driver_id = func.coalesce(
        Trip.driver_id,
        select(func.max(Account.account_id))
        .where(Account.vehicle_id == Vehicle.vehicle_id, Account.role == "driver", Account.disabled_at.is_(None))
        .scalar_subquery(),
    )
    query = (
        select(
            Vehicle.vehicle_id,
            Vehicle.plate,
            func.coalesce(Trip.organisation_id, Vehicle.organisation_id).label("organisation_id"),
            Trip.trip_id,
            Trip.gate_id,
            Trip.goods_class,
            Trip.regime,
            Trip.perishable,
            Trip.stage,
            driver_id.label("driver_id"),
            exists().where(Device.vehicle_id == Vehicle.vehicle_id, Device.revoked_at.is_(None)).label("has_device"),
            RoadRow.road,
            LastPosition.km,
            LastPosition.direction,
            LastPosition.speed_mps,
            LastPosition.time,
            LastPosition.site_id,
            func.ST_X(LastPosition.geom).label("lon"),
            func.ST_Y(LastPosition.geom).label("lat"),
        )
        .outerjoin(LastPosition, LastPosition.vehicle_id == Vehicle.vehicle_id)
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .outerjoin(Trip, and_(Trip.vehicle_id == Vehicle.vehicle_id, Trip.stage.in_(Stage.open())))
        .where(Vehicle.kind == "truck", *_criteria(wanted, now))
        .order_by(Vehicle.vehicle_id)
    )
    return session.execute(query).all()


def _criteria(wanted: Selection, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.vehicle_ids is not None:
        found.append(Vehicle.vehicle_id.in_(wanted.vehicle_ids))
    else:
        found.append(LastPosition.time >= now - wanted.seen_within)
    if wanted.stretch is not None:
        found.append(RoadRow.road == wanted.stretch.road)
        found.append(LastPosition.km.between(wanted.stretch.km_from, wanted.stretch.km_to))
        if wanted.stretch.direction:
            found.append(LastPosition.direction == wanted.stretch.direction)
    if wanted.area is not None:
        polygon = func.ST_SetSRID(func.ST_GeomFromGeoJSON(orjson.dumps(wanted.area).decode()), 4326)
        found.append(func.ST_Intersects(LastPosition.geom, polygon))
    if wanted.site_id is not None:
        found.append(LastPosition.site_id == wanted.site_id)
    if wanted.gate_id is not None:
        found.append(Trip.gate_id == wanted.gate_id)
    if wanted.goods_classes:
        found.append(Trip.goods_class.in_(wanted.goods_classes))
    if wanted.perishable is not None:
        found.append(Trip.perishable.is_(wanted.perishable))
    if wanted.regimes:
        found.append(Trip.regime.in_(wanted.regimes))
    if wanted.stages:
        found.append(Trip.stage.in_(wanted.stages))
    return found


# Orders


def insert_order(session: Session, values: Mapping[str, Any]) -> DispatchOrder:
    """A new order."""
    return session.scalars(insert(DispatchOrder).values(**values).returning(DispatchOrder)).one()


def insert_recipients(session: Session, order_id: int, recipients: Sequence[Mapping[str, Any]]) -> None:
    """Who an order goes to: `vehicle_id trip_id driver_id release_at compliance evidence`."""
    session.execute(
        text(
            """
            INSERT INTO app.order_recipient
                (order_id, vehicle_id, trip_id, driver_id, release_at, compliance, evidence)
            SELECT :order_id, * FROM unnest(
                CAST(:vehicle_id AS integer[]), CAST(:trip_id AS integer[]), CAST(:driver_id AS integer[]),
                CAST(:release_at AS timestamptz[]), CAST(:compliance AS text[]), CAST(:evidence AS jsonb[]))
            """
        ),
        {
            "order_id": order_id,
            **{
                name: [recipient[name] for recipient in recipients]
                for name in ("vehicle_id", "trip_id", "driver_id", "release_at", "compliance")
            },
            "evidence": [orjson.dumps(recipient["evidence"]).decode() for recipient in recipients],
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
) -> Sequence[AnyRow]:
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
    return session.execute(query).all()


def find_order(session: Session, order_id: int, concerns: ColumnElement[bool] | None) -> AnyRow | None:
    """One order with the name of who issued it, if a recipient meets `concerns`."""
    query = (
        select(DispatchOrder, Account.full_name.label("issuer"))
        .join(Account, Account.account_id == DispatchOrder.issued_by)
        .where(DispatchOrder.order_id == order_id)
        .execution_options(populate_existing=True)
    )
    if concerns is not None:
        query = query.where(exists().where(OrderRecipient.order_id == DispatchOrder.order_id, concerns))
    return session.execute(query).one_or_none()


def lock_order(session: Session, order_id: int) -> DispatchOrder | None:
    """An order, locked against other changes until the transaction ends."""
    return session.scalars(
        select(DispatchOrder)
        .where(DispatchOrder.order_id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def recipients_of(session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool] | None) -> Sequence[AnyRow]:
    """Recipients of orders that meet `concerns`, with plate, driver and where the truck is now."""
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
        .outerjoin(LastPosition, LastPosition.vehicle_id == OrderRecipient.vehicle_id)
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .where(OrderRecipient.order_id.in_(order_ids))
        .order_by(OrderRecipient.order_id, OrderRecipient.release_at, LastPosition.km, OrderRecipient.vehicle_id)
        .execution_options(populate_existing=True)
    )
    if concerns is not None:
        query = query.where(concerns)
    return session.execute(query).all()


def count_recipients(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool] | None
) -> Sequence[AnyRow]:
    """How many recipients of each order are in each status and compliance: `order_id status compliance recipients`."""
    query = (
        select(
            OrderRecipient.order_id, OrderRecipient.status, OrderRecipient.compliance, func.count().label("recipients")
        )
        .where(OrderRecipient.order_id.in_(order_ids))
        .group_by(OrderRecipient.order_id, OrderRecipient.status, OrderRecipient.compliance)
    )
    if concerns is not None:
        query = query.where(concerns)
    return session.execute(query).all()


def find_recipient(session: Session, order_id: int, concerns: ColumnElement[bool]) -> AnyRow | None:
    """The recipient of an order that meets `concerns`, with the order; a driver has one truck, so one at most."""
    return session.execute(
        select(OrderRecipient, DispatchOrder)
        .join(DispatchOrder, DispatchOrder.order_id == OrderRecipient.order_id)
        .where(OrderRecipient.order_id == order_id, concerns)
        .order_by(OrderRecipient.vehicle_id)
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()


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
            OrderRecipient.status.in_([one for one in RecipientStatus.current() if one != status]),
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


def mark_delivered(
    session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool], now: datetime
) -> Sequence[AnyRow]:
    """Note that orders reached their drivers; those for which it is news: `order_id vehicle_id`."""
    return session.execute(
        update(OrderRecipient)
        .where(OrderRecipient.order_id.in_(order_ids), OrderRecipient.status == RecipientStatus.SENT, concerns)
        .values(status=RecipientStatus.DELIVERED, delivered_at=now)
        .returning(OrderRecipient.order_id, OrderRecipient.vehicle_id)
        .execution_options(synchronize_session=False)
    ).all()


_NAMES: Final[Mapping[str, Any]] = {
    "active": OrderStatus.ACTIVE,
    "superseded": OrderStatus.SUPERSEDED,
    "binding": list(RecipientStatus.active()),
    "current": list(RecipientStatus.current()),
    "pending": Compliance.PENDING,
    "unknown": Compliance.UNKNOWN,
    "complied": Compliance.COMPLIED,
    "hold": OrderKind.HOLD,
    "yard": OrderKind.YARD,
    "notice": OrderKind.NOTICE,
    "of_motion": list(OrderKind.of_motion()),
}
"""What the statements below bind besides their arguments."""


def end_orders(session: Session, order_ids: Sequence[int], status: str, among: Sequence[str], now: datetime) -> None:
    """End active orders, and with them what recipients in one of the statuses `among` still had to do.

    Every judgement still open is closed as unknown; other recipients keep their answer.
    """
    values = {**_NAMES, "order_ids": list(order_ids), "status": status, "among": list(among), "now": now}
    session.execute(
        text(
            """
            UPDATE app.dispatch_order SET status = :status, ended_at = :now, version = version + 1
            WHERE order_id = ANY(:order_ids) AND status = :active
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


def concerned_by(session: Session, order_ids: Sequence[int]) -> Sequence[AnyRow]:
    """Whom orders concern: `order_id vehicle_id driver_id organisation_id` of each recipient."""
    return session.execute(
        select(
            OrderRecipient.order_id,
            OrderRecipient.vehicle_id,
            OrderRecipient.driver_id,
            func.coalesce(Trip.organisation_id, Vehicle.organisation_id).label("organisation_id"),
        )
        .join(Vehicle, Vehicle.vehicle_id == OrderRecipient.vehicle_id)
        .outerjoin(Trip, Trip.trip_id == OrderRecipient.trip_id)
        .where(OrderRecipient.order_id.in_(order_ids))
    ).all()


def supersede(session: Session, now: datetime) -> Sequence[AnyRow]:
    """Let each truck's newest order that has begun replace older ones that it contradicts.

    Hold, proceed and stop say how to move; divert and yard say where to. An order replaces those of its own group.
    Returns `order_id vehicle_id superseded_by` of what was replaced.
    """
    return session.execute(
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
            RETURNING r.order_id, r.vehicle_id, r.superseded_by
            """
        ),
        {**_NAMES, "now": now},
    ).all()


def end_superseded(session: Session, order_ids: Sequence[int], now: datetime) -> Sequence[int]:
    """End those active orders that bind nobody any more; their ids."""
    return session.scalars(
        text(
            """
            UPDATE app.dispatch_order o SET status = :superseded, ended_at = :now, version = version + 1
            WHERE o.order_id = ANY(:order_ids) AND o.status = :active AND NOT EXISTS (
                SELECT FROM app.order_recipient r
                WHERE r.order_id = o.order_id AND r.status = ANY(:binding))
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


# Compliance


def to_judge(session: Session, now: datetime) -> Sequence[AnyRow]:
    """Recipients whose compliance is open, with their order and the truck's last position.

    A hold that is kept stays open until its end, because the truck may still drive off.
    """
    return session.execute(
        text(
            """
            SELECT r.order_id, r.vehicle_id, r.status, r.compliance, r.responded_at, r.evidence,
                   coalesce(r.release_at, o.valid_from) AS starts_at, o.kind, o.parameters, o.valid_to,
                   p.time, g.road, p.km, p.direction, p.speed_mps, p.site_id,
                   CASE WHEN o.kind = :yard THEN (
                       SELECT min(e.time) FROM ingest.site_event e
                       WHERE e.vehicle_id = r.vehicle_id AND e.site_id = o.parameters ->> 'yard_id'
                         AND e.kind = 'enter' AND e.time >= o.issued_at) END AS entered_at
            FROM app.dispatch_order o JOIN app.order_recipient r USING (order_id)
            LEFT JOIN ingest.last_position p ON p.vehicle_id = r.vehicle_id
            LEFT JOIN geo.road g ON g.road_id = p.road_id
            WHERE o.status = :active AND o.kind <> :notice AND coalesce(r.release_at, o.valid_from) <= :now
              AND (r.compliance = :pending OR (o.kind = :hold AND r.compliance = :complied))
              AND r.status = ANY(:current)
            """
        ),
        {**_NAMES, "now": now},
    ).all()


def record_judgements(session: Session, judged: Sequence[Mapping[str, Any]]) -> None:
    """Write verdicts: `order_id vehicle_id compliance judged_at evidence`."""
    if not judged:
        return
    session.execute(
        text(
            """
            UPDATE app.order_recipient r
            SET compliance = v.compliance, judged_at = v.judged_at, evidence = v.evidence
            FROM unnest(CAST(:order_id AS integer[]), CAST(:vehicle_id AS integer[]), CAST(:compliance AS text[]),
                        CAST(:judged_at AS timestamptz[]), CAST(:evidence AS jsonb[]))
                 AS v (order_id, vehicle_id, compliance, judged_at, evidence)
            WHERE r.order_id = v.order_id AND r.vehicle_id = v.vehicle_id
            """
        ),
        {
            **{name: [one[name] for one in judged] for name in ("order_id", "vehicle_id", "compliance", "judged_at")},
            "evidence": [orjson.dumps(one["evidence"]).decode() for one in judged],
        },
    )
