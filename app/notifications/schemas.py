"""What is answered of notifications and webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.notifications.store import FeedLine
from app.notifications.tables import DeliveryRow
from app.notifications.texts import URGENT, text_of
from app.notifications.vocabulary import DeliveryStatus
from app.platform.json import JsonObject

EventType = Literal[
    "trip.changed",
    "trip.step",
    "trip.fee",
    "order.changed",
    "register.changed",
    "device.event",
    "booking.changed",
    "board.changed",
    "gate.notice",
    "declaration.prefilled",
]


class NotificationOut(BaseModel):
    """One thing the caller was told; `text` in the caller's language, `urgent` if it asks for something."""

    notification_id: int
    at: datetime
    kind: str = Field(examples=["step.returned"])
    text: str
    urgent: bool
    trip_id: int | None
    code: str | None
    plate: str | None
    gate_id: str | None
    data: JsonObject
    read_at: datetime | None

    @classmethod
    def of(cls, line: FeedLine, gettext: Callable[[str], str], language: str) -> Self:
        """A notification with its trip; `gettext` translates into `language`."""
        row = line.notification
        return cls(
            notification_id=row.notification_id,
            at=row.at,
            kind=row.kind,
            text=text_of(row.kind, row.data, gettext, language),
            urgent=row.kind in URGENT and not line.is_settled,
            trip_id=row.trip_id,
            code=line.code,
            plate=line.plate,
            gate_id=line.gate_id,
            data=row.data,
            read_at=row.read_at,
        )


class NotificationPage(BaseModel):
    """A page of notifications, newest first; the header `Link` points to the next."""

    unread: int
    items: list[NotificationOut]


class Unread(BaseModel):
    """How many notifications are unread, counted up to 100."""

    unread: int


class WebhookOut(BaseModel):
    """A webhook."""

    model_config = ConfigDict(from_attributes=True)

    webhook_id: int
    url: str
    events: list[EventType]
    created_at: datetime


class WebhookMade(WebhookOut):
    """A new webhook, and the secret that signs its messages; it is not shown again."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class Webhooks(BaseModel):
    """The webhooks of an enterprise."""

    items: list[WebhookOut]


class DeliveryOut(BaseModel):
    """One message: what was sent, how often it was tried, what was answered last."""

    model_config = ConfigDict(from_attributes=True)

    delivery_id: int
    type: str
    status: DeliveryStatus
    tries: int
    body: str
    created_at: datetime
    tried_at: datetime | None
    next_try_at: datetime | None
    answer_status: int | None
    answer: str | None
    took_ms: int | None

    @classmethod
    def of(cls, row: DeliveryRow) -> Self:
        """A line of the log; only what still waits has a next try."""
        line = cls.model_validate(row)
        return line if line.status is DeliveryStatus.WAITING else line.model_copy(update={"next_try_at": None})


class DeliveryPage(BaseModel):
    """A page of a webhook's log, newest first; the header `Link` points to the next."""

    items: list[DeliveryOut]
