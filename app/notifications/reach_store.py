"""Queries on reaching drivers whose page is closed. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import Session

from app.dispatch.vocabulary import OrderStatus, RecipientStatus
from app.notifications.reach_tables import PushKey, PushSubscription, ReachMessage
from app.notifications.texts import PUSHED
from app.notifications.vocabulary import MessageStatus, ReachChannel, ReachKind
from app.platform.json import JsonObject
from app.platform.permissions import Role
from geo.database import records

# Keys and subscriptions


def find_key(session: Session) -> str | None:
    """The platform's key pair as PEM, if it was made."""
    return session.scalars(select(PushKey.private_key)).one_or_none()


def insert_key(session: Session, pem: str, now: datetime) -> None:
    """Keep the platform's key pair unless another process was faster."""
    session.execute(
        insert_or(PushKey)
        .values(key_id=1, private_key=pem, made_at=now)
        .on_conflict_do_nothing(index_elements=["key_id"])
    )


def save_subscription(session: Session, row: PushSubscription) -> int:
    """Keep a browser's subscription: of one known by its address, whose it is now, and its keys; its id."""
    values = {
        name: getattr(row, name)
        for name in ("account_id", "endpoint", "endpoint_hash", "public_key", "secret", "language", "created_at")
    }
    changed = {name: value for name, value in values.items() if name not in ("endpoint_hash", "created_at")}
    statement = insert_or(PushSubscription).values(**values)
    return session.scalars(
        statement.on_conflict_do_update(index_elements=["endpoint_hash"], set_=changed).returning(
            PushSubscription.subscription_id
        )
    ).one()


def delete_subscription(session: Session, subscription_id: int, account_id: int | None = None) -> bool:
    """Forget a subscription (of an account, where one is given); whether there was one."""
    query = delete(PushSubscription).where(PushSubscription.subscription_id == subscription_id)
    if account_id is not None:
        query = query.where(PushSubscription.account_id == account_id)
    return session.scalar(query.returning(PushSubscription.subscription_id)) is not None


def drop_oldest(session: Session, account_id: int, *, keep: int) -> None:
    """Forget all but the newest subscriptions of an account."""
    kept = (
        select(PushSubscription.subscription_id)
        .where(PushSubscription.account_id == account_id)
        .order_by(PushSubscription.subscription_id.desc())
        .limit(keep)
    )
    session.execute(
        delete(PushSubscription).where(
            PushSubscription.account_id == account_id, PushSubscription.subscription_id.not_in(kept)
        )
    )


# Messages

_UNREAD: Final = """
    SELECT r.order_id, NULL::bigint AS notification_id, r.vehicle_id, r.driver_id, :order AS kind,
        coalesce(r.tell_at, o.issued_at) AS since
    FROM app.order_recipient r JOIN app.dispatch_order o USING (order_id)
    WHERE o.status = :active AND r.status = :sent AND o.valid_to > :now
    UNION ALL
    SELECT r.order_id, NULL, r.vehicle_id, r.driver_id, :recall, o.ended_at
    FROM app.order_recipient r JOIN app.dispatch_order o USING (order_id)
    WHERE o.status = :cancelled AND r.status = :taken_back AND o.ended_at >= :recalled_since
        AND r.recall_read_at IS NULL
        AND (r.delivered_at IS NOT NULL OR r.messaged_at IS NOT NULL)
    UNION ALL
    SELECT NULL, n.notification_id, t.vehicle_id, n.account_id, :booking, n.at
    FROM app.notification n
    JOIN app.account a ON a.account_id = n.account_id AND a.role = :driver
    JOIN app.trip t ON t.trip_id = n.trip_id
    WHERE n.kind = ANY(:pushed) AND n.at >= :recalled_since AND n.read_at IS NULL
"""
"""Drivers who have not seen an order, that it was taken back, or what became of their booking."""
_UNTOLD: Final = """
    SELECT NULL::bigint AS order_id, min(n.notification_id) AS notification_id, t.vehicle_id, NULL::bigint AS driver_id,
        :booking AS kind, '-infinity'::timestamptz AS since
    FROM app.notification n
    JOIN app.account a ON a.account_id = n.account_id
    JOIN app.trip t ON t.trip_id = n.trip_id
    WHERE n.kind = ANY(:pushed) AND n.at >= :recalled_since
    GROUP BY n.trip_id, n.subject, t.vehicle_id
    HAVING NOT bool_or(a.role = :driver)
"""
"""Trucks whose booking changed and whose driver has no account that was told: nobody can look, a text goes at once."""
_NEWS_BY_TEXT: Final = f"{_UNREAD} UNION ALL {_UNTOLD}"


def add_pushes(session: Session, now: datetime, *, recalled_since: datetime) -> int:
    """Put down a push message to each browser of each driver who has not seen what is to be told; how many."""
    return _add(
        session,
        f"""
        INSERT INTO app.reach_message
            (order_id, notification_id, vehicle_id, kind, channel, subscription_id, made_at, next_try_at)
        SELECT u.order_id, u.notification_id, u.vehicle_id, u.kind, :push, s.subscription_id, :now, :now
        FROM ({_UNREAD}) u
        JOIN app.account a ON a.account_id = u.driver_id OR (u.driver_id IS NULL AND a.vehicle_id = u.vehicle_id)
        JOIN app.push_subscription s ON s.account_id = a.account_id
        WHERE a.disabled_at IS NULL
        ON CONFLICT DO NOTHING
        """,  # noqa: S608 - constants of this module
        now,
        recalled_since=recalled_since,
    )


def add_texts(session: Session, now: datetime, *, unread_since: datetime, recalled_since: datetime) -> int:
    """Put down a text message for each truck whose driver has not seen it since a time; how many."""
    return _add(
        session,
        f"""
        INSERT INTO app.reach_message (order_id, notification_id, vehicle_id, kind, channel, made_at, next_try_at)
        SELECT u.order_id, u.notification_id, u.vehicle_id, u.kind, :text, :now, :now
        FROM ({_NEWS_BY_TEXT}) u WHERE u.since <= :unread_since
        ON CONFLICT DO NOTHING
        """,  # noqa: S608 - constants of this module
        now,
        recalled_since=recalled_since,
        unread_since=unread_since,
    )


def end_needless_texts(session: Session, now: datetime, *, recalled_since: datetime, error: str) -> list[int]:
    """Note of text messages that did not leave yet that nobody needs them any more; which."""
    statement = f"""
        UPDATE app.reach_message m SET status = :failed, error = :error
        WHERE m.status = :waiting AND m.channel = :text AND NOT EXISTS (
            SELECT FROM ({_NEWS_BY_TEXT}) u
            WHERE u.order_id IS NOT DISTINCT FROM m.order_id AND u.vehicle_id = m.vehicle_id
                AND u.notification_id IS NOT DISTINCT FROM m.notification_id AND u.kind = m.kind)
        RETURNING m.message_id
        """  # noqa: S608 - constants of this module
    values = {**_values(now, recalled_since=recalled_since), "error": error}
    return [row.message_id for row in session.execute(text(statement), values)]


def _add(session: Session, statement: str, now: datetime, **values: datetime) -> int:
    return len(session.execute(text(f"{statement} RETURNING 1"), _values(now, **values)).all())


def _values(now: datetime, **values: datetime) -> dict[str, object]:
    return {
        "now": now,
        "order": ReachKind.ORDER,
        "recall": ReachKind.RECALL,
        "booking": ReachKind.BOOKING,
        "driver": Role.DRIVER,
        "pushed": sorted(PUSHED),
        "push": ReachChannel.PUSH,
        "text": ReachChannel.TEXT,
        "active": OrderStatus.ACTIVE,
        "cancelled": OrderStatus.CANCELLED,
        "sent": RecipientStatus.SENT,
        "taken_back": RecipientStatus.CANCELLED,
        "waiting": MessageStatus.WAITING,
        "failed": MessageStatus.FAILED,
        **values,
    }


@dataclass(frozen=True)
class DueMessage:
    """A message to be sent: of what, to which truck, and what it says.

    An order has its own text by language, and is told as long as it is valid; of a notification there is what it is
    made of, `news` and `data`.
    """

    message_id: int
    order_id: int | None
    vehicle_id: int
    driver_id: int | None
    organisation_id: int | None
    trip_id: int | None
    kind: str
    channel: str
    subscription_id: int
    tries: int
    text: dict[str, str] | None
    valid_to: datetime | None
    news: str | None
    data: JsonObject | None


def claim_due(
    session: Session, channel: ReachChannel, now: datetime, *, until: datetime, limit: int
) -> list[DueMessage]:
    """Messages to be sent now by a channel, nobody else's until a time; their number of tries counts this."""
    rows = session.execute(
        text(
            """
            WITH due AS (
                SELECT message_id FROM app.reach_message
                WHERE status = :waiting AND channel = :channel AND next_try_at <= :now
                ORDER BY next_try_at, message_id LIMIT :limit FOR UPDATE SKIP LOCKED
            ), claimed AS (
                UPDATE app.reach_message m SET tries = tries + 1, next_try_at = :until
                FROM due WHERE m.message_id = due.message_id RETURNING m.*
            )
            SELECT c.message_id, c.order_id, c.vehicle_id,
                   coalesce(d.account_id, r.driver_id, (SELECT min(account_id) FROM app.account a
                       WHERE a.vehicle_id = c.vehicle_id AND a.disabled_at IS NULL)) AS driver_id,
                   t.organisation_id, t.trip_id, c.kind, c.channel,
                   c.subscription_id, c.tries, o.text, o.valid_to, n.kind AS news, n.data
            FROM claimed c LEFT JOIN app.dispatch_order o USING (order_id)
            LEFT JOIN app.order_recipient r ON r.order_id = c.order_id AND r.vehicle_id = c.vehicle_id
            LEFT JOIN app.notification n USING (notification_id)
            LEFT JOIN app.account d ON d.account_id = n.account_id AND d.role = :driver
            LEFT JOIN app.trip t ON t.trip_id = coalesce(n.trip_id, r.trip_id)
            ORDER BY c.message_id
            """
        ),
        {
            "waiting": MessageStatus.WAITING,
            "channel": channel,
            "now": now,
            "until": until,
            "limit": limit,
            "driver": Role.DRIVER,
        },
    )
    return records(DueMessage, rows)


def find_subscriptions(session: Session, ids: Collection[int]) -> dict[int, PushSubscription]:
    """Subscriptions by their ids."""
    rows = session.scalars(select(PushSubscription).where(PushSubscription.subscription_id.in_(ids)))
    return {row.subscription_id: row for row in rows}


@dataclass(frozen=True)
class Settled:
    """How a try went."""

    message_id: int
    status: str
    error: str | None
    next_try_at: datetime


def settle(session: Session, settled: Sequence[Settled], now: datetime) -> None:
    """Note how tries went."""
    for each in settled:
        sent = {"sent_at": now} if each.status == MessageStatus.SENT else {}
        session.execute(
            update(ReachMessage)
            .where(ReachMessage.message_id == each.message_id)
            .values(status=each.status, error=each.error, next_try_at=each.next_try_at, **sent)
        )


def settle_text(
    session: Session, message_id: int, status: str, error: str | None, now: datetime
) -> ReachMessage | None:
    """Note how a try to send a text message went, unless it is known to have left; the message, if noted."""
    sent = {"sent_at": now} if status == MessageStatus.SENT else {}
    return session.scalars(
        update(ReachMessage)
        .where(
            ReachMessage.message_id == message_id,
            ReachMessage.channel == ReachChannel.TEXT,
            ReachMessage.status != MessageStatus.SENT,
        )
        .values(status=status, error=error, **sent)
        .returning(ReachMessage)
    ).one_or_none()


@dataclass(frozen=True)
class ReachLine:
    """What was tried to reach a truck with an order or its recall; `is_read`: the driver's page showed it.

    `waiting` counts what is being tried: of text messages those that were put down since `texts_since`.
    """

    vehicle_id: int
    plate: str
    told_at: datetime
    is_read: bool
    pushed_at: datetime | None
    texted_at: datetime | None
    waiting: int
    error: str | None


def reach_of(session: Session, order_id: int, kind: str, *, texts_since: datetime) -> list[ReachLine]:
    """Of each truck that an order was told to, or taken back from, how far that has come."""
    rows = session.execute(
        text(
            """
            SELECT r.vehicle_id, v.plate,
                   CASE WHEN :kind = :recall THEN o.ended_at ELSE coalesce(r.tell_at, o.issued_at) END AS told_at,
                   CASE WHEN :kind = :recall THEN r.recall_read_at IS NOT NULL
                        ELSE r.delivered_at IS NOT NULL END AS is_read,
                   max(m.sent_at) FILTER (WHERE m.channel = :push) AS pushed_at,
                   max(m.sent_at) FILTER (WHERE m.channel = :text) AS texted_at,
                   count(m.message_id) FILTER (
                       WHERE m.status = :waiting AND (m.channel <> :text OR m.made_at > :texts_since)) AS waiting,
                   max(m.error) FILTER (WHERE m.status <> :sent) AS error
            FROM app.order_recipient r JOIN app.dispatch_order o USING (order_id)
            JOIN ingest.vehicle v ON v.vehicle_id = r.vehicle_id
            LEFT JOIN app.reach_message m ON m.order_id = r.order_id AND m.vehicle_id = r.vehicle_id AND m.kind = :kind
            WHERE r.order_id = :order_id AND r.status <> :untold
                AND (:kind <> :recall OR r.delivered_at IS NOT NULL OR r.messaged_at IS NOT NULL)
            GROUP BY r.order_id, r.vehicle_id, v.plate, o.order_id
            ORDER BY r.vehicle_id
            """
        ),
        {
            "order_id": order_id,
            "kind": kind,
            "recall": ReachKind.RECALL,
            "push": ReachChannel.PUSH,
            "text": ReachChannel.TEXT,
            "waiting": MessageStatus.WAITING,
            "sent": MessageStatus.SENT,
            "texts_since": texts_since,
            "untold": RecipientStatus.WAITING,
        },
    )
    return records(ReachLine, rows)


def reach_of_bookings(session: Session, trip_ids: Collection[int], *, since: datetime) -> dict[int, ReachLine]:
    """How far the newest news of trips' bookings has come to their drivers, of news told since a time; by trip."""
    rows = session.execute(
        text(
            """
            WITH newest AS (
                SELECT DISTINCT ON (trip_id) trip_id, subject, at FROM app.notification
                WHERE trip_id = ANY(:trip_ids) AND kind = ANY(:pushed) AND at >= :since
                ORDER BY trip_id, at DESC, notification_id DESC
            )
            SELECT w.trip_id, t.vehicle_id, v.plate, w.at AS told_at,
                   coalesce(bool_or(a.role = :driver AND n.read_at IS NOT NULL), false) AS is_read,
                   max(m.sent_at) FILTER (WHERE m.channel = :push) AS pushed_at,
                   max(m.sent_at) FILTER (WHERE m.channel = :text) AS texted_at,
                   count(m.message_id) FILTER (WHERE m.status = :waiting) AS waiting,
                   max(m.error) FILTER (WHERE m.status = :failed) AS error
            FROM newest w
            JOIN app.notification n ON n.subject = w.subject AND n.trip_id = w.trip_id AND n.at >= :since
            JOIN app.account a ON a.account_id = n.account_id
            JOIN app.trip t ON t.trip_id = w.trip_id
            JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
            LEFT JOIN app.reach_message m ON m.notification_id = n.notification_id
            GROUP BY w.trip_id, t.vehicle_id, v.plate, w.at
            """
        ),
        {
            "trip_ids": list(trip_ids),
            "pushed": sorted(PUSHED),
            "since": since,
            "driver": Role.DRIVER,
            "push": ReachChannel.PUSH,
            "text": ReachChannel.TEXT,
            "waiting": MessageStatus.WAITING,
            "failed": MessageStatus.FAILED,
        },
    )
    return {trip_id: ReachLine(*rest) for trip_id, *rest in rows}
