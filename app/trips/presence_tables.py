"""Tables of where trips' trucks are and were, and of what their GPS showed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.trips.presence_rules import Source, WitnessKind
from app.trips.vocabulary import PlaceKind
from geo.database import Base, one_of

AT_GATE: Final = one_of("kind", PlaceKind.at_gate())


class TripPlace(Base):
    """A trip's truck was at a place from `began_at` to `ended_at` (null: it is there), as `app.trips.presence` judges.

    The intervals of a trip tile the time from its begin; a witness that comes late corrects them. `source` and `trust`
    are those of the witness that showed the truck there first, null where nothing did.
    """

    __tablename__ = "trip_place"
    __table_args__ = (
        CheckConstraint(one_of("kind", PlaceKind), name="kind"),
        CheckConstraint(one_of("source", Source), name="source"),
        CheckConstraint("ended_at > began_at", name="order"),
        CheckConstraint("(source IS NULL) = (trust IS NULL)", name="shown"),
        Index("uq_trip_place_now", "trip_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_trip_place_at_gate", "ended_at", "gate_id", postgresql_where=text(AT_GATE)),
        Index("ix_trip_place_ended_at", "ended_at"),
        Index("ix_trip_place_over", "began_at", postgresql_where=text(one_of("kind", PlaceKind.over()))),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime | None]
    kind: Mapped[str]
    gate_id: Mapped[str | None]
    site_id: Mapped[str | None]
    source: Mapped[str | None]
    trust: Mapped[int | None]


class TripSight(Base):
    """What a trip's GPS showed whenever it began to show something else: a witness that is not forgotten.

    Between two of them positions said the same; the newest position is in `ingest.last_position`.
    """

    __tablename__ = "trip_sight"
    __table_args__ = (
        CheckConstraint(one_of("kind", WitnessKind), name="kind"),
        CheckConstraint(one_of("place_kind", PlaceKind), name="place_kind"),
        Index("ix_trip_sight_trip_id", "trip_id", "time"),
        Index("ix_trip_sight_time", "time", postgresql_using="brin"),
        {"schema": "app"},
    )

    sight_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    kind: Mapped[str]
    place_kind: Mapped[str]
    gate_id: Mapped[str | None]
    site_id: Mapped[str | None]
    time: Mapped[datetime]
    known_at: Mapped[datetime]
    lon: Mapped[float]
    lat: Mapped[float]
    radius_m: Mapped[float]
    road: Mapped[str | None]
    km: Mapped[float | None]
    is_suspect: Mapped[bool]
    is_repeat: Mapped[bool]
    """Whether it says what the one before says, a little later: GPS is believed at a site if it says so again."""


class MisdatedWitness(Base):
    """A witness that was of after the present when its trip was judged: a clock that ran ahead wrote it.

    `known_at` is just before that first judgement: it happened no later, and hides nothing that is seen since.
    """

    __tablename__ = "misdated_witness"
    __table_args__ = ({"schema": "app"},)

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id", ondelete="CASCADE"), primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    known_at: Mapped[datetime]
