"""Tables of what customs' system says of declarations, which trips carry them, and where both sides differ."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.gates.vocabulary import Channel
from app.integrations.vocabulary import CustomsState, DifferenceKind
from app.platform.json import JsonObject
from geo.database import Base, one_of


class CustomsDeclarationRow(Base):
    """A customs declaration, as of when customs' system said so; `version` counts what it said."""

    __tablename__ = "customs_declaration"
    __table_args__ = (
        CheckConstraint(one_of("state", CustomsState), name="state"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        {"schema": "app"},
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    channel: Mapped[str | None]
    hold_reason: Mapped[str] = mapped_column(server_default="")
    released_at: Mapped[datetime | None]
    lines: Mapped[list[JsonObject]] = mapped_column(JSONB, server_default=text("'[]'"))
    """The goods lines, as `CustomsLine`."""
    as_of: Mapped[datetime]
    is_simulated: Mapped[bool] = mapped_column(server_default=text("false"))


class TripCustomsRow(Base):
    """A trip carries goods of a customs declaration; `given_channel` is what customs gave the trip by it last."""

    __tablename__ = "trip_customs"
    __table_args__ = (Index("ix_trip_customs_number", "number"), {"schema": "app"})

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    gross_kg: Mapped[int | None]
    given_channel: Mapped[str | None]
    asked_at: Mapped[datetime]


class DifferenceRow(Base):
    """Something that was done here and that customs' system says otherwise, until a person settles it."""

    __tablename__ = "neighbour_difference"
    __table_args__ = (
        CheckConstraint(one_of("kind", DifferenceKind), name="kind"),
        Index("uq_neighbour_difference", "trip_id", "number", "kind", "theirs", unique=True),
        Index("ix_neighbour_difference_open", "found_at", postgresql_where=text("settled_at IS NULL")),
        {"schema": "app"},
    )

    difference_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    number: Mapped[str]
    kind: Mapped[str]
    ours: Mapped[str]
    theirs: Mapped[str]
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    reason: Mapped[str] = mapped_column(server_default="")
