"""From what happened to who is told: reads the outbox, writes notifications and messages to webhooks.

Control calls `follow` every few seconds. It goes on where it stopped; whatever it reads twice has one effect, because
a notification is known by its subject and a message by its event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from app.accounts.store import agents_of
from app.dispatch.vocabulary import OrderStatus
from app.notifications import store
from app.notifications.texts import TEXTS
from app.platform import outbox
from app.platform.outbox import Audience, OutboxRow
from app.platform.permissions import Role
from app.procedures.steps import StepStatus
from app.registers.claims import EVENT as REGISTER
from app.trips.parties import party_ids
from app.trips.vocabulary import PlaceKind, Stage

FEED: Final = "following"
MAX_AT_ONCE: Final = 5000
OVERLAP: Final = 300
LATE: Final = timedelta(minutes=2)
"""Events are looked at again this far back: transactions do not commit in the order of their numbers."""
NOTIFIED_STAGES: Final = frozenset({Stage.QUEUED, Stage.IN_THE_YARD, Stage.OUT, *Stage.without_crossing()})
NOTIFIED_STATUSES: Final = frozenset({StepStatus.DONE, StepStatus.RETURNED})
NOTIFIED_FEES: Final = frozenset({"due", "paid", "waived", "refunded"})
WEBHOOK_TYPES: Final = {
    "trip": "trip.changed",
    "sheet": "trip.step",
    "fee": "trip.fee",
    "order": "order.changed",
    REGISTER: "register.changed",
    "device": "device.event",
    "booking": "booking.changed",
    "gate_notice": "gate.notice",
    "prefilled": "declaration.prefilled",
    "board": "board.changed",
}
"""Event of the platform → type of the message that an enterprise's system gets."""
PUBLIC: Final = frozenset({"board"})
"""Events that are about nobody: for every webhook that asks for them."""


REGISTER_SUBJECT: Final = (
    "claim_id",
    "trip_id",
    "vehicle_id",
    "subject",
    "expires_on",
    "days",
    "at",
    "asked_at",
    "reason",
)
"""What tells one thing that happened to the registers from another of its kind."""
EMERGENCIES: Final = frozenset({"sos", "accident"})
NOTIFIED_OF_EMERGENCIES: Final = (Role.TRAFFIC_POLICE.value,)
BOOKING_TOLD: Final = (
    *("booking_id", "plate", "starts_at", "until", "reason"),
    *("yard", "from_yard", "gate", "from_gate", "held_until", "way_s"),
)
OF_TRIP: Final = frozenset({"trip_agreed", "trip_refused"})
"""What of the registers is told to those who may open the trip."""


@dataclass(frozen=True)
class Message:
    """What a notification says; `subject` tells it from others to the same account."""

    subject: str
    kind: str
    trip_id: int | None
    data: Mapping[str, object]
    roles: tuple[str, ...] = ()
    """Roles whose accounts are told, besides those that the event's audience names."""


def follow(session: Session, now: datetime) -> int:
    """Tell people and systems of what happened since the last call; how many events were new."""
    position = store.lock_feed(session, FEED)
    until = min(store.newest_event(session), position + MAX_AT_ONCE)
    rows = store.events_between(session, position - OVERLAP, until, WEBHOOK_TYPES)
    rows = [row for row in rows if row.event_id > position or row.at >= now - LATE]
    rows = [row for row in rows if not row.data.get("compliance_changed")]
    audiences = _audiences(session, rows, now)
    _notify(session, rows, audiences, now)
    _queue_deliveries(session, rows, audiences, now)
    if until > position:
        store.move_feed(session, FEED, until)
    return sum(row.event_id > position for row in rows)


def message_of(type_: str, data: Mapping[str, Any]) -> Message | None:
    """What people are told of an event; `None` if it is not worth their while."""
    trip_id, status = data.get("trip_id"), data.get("status")
    if type_ == "trip" and data.get("moved_to"):
        return Message(f"trip:{trip_id}:moved:{data.get('at')}", "trip.moved", trip_id, {})
    if type_ == "trip" and data.get("sent_on_at"):
        return Message(f"trip:{trip_id}:sent_on:{data['sent_on_at']}", "trip.sent_on", trip_id, {})
    if type_ == "trip" and data.get("stage") in NOTIFIED_STAGES:
        is_back = data["stage"] == Stage.OUT and data.get("place") == PlaceKind.TURNED_BACK
        kind = PlaceKind.TURNED_BACK.value if is_back else data["stage"]
        return Message(f"trip:{trip_id}:{kind}", f"trip.{kind}", trip_id, {})
    if type_ == "sheet" and status in NOTIFIED_STATUSES and data.get("step"):
        subject = f"sheet:{trip_id}:{data['step']}:{status}:{data.get('version')}"
        told = {name: data[name] for name in ("step", "reasons") if name in data}
        return Message(subject, f"step.{status}", trip_id, told)
    if type_ == "fee" and status in NOTIFIED_FEES:
        due_vnd = data.get("outstanding_vnd")
        if due_vnd is None:
            return Message(f"fee:{trip_id}:{status}", f"fee.{status}", trip_id, {})
        subject = f"fee:{trip_id}:{status}:{data.get('amount_vnd')}"  # another amount is told again
        return Message(subject, f"fee.{status}", trip_id, {"amount_vnd": due_vnd})
    if type_ == "order" and status in {OrderStatus.ACTIVE, OrderStatus.CANCELLED}:
        order_id = data.get("order_id")
        return Message(f"order:{order_id}:{status}", f"order.{status}", None, {"order_id": order_id})
    if type_ == REGISTER and f"register.{data.get('kind')}" in TEXTS:
        kind, told = str(data["kind"]), {name: value for name, value in data.items() if name != "kind"}
        subject = ":".join(str(told[name]) for name in REGISTER_SUBJECT if name in told)
        return Message(f"register:{kind}:{subject}", f"register.{kind}", trip_id if kind in OF_TRIP else None, told)
    if type_ == "device" and f"device.{data.get('kind')}" in TEXTS and not data.get("seen"):
        told = {"plate": data.get("plate"), "event_id": data.get("event_id")}
        roles = NOTIFIED_OF_EMERGENCIES if data["kind"] in EMERGENCIES else ()
        return Message(f"device:{data.get('event_id')}", f"device.{data['kind']}", trip_id, told, roles)
    if type_ == "booking" and f"booking.{data.get('kind')}" in TEXTS:
        subject = f"booking:{data.get('booking_id')}:{data['kind']}:{data.get('at')}"
        told = {name: data[name] for name in BOOKING_TOLD if name in data}
        return Message(subject, f"booking.{data['kind']}", trip_id, told)
    if type_ == "prefilled":
        subject = f"prefilled:{data['prefilled_id']}:{data['version']}:{data['kind']}"
        told = {name: data[name] for name in ("plate", "prefilled_id")}
        return Message(subject, f"prefilled.{data['kind']}", trip_id, told)
    if type_ == "gate_notice":
        subject = f"gate_notice:{data['notice_id']}:{data['version']}:{data['change']}"
        told = {name: data[name] for name in ("notice", "gate_name", "plates") if name in data}
        return Message(subject, f"notice.{data['change']}", trip_id, told)
    return None


def _audiences(session: Session, rows: Sequence[OutboxRow], now: datetime) -> dict[int, Audience]:
    """Whom each event is for: its own audience, the parties of its trip, and whoever acts for one of them."""
    trip_ids = {row.event_id: trip_id for row in rows if (trip_id := _trip_id(row)) is not None}
    parties = party_ids(session, sorted(set(trip_ids.values())))
    found = {}
    for row in rows:
        audience, added = _audience(row), parties.get(trip_ids.get(row.event_id, 0), ())
        is_of_trip = row.type != REGISTER and added
        found[row.event_id] = _with(audience, added) if is_of_trip else audience
    agents = agents_of(session, _all(audience.organisations for audience in found.values()), now)
    return {
        event_id: _with(
            audience, [agent for organisation_id in audience.organisations for agent in agents.get(organisation_id, ())]
        )
        for event_id, audience in found.items()
    }


def _with(audience: Audience, organisations: Iterable[int]) -> Audience:
    return replace(audience, organisations=tuple(sorted({*audience.organisations, *organisations})))


def _notify(session: Session, rows: Sequence[OutboxRow], audiences: Mapping[int, Audience], now: datetime) -> None:
    told = [(row, message) for row in rows if (message := message_of(row.type, row.data)) is not None]
    audiences = {row.event_id: audiences[row.event_id] for row, _ in told}
    candidates = store.accounts_of(
        session,
        organisations=_all(audience.organisations for audience in audiences.values()),
        vehicles=_all(audience.vehicles for audience in audiences.values()),
        accounts=_all(audience.accounts for audience in audiences.values()),
        roles={role for _, message in told for role in message.roles},
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
        if account.role in message.roles or _concerns(audiences[row.event_id], account)
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


def _queue_deliveries(
    session: Session, rows: Sequence[OutboxRow], audiences: Mapping[int, Audience], now: datetime
) -> None:
    organisations = _all(audience.organisations for audience in audiences.values())
    public = {WEBHOOK_TYPES[row.type] for row in rows if row.type in PUBLIC}
    webhooks = store.webhooks_of(session, organisations, public)
    if not webhooks:
        return
    names = store.trip_names(session, {trip_id for row in rows if (trip_id := _trip_id(row)) is not None})
    store.insert_deliveries(
        session,
        [
            delivery(webhook.webhook_id, row, names, now)
            for row in rows
            for webhook in webhooks
            if (row.type in PUBLIC or webhook.organisation_id in audiences[row.event_id].organisations)
            and WEBHOOK_TYPES[row.type] in webhook.events
            and webhook.created_at <= row.at
        ],
    )


def delivery(webhook_id: int, row: OutboxRow, names: Mapping[int, store.TripName], now: datetime) -> store.NewDelivery:
    """A message to a webhook: what happened, and what the trip is called."""
    type_ = WEBHOOK_TYPES[row.type]
    trip_id = _trip_id(row)
    name = None if trip_id is None else names.get(trip_id)
    data = {**(asdict(name) if name is not None else {}), **row.data}
    return new_delivery(webhook_id, f"event:{row.event_id}", type_, data, at=row.at, now=now)


def new_delivery(
    webhook_id: int, subject: str, type_: str, data: Mapping[str, object], *, at: datetime, now: datetime
) -> store.NewDelivery:
    """A message; its body has `type timestamp data` (Standard Webhooks, "payload structure")."""
    body = orjson.dumps({"type": type_, "timestamp": at, "data": dict(data)}, option=orjson.OPT_UTC_Z).decode()
    return store.NewDelivery(webhook_id, subject, type_, body, created_at=now, next_try_at=now)


def _trip_id(row: OutboxRow) -> int | None:
    trip_id = row.data.get("trip_id")
    return trip_id if isinstance(trip_id, int) else None


def _audience(row: OutboxRow) -> Audience:
    return Audience.from_record(row.audience)


def _all(groups: Iterable[Sequence[int]]) -> set[int]:
    return {number for group in groups for number in group}
