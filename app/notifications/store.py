"""Queries on notifications, webhooks and the public view of a trip. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, any_, exists, false, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account
from app.notifications.tables import DeliveryRow, EventFeed, NotificationRow, WebhookRow
from app.notifications.texts import SETTLED_BY
from app.notifications.vocabulary import DeliveryStatus
from app.platform.encryption import EncryptedText
from app.platform.json import JsonObject
from app.platform.outbox import OutboxRow
from app.trips.service import Trip
from geo.database import values_of
from ingest.tables import Vehicle


@dataclass(frozen=True)
class Follower:
    """An account of an enterprise or a driver that audiences may mean."""

    account_id: int
    role: str
    organisation_id: int | None
    vehicle_id: int | None


@dataclass(frozen=True)
class TripName:
    """What a message calls a trip."""

    trip_id: int
    code: str
    plate: str
    gate_id: str
    direction: str
    stage: str


@dataclass(frozen=True)
class NewNotification:
    """What an account is to be told; `subject` tells it from others to the same account."""

    account_id: int
    subject: str
    at: datetime
    kind: str
    trip_id: int | None
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class FeedLine:
    """What an account was told, with code, plate and gate of its trip if it is about one; `is_settled`: it asks for
    nothing any more."""

    notification: NotificationRow
    code: str | None
    plate: str | None
    gate_id: str | None
    is_settled: bool


@dataclass(frozen=True)
class NewDelivery:
    """A message to send; `subject` tells it from others to the same webhook."""

    webhook_id: int
    subject: str
    type: str
    body: str
    created_at: datetime
    next_try_at: datetime


@dataclass(frozen=True)
class ClaimedDelivery:
    """A message that is due, and where it goes; `tries` counts the present one."""

    delivery_id: int
    webhook_id: int
    body: str
    tries: int
    url: str
    salt: bytes


@dataclass(frozen=True)
class Outcome:
    """How a try went, and what follows: `next_try_at` while it is to be tried again."""

    status: DeliveryStatus
    tried_at: datetime
    answer_status: int | None
    answer: str
    took_ms: int
    next_try_at: datetime | None = None


# The outbox, read in order


def lock_feed(session: Session, name: str) -> int:
    """How far a reader of the outbox has come; no other reader of that name goes on until the transaction ends."""
    query = select(EventFeed).where(EventFeed.name == name).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        session.execute(insert(EventFeed).values(name=name, position=0).on_conflict_do_nothing())
        return 0
    return row.position


def move_feed(session: Session, name: str, position: int) -> None:
    """Note how far a reader of the outbox has come."""
    session.execute(update(EventFeed).where(EventFeed.name == name).values(position=position))


def newest_event(session: Session) -> int:
    """The number of the newest event; 0 if there is none."""
    return session.scalar(select(func.max(OutboxRow.event_id))) or 0


def events_between(session: Session, after: int, until: int, types: Collection[str]) -> Sequence[OutboxRow]:
    """Events of some types with numbers in (after, until], oldest first."""
    query = select(OutboxRow).where(OutboxRow.event_id > after, OutboxRow.event_id <= until, OutboxRow.type.in_(types))
    return session.scalars(query.order_by(OutboxRow.event_id)).all()


def accounts_of(
    session: Session,
    *,
    organisations: Collection[int],
    vehicles: Collection[int],
    accounts: Collection[int],
    roles: Collection[str] = (),
) -> list[Follower]:
    """Accounts of enterprises and drivers that audiences may mean, and all of `roles`."""
    rows = session.execute(
        select(Account.account_id, Account.role, Account.organisation_id, Account.vehicle_id).where(
            Account.disabled_at.is_(None),
            or_(
                and_(Account.role == "enterprise", Account.organisation_id.in_(organisations)),
                and_(Account.role == "driver", Account.vehicle_id.in_(vehicles)),
                and_(Account.role.in_(("enterprise", "driver")), Account.account_id.in_(accounts)),
                Account.role.in_(roles),
            ),
        )
    )
    return [Follower(*row) for row in rows]


def trip_names(session: Session, trip_ids: Collection[int]) -> dict[int, TripName]:
    """What a message calls trips, by id."""
    query = (
        select(Trip.trip_id, Trip.code, Vehicle.plate, Trip.gate_id, Trip.direction, Trip.stage)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Trip.trip_id.in_(trip_ids))
    )
    return {row.trip_id: TripName(*row) for row in session.execute(query)} if trip_ids else {}


# Notifications


def insert_notifications(session: Session, rows: Sequence[NewNotification]) -> set[int]:
    """Tell accounts what they have not been told yet; the accounts that got something new."""
    if not rows:
        return set()
    query = insert(NotificationRow).on_conflict_do_nothing().returning(NotificationRow.account_id)
    return set(session.scalars(query, [values_of(row) for row in rows]))


def list_notifications(session: Session, account_id: int, *, before: int | None, limit: int) -> list[FeedLine]:
    """What an account was told, by when it happened, the newest first; `before`: what follows that one."""
    query = (
        select(NotificationRow, Trip.code, Vehicle.plate, Trip.gate_id, _is_settled())
        .outerjoin(Trip, Trip.trip_id == NotificationRow.trip_id)
        .outerjoin(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(NotificationRow.account_id == account_id)
        .order_by(NotificationRow.at.desc(), NotificationRow.notification_id.desc())
        .limit(limit)
    )
    if before is not None:  # what is told late stands where it belongs
        last = select(NotificationRow.at).where(NotificationRow.notification_id == before).scalar_subquery()
        query = query.where(tuple_(NotificationRow.at, NotificationRow.notification_id) < tuple_(last, before))
    return [FeedLine(*row) for row in session.execute(query.execution_options(populate_existing=True))]


def _is_settled() -> ColumnElement[bool]:
    """Whether what a notification asks for is done, or holds no more, as a later one to the same account says."""
    later = aliased(NotificationRow)
    follows = tuple_(later.at, later.notification_id) > tuple_(NotificationRow.at, NotificationRow.notification_id)
    same = and_(
        later.account_id == NotificationRow.account_id,
        later.trip_id.is_not_distinct_from(NotificationRow.trip_id),
        follows,
    )
    ends = [
        and_(
            NotificationRow.kind == kind,
            later.kind.in_(settling),
            later.data[name].is_not_distinct_from(NotificationRow.data[name]),
        )
        for kind, (settling, name) in SETTLED_BY.items()
    ]
    return exists().where(same, or_(*ends))


def count_unread(session: Session, account_id: int, *, limit: int) -> int:
    """How many notifications an account has not read, counted up to `limit`."""
    unread = (
        select(NotificationRow.notification_id)
        .where(NotificationRow.account_id == account_id, NotificationRow.read_at.is_(None))
        .limit(limit)
    )
    return session.scalar(select(func.count()).select_from(unread.subquery())) or 0


def mark_read(session: Session, account_id: int, *, until: int, now: datetime) -> int:
    """Mark an account's notifications up to a number as read; how many were not."""
    query = (
        update(NotificationRow)
        .where(
            NotificationRow.account_id == account_id,
            NotificationRow.read_at.is_(None),
            NotificationRow.notification_id <= until,
        )
        .values(read_at=now)
        .returning(NotificationRow.notification_id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(query).all())


def prune(session: Session, before: datetime) -> None:
    """Forget notifications and deliveries older than a time."""
    session.execute(text("DELETE FROM app.notification WHERE at < :before"), {"before": before})
    session.execute(
        text("DELETE FROM app.webhook_delivery WHERE created_at < :before AND status <> :waiting"),
        {"before": before, "waiting": DeliveryStatus.WAITING},
    )


# Webhooks


def insert_webhook(session: Session, row: WebhookRow) -> WebhookRow:
    """A new webhook, with its number."""
    session.add(row)
    session.flush()
    return row


def webhooks_of(
    session: Session, organisation_ids: Collection[int], types: Collection[str] = ()
) -> Sequence[WebhookRow]:
    """The webhooks in use of some organisations, and those of any that ask for one of `types`."""
    if not organisation_ids and not types:
        return ()
    asks = or_(false(), *(literal(name) == any_(WebhookRow.events) for name in types))
    query = select(WebhookRow).where(
        or_(WebhookRow.organisation_id.in_(organisation_ids), asks), WebhookRow.removed_at.is_(None)
    )
    return session.scalars(query.order_by(WebhookRow.webhook_id)).all()


def find_webhook(session: Session, organisation_id: int, webhook_id: int) -> WebhookRow | None:
    """A webhook in use of an organisation."""
    query = select(WebhookRow).where(
        WebhookRow.webhook_id == webhook_id,
        WebhookRow.organisation_id == organisation_id,
        WebhookRow.removed_at.is_(None),
    )
    return session.scalars(query).one_or_none()


def insert_deliveries(session: Session, rows: Sequence[NewDelivery]) -> None:
    """Messages to send, unless they are on the list already."""
    if rows:
        session.execute(insert(DeliveryRow).on_conflict_do_nothing(), [values_of(row) for row in rows])


def list_deliveries(session: Session, webhook_id: int, *, before: int | None, limit: int) -> Sequence[DeliveryRow]:
    """What was sent to a webhook or is to be sent, newest first."""
    query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook_id)
    if before is not None:
        query = query.where(DeliveryRow.delivery_id < before)
    return session.scalars(
        query.order_by(DeliveryRow.delivery_id.desc()).limit(limit).execution_options(populate_existing=True)
    ).all()


def retry_delivery(session: Session, webhook_id: int, delivery_id: int, now: datetime) -> bool:
    """Put a message that was given up on the list again; whether there was one."""
    query = (
        update(DeliveryRow)
        .where(
            DeliveryRow.delivery_id == delivery_id, DeliveryRow.webhook_id == webhook_id, DeliveryRow.status == "dead"
        )
        .values(status=DeliveryStatus.WAITING, tries=0, next_try_at=now)
        .returning(DeliveryRow.delivery_id)
    )
    return session.scalars(query).one_or_none() is not None


def drop_waiting(session: Session, webhook_id: int) -> None:
    """Give up what still waits for a webhook that is removed."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.webhook_id == webhook_id, DeliveryRow.status == DeliveryStatus.WAITING)
        .values(status=DeliveryStatus.DEAD, answer="The webhook was removed.")
        .execution_options(synchronize_session=False)
    )


def claim_deliveries(
    session: Session, now: datetime, *, until: datetime, limit: int, each: int
) -> list[ClaimedDelivery]:
    """Take messages that are due, at most `each` a webhook; nobody else gets them before `until`.

    A process that dies while it sends leaves them on the list: they come again then.
    """
    rows = session.execute(
        text(
            """
            WITH due AS (
                SELECT d.delivery_id, row_number() OVER (PARTITION BY d.webhook_id ORDER BY d.next_try_at) AS place
                FROM (SELECT delivery_id, webhook_id, next_try_at FROM app.webhook_delivery
                      WHERE status = :waiting AND next_try_at <= :now ORDER BY next_try_at LIMIT 2000) d
            ), taken AS (
                SELECT w.delivery_id FROM app.webhook_delivery w JOIN due USING (delivery_id)
                WHERE due.place <= :each AND w.status = :waiting AND w.next_try_at <= :now
                ORDER BY w.next_try_at LIMIT :limit FOR UPDATE OF w SKIP LOCKED
            )
            UPDATE app.webhook_delivery d SET tries = d.tries + 1, next_try_at = :until
            FROM taken, app.webhook h
            WHERE d.delivery_id = taken.delivery_id AND h.webhook_id = d.webhook_id
            RETURNING d.delivery_id, d.webhook_id, d.body, d.tries, h.url, h.salt
            """
        ).columns(url=EncryptedText),
        {"now": now, "until": until, "limit": limit, "each": each, "waiting": DeliveryStatus.WAITING},
    )
    return [ClaimedDelivery(*row) for row in rows]


def settle_delivery(session: Session, delivery_id: int, outcome: Outcome) -> None:
    """Note how a try went."""
    values = {name: value for name, value in asdict(outcome).items() if name != "next_try_at" or value is not None}
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.delivery_id == delivery_id, DeliveryRow.status == DeliveryStatus.WAITING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
