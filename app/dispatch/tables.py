"""Tables of advice, orders and who received them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.dispatch.advice_changes import ChangeRecord, ToldRecord
from app.dispatch.records import (
    EvidenceRecord,
    MeasureRecord,
    MessageRecord,
    ParametersRecord,
    SelectionRecord,
)
from app.dispatch.vocabulary import (
    AdviceKind,
    AdvisoryStatus,
    Compliance,
    OrderKind,
    OrderStatus,
    Outcome,
    RecipientStatus,
    Severity,
)
from app.platform.json import JsonObject
from geo.database import Base, one_of


class Advisory(Base):
    """What is about to go wrong at a gate, why, and what would help.

    `seen_at` is the last minute in which the risk still stood; `over_at` is set when it no longer does, whatever
    had been decided. At most one advisory of a kind stands at a gate. `told` is what people were told last, `change`
    how that differs from what they were told before, since `changed_at`.
    """

    __tablename__ = "advisory"
    __table_args__ = (
        CheckConstraint(one_of("status", AdvisoryStatus), name="status"),
        CheckConstraint(one_of("severity", Severity), name="severity"),
        Index("uq_advisory_standing", "gate_id", "kind", unique=True, postgresql_where=sa.text("over_at IS NULL")),
        Index("ix_advisory_made_at", "made_at"),
        {"schema": "app"},
    )

    advisory_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    kind: Mapped[str]
    severity: Mapped[str]
    made_at: Mapped[datetime]
    until: Mapped[datetime]
    probability: Mapped[float]
    cause: Mapped[list[MessageRecord]] = mapped_column(JSONB)
    measure: Mapped[list[MeasureRecord]] = mapped_column(JSONB)
    values: Mapped[JsonObject] = mapped_column(JSONB)
    forecast_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    status: Mapped[str] = mapped_column(server_default=AdvisoryStatus.OPEN)
    seen_at: Mapped[datetime]
    over_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=sa.text("1"))
    told: Mapped[ToldRecord | None] = mapped_column(JSONB)
    change: Mapped[ChangeRecord | None] = mapped_column(JSONB)
    changed_at: Mapped[datetime | None]


class AdviceTelling(Base):
    """What an advice told from `told_at` on, until its next telling: what its words are made of."""

    __tablename__ = "advice_telling"
    __table_args__ = (
        CheckConstraint(one_of("severity", Severity), name="severity"),
        Index("ix_advice_telling_told_at", "told_at"),
        {"schema": "app"},
    )

    advisory_id: Mapped[int] = mapped_column(
        ForeignKey("app.advisory.advisory_id", ondelete="CASCADE"), primary_key=True
    )
    told_at: Mapped[datetime] = mapped_column(primary_key=True)
    severity: Mapped[str]
    until: Mapped[datetime]
    probability: Mapped[float]
    values: Mapped[JsonObject] = mapped_column(JSONB)


class AdviceOutcome(Base):
    """An advice as it was first given (`advice_outcome_store.GivenAdvice`), and what became of it (null: open)."""

    __tablename__ = "advice_outcome"
    __table_args__ = (
        CheckConstraint(one_of("kind", AdviceKind), name="kind"),
        CheckConstraint(one_of("outcome", Outcome), name="outcome"),
        Index("ix_advice_outcome_open", "advisory_id", postgresql_where=sa.text("outcome IS NULL")),
        Index("ix_advice_outcome_judged_at", "judged_at"),
        {"schema": "app"},
    )

    advisory_id: Mapped[int] = mapped_column(
        ForeignKey("app.advisory.advisory_id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str]
    place_id: Mapped[str]
    threshold: Mapped[float]
    given_at: Mapped[datetime]
    by: Mapped[datetime]
    outcome: Mapped[str | None]
    judged_at: Mapped[datetime | None]


class DispatchOrder(Base):
    """One order of the traffic police to the trucks it was sent to.

    `approved_by` is the second person who released an order to many trucks.
    """

    __tablename__ = "dispatch_order"
    __table_args__ = (
        CheckConstraint(one_of("kind", OrderKind), name="kind"),
        CheckConstraint(one_of("status", OrderStatus), name="status"),
        CheckConstraint("valid_to > valid_from", name="validity"),
        Index("ix_dispatch_order_active", "valid_to", postgresql_where=sa.text("status = 'active'")),
        Index("ix_dispatch_order_proposed", "issued_at", postgresql_where=sa.text("status = 'proposed'")),
        {"schema": "app"},
    )

    order_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    selection: Mapped[SelectionRecord] = mapped_column(JSONB)
    parameters: Mapped[ParametersRecord] = mapped_column(JSONB)
    text: Mapped[dict[str, str]] = mapped_column(JSONB)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    issued_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    issued_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=OrderStatus.ACTIVE)
    ended_at: Mapped[datetime | None]
    supersedes: Mapped[int | None] = mapped_column(ForeignKey("app.dispatch_order.order_id"))
    advisory_id: Mapped[int | None] = mapped_column(ForeignKey("app.advisory.advisory_id"))
    version: Mapped[int] = mapped_column(server_default=sa.text("1"))
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    approved_at: Mapped[datetime | None]


class OrderRecipient(Base):
    """One truck an order was sent to: whether it arrived, what the driver said, what the truck did.

    `release_at` is the truck's own start where an order lets trucks go in groups. `evidence` is what the judgement
    remembers of the positions seen so far (see `compliance.Evidence`). While `waiting` it is told nothing: until
    `tell_at`, if the order is in force then. `recall_read_at`: the driver has read that the order was taken back.
    `messaged_at`: a message about it left for the driver's phone, with the page closed.
    """

    __tablename__ = "order_recipient"
    __table_args__ = (
        CheckConstraint(one_of("status", RecipientStatus), name="status"),
        CheckConstraint(one_of("compliance", Compliance), name="compliance"),
        Index("ix_order_recipient_vehicle_id", "vehicle_id", "order_id"),
        Index("ix_order_recipient_trip_id", "trip_id"),
        Index("ix_order_recipient_driver_id", "driver_id", "order_id"),
        Index("ix_order_recipient_waiting", "tell_at", postgresql_where=sa.text("status = 'waiting'")),
        {"schema": "app"},
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("app.dispatch_order.order_id"), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"), primary_key=True)
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    release_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default=RecipientStatus.SENT)
    delivered_at: Mapped[datetime | None]
    responded_at: Mapped[datetime | None]
    refusal_reason: Mapped[str | None]
    superseded_by: Mapped[int | None] = mapped_column(ForeignKey("app.dispatch_order.order_id"))
    compliance: Mapped[str] = mapped_column(server_default=Compliance.PENDING)
    judged_at: Mapped[datetime | None]
    evidence: Mapped[EvidenceRecord] = mapped_column(JSONB, server_default=sa.text("'{}'"))
    tell_at: Mapped[datetime | None]
    recall_read_at: Mapped[datetime | None]
    messaged_at: Mapped[datetime | None]
