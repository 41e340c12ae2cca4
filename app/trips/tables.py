"""Tables of trips and their timeline, and of requests that may be repeated."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, column, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.json import JsonObject
from app.platform.personal_fields import OFFICERS_TEXT
from app.platform.sealed_json import SealedJson
from app.trips.vocabulary import Channel, Direction, PartyRole, Regime, Stage
from geo.database import Base, one_of

IS_OPEN = one_of("stage", Stage.open())
CURRENT_TRIP = table("current_trip", column("trip_id"), column("vehicle_id"), schema="app")
"""The view that says which of a vehicle's open trips it is on, for whatever is known of the vehicle alone.

Anybody may declare a trip for a plate, and its next trips may be declared ahead, so a vehicle may have several open
trips. It is on one that its holder or driver agreed to rather than on another, then on one that an officer has handled,
then on one under way, then on the one that is planned first.
"""


class Trip(Base):
    """One vehicle, its driver, its goods and one crossing.

    Later steps of the procedure hang on `trip_id`; what is here is what every agency reads.
    """

    __tablename__ = "trip"
    __table_args__ = (
        CheckConstraint(one_of("stage", Stage), name="stage"),
        CheckConstraint(one_of("regime", Regime), name="regime"),
        CheckConstraint(one_of("direction", Direction), name="direction"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        Index("ix_trip_open_vehicle", "vehicle_id", "planned_arrival", postgresql_where=text(IS_OPEN)),
        Index("ix_trip_open_gate", "gate_id", "stage", "planned_arrival", postgresql_where=text(IS_OPEN)),
        Index("ix_trip_out_since", "stage_since", postgresql_where=text("stage = 'out'")),
        Index("ix_trip_organisation_id", "organisation_id", "trip_id"),
        Index("ix_trip_vehicle_id", "vehicle_id", "trip_id"),
        Index("ix_trip_driver_id", "driver_id", "trip_id"),
        Index(
            "ix_trip_undeclared",
            "gate_id",
            "arrived_at",
            postgresql_where=text(f"procedure_id IS NULL AND {IS_OPEN}"),
        ),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    trailer_plate: Mapped[str | None]
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    goods: Mapped[str]
    goods_class: Mapped[str]
    perishable: Mapped[bool]
    regime: Mapped[str]
    direction: Mapped[str]
    gate_id: Mapped[str]
    planned_arrival: Mapped[datetime]
    stage: Mapped[str] = mapped_column(server_default=Stage.PLANNED)
    stage_since: Mapped[datetime]
    simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    procedure_id: Mapped[int | None] = mapped_column(ForeignKey("app.procedure.procedure_id"))
    """The procedure it began under; null until it is declared."""
    channel: Mapped[str | None]
    facts: Mapped[JsonObject] = mapped_column(JSONB, server_default=text("'{}'"))
    """`app.procedures.procedure.Facts` as JSON, and since when a truck that came undeclared has been waiting."""
    arrived_at: Mapped[datetime | None]
    """When its truck was first seen at the gate area."""


class TripParty(Base):
    """The part that an organisation has in a trip, beside the one that the trip belongs to.

    `by_power`: an agent declared the trip under a power of attorney, which alone opens it while it lasts.
    """

    __tablename__ = "trip_party"
    __table_args__ = (
        CheckConstraint(one_of("role", PartyRole), name="role"),
        Index("ix_trip_party_organisation_id", "organisation_id", "trip_id"),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    by_power: Mapped[bool] = mapped_column(server_default=text("false"))


class TripVehicleAnswer(Base):
    """Whether the holder or the driver of a vehicle says that it makes a trip; for that vehicle only.

    `organisation_id`: the holder who said it, whose word ends with the holding; null: a driver.
    """

    __tablename__ = "trip_vehicle_answer"
    __table_args__ = ({"schema": "app"},)

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    agreed: Mapped[bool]
    answered_at: Mapped[datetime]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))


class TripEvent(Base):
    """One line of a trip's timeline: what happened, when, and by whom if by a person."""

    __tablename__ = "trip_event"
    __table_args__ = (Index("ix_trip_event_trip_id", "trip_id", "event_id"), {"schema": "app"})

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    data: Mapped[JsonObject] = mapped_column(SealedJson(also=OFFICERS_TEXT), server_default=text("'{}'"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
