"""Tables of transshipments and what moves in them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.declarations.personal import digests_in
from app.platform.digest_columns import made_of
from app.platform.json import JsonObject
from app.platform.sealed_json import SealedJson
from app.transshipments.vocabulary import TransshipmentStatus
from geo.database import Base, one_of

IS_OPEN = one_of("status", TransshipmentStatus.open())


class Transshipment(Base):
    """Goods of one trip that go on in other vehicles; at most one open for a trip."""

    __tablename__ = "transshipment"
    __table_args__ = (
        CheckConstraint(one_of("status", TransshipmentStatus), name="status"),
        Index("uq_transshipment_open_trip", "trip_id", unique=True, postgresql_where=text(IS_OPEN)),
        Index("ix_transshipment_trip_id", "trip_id"),
        Index("ix_transshipment_open", "status", "transshipment_id", postgresql_where=text(IS_OPEN)),
        {"schema": "app"},
    )

    transshipment_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    status: Mapped[str] = mapped_column(server_default=TransshipmentStatus.REGISTERED)
    note: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    registered_at: Mapped[datetime]
    registered_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    begun_at: Mapped[datetime | None]
    begun_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    carried_out_at: Mapped[datetime | None]
    carried_out_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    version: Mapped[int] = mapped_column(server_default=text("1"))


class TransshipmentMove(Base):
    """Some goods of one declared line from one vehicle to another; plates in normal form.

    `quantity` and `net_weight_kg` are what went with them of the declared figures, once they were moved.
    """

    __tablename__ = "transshipment_move"
    __table_args__ = (
        CheckConstraint("packages >= 0 AND weight_kg > 0", name="amount"),
        Index("ix_transshipment_move_to_plate", "to_plate"),
        {"schema": "app"},
    )

    transshipment_id: Mapped[int] = mapped_column(ForeignKey("app.transshipment.transshipment_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int]
    goods: Mapped[str]
    from_plate: Mapped[str]
    to_plate: Mapped[str]
    packages: Mapped[int]
    weight_kg: Mapped[Decimal] = mapped_column(Numeric(18, 6))
    quantity: Mapped[Decimal | None] = mapped_column(Numeric)
    net_weight_kg: Mapped[Decimal | None] = mapped_column(Numeric)


class TransshipmentReceiver(Base):
    """A vehicle that takes over goods; plates in normal form.

    `details` are the fields of its declaration that it does not share with the giving vehicle; `trip_id` is its own
    trip, once the goods were moved, and `turn` counts the loads that came onto that trip, from 1.
    """

    __tablename__ = "transshipment_receiver"
    __table_args__ = (
        Index("ix_transshipment_receiver_trip_id", "trip_id"),
        Index("ix_transshipment_receiver_driver_digests", "driver_digests", postgresql_using="gin"),
        {"schema": "app"},
    )

    transshipment_id: Mapped[int] = mapped_column(ForeignKey("app.transshipment.transshipment_id"), primary_key=True)
    plate: Mapped[str] = mapped_column(primary_key=True)
    trailer_plate: Mapped[str | None]
    details: Mapped[JsonObject] = mapped_column(SealedJson, server_default=text("'{}'"))
    driver_digests: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), info=made_of(("details",), digests_in("details"))
    )
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    turn: Mapped[int | None]
