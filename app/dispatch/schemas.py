"""What is answered of advice and orders."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.dispatch.store import OrderLine, RecipientLine
from app.dispatch.vocabulary import AdvisoryStatus, Compliance, OrderKind, OrderStatus, RecipientStatus, Severity
from app.platform.json import JsonObject

Locale = Literal["vi", "en", "zh"]


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


# Advice


class CauseOut(BaseModel):
    """Why it comes to this."""

    code: str
    values: JsonObject
    text: str


class MeasureOut(BaseModel):
    """What would help; `draft` is a body for `POST /api/v1/orders`."""

    kind: Literal["hold", "divert", "release"]
    text: str
    draft: JsonObject


class AdvisoryColumns(_FromRow):
    """What is told of an advisory as it is kept."""

    advisory_id: int
    gate_id: str
    kind: str
    severity: Severity
    made_at: datetime
    until: datetime
    probability: float
    forecast_id: int | None
    status: AdvisoryStatus
    seen_at: datetime
    over_at: datetime | None
    decided_at: datetime | None
    reason: str | None
    version: int


class HitRateOut(BaseModel):
    """Of `judged` pieces of advice of a kind in the last `days`, `right` came as told.

    `acted_on` did not come after somebody acted: they count as neither.
    """

    right: int
    judged: int
    acted_on: int
    days: int
    text: str


class AdvisoryOut(AdvisoryColumns):
    """A risk at a gate; `by` is when it comes true with `probability`. `text` is in the caller's language.

    `hit_rate` is that of recent advice of its kind, null before any was judged; `change` says what differs from what
    was told before ("": nothing).
    """

    by: datetime
    text: str
    cause: list[CauseOut]
    measure: list[MeasureOut]
    decided_by: str | None
    hit_rate: HitRateOut | None
    change: str


class TellingOut(BaseModel):
    """What an advisory told from `told_at` on, until its next telling; `text` is in the caller's language."""

    advisory_id: int
    told_at: datetime
    severity: Severity
    probability: float
    text: str


class TellingList(BaseModel):
    """What advice told in a time, oldest first."""

    items: list[TellingOut]


class AdvisoryPage(_FromRow):
    """A page of advisories, newest first; the header `Link` points to the next."""

    items: list[AdvisoryOut]


# Orders


class PreviewRecipientOut(_FromRow):
    """A truck that would get the order; `is_past` tells that it has driven by where it should wait."""

    vehicle_id: int
    plate: str
    trip_id: int | None
    gate_id: str | None
    goods_class: str | None
    perishable: bool | None
    stage: str | None
    road: str | None
    km: float | None
    lon: float | None
    lat: float | None
    position_time: datetime | None
    has_driver: bool
    has_device: bool
    is_past: bool
    release_at: datetime


class OrderPreviewOut(_FromRow):
    """Who would get an order and what it would say; whether a second person must release it, and in how many groups
    of `group_veh` trucks each `group_every_s` it is told."""

    valid_from: datetime
    valid_to: datetime
    text: dict[Locale, str]
    recipients: list[PreviewRecipientOut]
    needs_second: bool
    groups: int
    group_veh: int
    group_every_s: int


class RecipientColumns(_FromRow):
    """What is told of a recipient as it is kept."""

    vehicle_id: int
    trip_id: int | None
    release_at: datetime | None
    status: RecipientStatus
    delivered_at: datetime | None
    responded_at: datetime | None
    refusal_reason: str | None
    superseded_by: int | None
    compliance: Compliance
    judged_at: datetime | None
    tell_at: datetime | None
    recall_read_at: datetime | None


class RecipientOut(RecipientColumns):
    """What became of an order at one truck."""

    plate: str
    driver: str | None
    road: str | None
    km: float | None
    position_time: datetime | None

    @classmethod
    def of(cls, line: RecipientLine) -> Self:
        """A recipient with its truck and driver."""
        return cls(
            **dict(RecipientColumns.model_validate(line.recipient)),
            plate=line.plate,
            driver=line.driver,
            road=line.road,
            km=line.km,
            position_time=line.position_time,
        )


class OrderColumns(_FromRow):
    """What is told of an order as it is kept."""

    order_id: int
    kind: OrderKind
    selection: JsonObject
    parameters: JsonObject
    text: dict[Locale, str]
    valid_from: datetime
    valid_to: datetime
    issued_at: datetime
    status: OrderStatus
    ended_at: datetime | None
    supersedes: int | None
    advisory_id: int | None
    version: int


class RecallOut(_FromRow):
    """An order that was taken back: of those whom it had `reached`, so many had confirmed it, and so many have read
    that it was taken back."""

    reached: int
    confirmed: int
    read: int


class DriverRecallOut(_FromRow):
    """An order that was taken back, as its driver is told until it is read; `order_text` by language."""

    order_id: int
    kind: OrderKind
    order_text: dict[Locale, str] = Field(validation_alias="text")
    recalled_at: datetime
    had_confirmed: bool


class DriverRecalls(BaseModel):
    """What was taken back and not read yet, the newest first."""

    items: list[DriverRecallOut]


class OrderOut(OrderColumns):
    """An order; `counts` by status of its recipients and `compliance` by verdict, of those the caller may see.

    `recipients` is left out of lists for those who see all orders; fetch one order for them.
    """

    issued_by: str
    approved_by: str | None
    counts: dict[str, int]
    compliance: dict[Compliance, int]
    recall: RecallOut | None = None
    recipients: list[RecipientOut] | None = None

    @classmethod
    def of(
        cls,
        line: OrderLine,
        statuses: dict[str, int],
        verdicts: dict[Compliance, int],
        recall: RecallOut | None,
        approver: str | None,
    ) -> Self:
        """An order with how many of its recipients are in each status and each verdict, without the recipients."""
        return cls(
            **dict(OrderColumns.model_validate(line.order)),
            issued_by=line.issuer,
            approved_by=approver,
            recall=recall,
            counts={"total": sum(statuses.values()), **statuses},
            compliance=verdicts,
        )


class OrderPage(_FromRow):
    """A page of orders, newest first; the header `Link` points to the next."""

    items: list[OrderOut]


class TemplatesOut(BaseModel):
    """The standard texts and reasons, by kind or code and language."""

    templates: dict[str, dict[Locale, str]]
    reasons: dict[str, dict[Locale, str]]
