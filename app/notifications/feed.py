"""From what happened to who is told: reads the outbox, writes notifications and messages to webhooks.

Control calls `follow` every few seconds. It goes on where it stopped; whatever it reads twice has one effect, because
a notification is known by its subject and a message by its event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from app.dispatch.vocabulary import OrderStatus
from app.notifications import store
from app.platform import outbox
from app.platform.outbox import Audience, OutboxRow
from app.procedures.steps import StepStatus
from app.trips.vocabulary import Stage

FEED: Final = "following"
MAX_AT_ONCE: Final = 5000
OVERLAP: Final = 300
LATE: Final = timedelta(minutes=2)
"""Events are looked at again this far back: transactions do not commit in the order of their numbers."""
NOTIFIED_STAGES: Final = frozenset({Stage.QUEUED, Stage.IN_THE_YARD, Stage.OUT, Stage.CANCELLED})
NOTIFIED_STATUSES: Final = frozenset({StepStatus.DONE, StepStatus.RETURNED})
NOTIFIED_FEES: Final = frozenset({"due", "paid", "waived", "refunded"})
WEBHOOK_TYPES: Final = {
    "trip": "trip.changed",
    "sheet": "trip.step",
    "fee": "trip.fee",
    "order": "order.changed",
}
"""Event of the platform → type of the message that an enterprise's system gets."""


@dataclass(frozen=True)
class Message:
    """What a notification says; `subject` tells it from others to the same account."""

    subject: str
    kind: str
    trip_id: int | None
    data: Mapping[str, object]


def follow(session: Session, now: datetime) -> int:
    """Tell people and systems of what happened since the last call; how many events were new."""
    position = store.lock_feed(session, FEED)
    until = min(store.newest_event(session), position + MAX_AT_ONCE)
    rows = store.events_between(session, position - OVERLAP, until, WEBHOOK_TYPES)
    rows = [row for row in rows if row.event_id > position or row.at >= now - LATE]
    rows = [row for row in rows if not row.data.get("compliance_changed")]
    _notify(session, rows, now)
    _queue_deliveries(session, rows, now)
    if until > position:
        store.move_feed(session, FEED, until)
    return sum(row.event_id > position for row in rows)


def message_of(type_: str, data: Mapping[str, Any]) -> Message | None:
    """What people are told of an event; `None` if it is not worth their while."""
    trip_id, status = data.get("trip_id"), data.get("status")
    if type_ == "trip" and data.get("stage") in NOTIFIED_STAGES:
        return Message(f"trip:{trip_id}:{data['stage']}", f"trip.{data['stage']}", trip_id, {})
    if type_ == "sheet" and status in NOTIFIED_STATUSES and data.get("step"):
        subject = f"sheet:{trip_id}:{data['step']}:{status}:{data.get('version')}"
        return Message(subject, f"step.{status}", trip_id, {"step": data["step"]})
    if type_ == "fee" and status in NOTIFIED_FEES:
        return Message(f"fee:{trip_id}:{status}", f"fee.{status}", trip_id, {})
    if type_ == "order" and status in {OrderStatus.ACTIVE, OrderStatus.CANCELLED}:
        order_id = data.get("order_id")
        return Message(f"order:{order_id}:{status}", f"order.{status}", None, {"order_id": order_id})
    return None


def _notify(session: Session, rows: Sequence[OutboxRow], now: datetime) -> None:
    told = [(row, message) for row in rows if (message := message_of(row.type, row.data)) is not None]
    audiences = {row.event_id: _audience(row) for row, _ in told}
    candidates = store.accounts_of(
        session,
        organisations=_all(audience.organisations for audience in audiences.values()),
        vehicles=_all(audience.vehicles for audience in audiences.values()),
        accounts=_all(audience.accounts for audience in audiences.values()),
    )
    known = store.trip_names(session, {message.trip_id for _, message in told if message.trip_id is not None})
    notifications = [
        store.NewNotification(
            account.account_id,
            message.subject,
            row.at,
            message.kind,
            message.trip_id if message.trip_id in known else None,
            dict(message.data),
        )
        for row, message in told
        for account in candidates
        if _concerns(audiences[row.event_id], account)
    ]
    accounts = store.insert_notifications(session, notifications)
    if accounts:
        outbox.publish_event(session, "notification", Audience(accounts=tuple(sorted(accounts))), {}, at=now)


def _concerns(audience: Audience, account: store.Follower) -> bool:
    return (
        (account.role == "enterprise" and account.organisation_id in audience.organisations)
        or (account.role == "driver" and account.vehicle_id in audience.vehicles)
        or account.account_id in audience.accounts
    )


def _queue_deliveries(session: Session, rows: Sequence[OutboxRow], now: datetime) -> None:
    webhooks = store.webhooks_of(session, _all(_audience(row).organisations for row in rows))
    if not webhooks:
        return
    names = store.trip_names(session, {row.data["trip_id"] for row in rows if row.data.get("trip_id") is not None})
    store.insert_deliveries(
        session,
        [
            delivery(webhook.webhook_id, row, names, now)
            for row in rows
            for webhook in webhooks
            if webhook.organisation_id in _audience(row).organisations
            and WEBHOOK_TYPES[row.type] in webhook.events
            and webhook.created_at <= row.at
        ],
    )


def delivery(webhook_id: int, row: OutboxRow, names: Mapping[int, store.TripName], now: datetime) -> store.NewDelivery:
    """A message to a webhook: what happened, and what the trip is called."""
    type_ = WEBHOOK_TYPES[row.type]
    name = names.get(row.data.get("trip_id", -1))
    data = {**(asdict(name) if name is not None else {}), **row.data}
    return new_delivery(webhook_id, f"event:{row.event_id}", type_, data, at=row.at, now=now)


def new_delivery(
    webhook_id: int, subject: str, type_: str, data: Mapping[str, object], *, at: datetime, now: datetime
) -> store.NewDelivery:
    """A message; its body has `type timestamp data` (Standard Webhooks, "payload structure")."""
    body = orjson.dumps({"type": type_, "timestamp": at, "data": dict(data)}, option=orjson.OPT_UTC_Z).decode()
    return store.NewDelivery(webhook_id, subject, type_, body, created_at=now, next_try_at=now)


def _audience(row: OutboxRow) -> Audience:
    return Audience(**{name: tuple(values) for name, values in row.audience.items()})


def _all(groups: Iterable[Sequence[int]]) -> set[int]:
    return {number for group in groups for number in group}
