"""Tables of the schema `capacity`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from capacity.records import PlanSummary, ReasonRecord
from geo.database import Base

SCHEMA = "capacity"


class YardRow(Base):
    """A yard and how many vehicles it holds; `yard_id` is the site's."""

    __tablename__ = "yard"
    __table_args__ = (
        CheckConstraint("capacity_veh >= 0", name="capacity_veh"),
        CheckConstraint("kind IN ('yard', 'temporary_yard')", name="kind"),
        {"schema": SCHEMA},
    )

    yard_id: Mapped[str] = mapped_column(primary_key=True)
    gate_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    capacity_veh: Mapped[int]
    opening_hours: Mapped[str] = mapped_column(server_default=text("''"))
    """As `geo.opening_hours` writes intervals; empty: round the clock."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[int | None]


class YardStateRow(Base):
    """The running state of a yard's ledger: what the list of trucks inside alone does not say.

    Whoever changes the ledger of a yard locks this row first.
    """

    __tablename__ = "yard_state"
    __table_args__ = ({"schema": SCHEMA},)

    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"), primary_key=True)
    unidentified_veh: Mapped[int] = mapped_column(server_default=text("0"))
    counted_at: Mapped[datetime | None]
    counted_veh: Mapped[int | None]
    expected_veh: Mapped[int | None]


class PresenceRow(Base):
    """A truck's present (or just ended) stay in a yard."""

    __tablename__ = "presence"
    __table_args__ = (
        Index("ix_presence_inside", "yard_id", "entered_at", postgresql_where=text("left_at IS NULL")),
        Index("ix_presence_truck", "truck_key", postgresql_where=text("left_at IS NULL")),
        Index("ix_presence_left_at", "left_at", postgresql_where=text("left_at IS NOT NULL")),
        {"schema": SCHEMA},
    )

    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"), primary_key=True)
    truck_key: Mapped[str] = mapped_column(primary_key=True)
    vehicle_id: Mapped[int | None]
    plate_norm: Mapped[str | None]
    entered_at: Mapped[datetime | None]
    entered_source: Mapped[str | None]
    left_at: Mapped[datetime | None]
    left_source: Mapped[str | None]
    flag: Mapped[str | None]


class MovementRow(Base):
    """One report that a vehicle entered or left a yard, as it came."""

    __tablename__ = "movement"
    __table_args__ = (
        UniqueConstraint("source", "source_ref"),
        CheckConstraint("kind IN ('enter', 'leave')", name="kind"),
        CheckConstraint("source IN ('gps', 'camera', 'manual', 'act')", name="source"),
        CheckConstraint("vehicle_id IS NOT NULL OR plate_norm IS NOT NULL", name="truck"),
        Index("ix_movement_yard_id_time", "yard_id", "time"),
        Index("ix_movement_plate_norm_time", "plate_norm", "time"),
        {"schema": SCHEMA},
    )

    movement_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    vehicle_id: Mapped[int | None]
    plate_norm: Mapped[str | None]
    kind: Mapped[str]
    time: Mapped[datetime]
    source: Mapped[str]
    source_ref: Mapped[str | None]
    recorded_by: Mapped[int | None]


class CountRow(Base):
    """Vehicles counted in a yard by a person."""

    __tablename__ = "count"
    __table_args__ = (
        CheckConstraint("inside_veh >= 0", name="inside_veh"),
        CheckConstraint("shift IN ('day', 'night')", name="shift"),
        Index("ix_count_yard_id_time", "yard_id", "time"),
        {"schema": SCHEMA},
    )

    count_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    time: Mapped[datetime]
    inside_veh: Mapped[int]
    expected_veh: Mapped[int]
    counted_by: Mapped[int | None]
    shift: Mapped[str | None]
    confirmed: Mapped[bool] = mapped_column(server_default=text("false"))
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None]


class FeedRow(Base):
    """How far a feed of movements has been read."""

    __tablename__ = "feed"
    __table_args__ = ({"schema": SCHEMA},)

    feed: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class PlanRow(Base):
    """A yard plan: how it was solved and what it says in sum."""

    __tablename__ = "plan"
    __table_args__ = (Index("ix_plan_made_at", "made_at"), {"schema": SCHEMA})

    plan_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    made_at: Mapped[datetime]
    status: Mapped[str]
    objective: Mapped[float]
    gap: Mapped[float | None]
    duration_ms: Mapped[int]
    summary: Mapped[PlanSummary] = mapped_column(JSONB)


class AssignmentRow(Base):
    """What a plan says about one trip; `yard_id` is empty where there is no place within the horizon."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index("ix_assignment_trip_id", "trip_id", "plan_id"),
        Index("ix_assignment_yard_id", "plan_id", "yard_id"),
        {"schema": SCHEMA},
    )

    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("capacity.plan.plan_id", ondelete="CASCADE"), primary_key=True
    )
    trip_id: Mapped[int] = mapped_column(primary_key=True)
    vehicle_id: Mapped[int]
    yard_id: Mapped[str | None]
    arrive_at: Mapped[datetime]
    place_free_at: Mapped[datetime]
    wait_s: Mapped[int]
    reason: Mapped[ReasonRecord] = mapped_column(JSONB)
    zone_id: Mapped[str | None]
    place_kind: Mapped[str | None]


class ZoneRow(Base):
    """Places of one kind in a yard."""

    __tablename__ = "zone"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('standard', 'forty_foot', 'reefer', 'livestock', 'dangerous', 'dock', 'temporary')", name="kind"
        ),
        {"schema": SCHEMA},
    )

    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"), primary_key=True)
    zone_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]


class ZonePlacesRow(Base):
    """How many places a zone has from a time on."""

    __tablename__ = "zone_places"
    __table_args__ = (
        ForeignKeyConstraint(["yard_id", "zone_id"], ["capacity.zone.yard_id", "capacity.zone.zone_id"]),
        CheckConstraint("places_veh >= 0", name="places_veh"),
        Index("ix_zone_places_yard_id_since", "yard_id", "since"),
        {"schema": SCHEMA},
    )

    change_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    yard_id: Mapped[str]
    zone_id: Mapped[str]
    since: Mapped[datetime]
    places_veh: Mapped[int]
    hours: Mapped[str] = mapped_column(server_default=text("''"))
    entered_at: Mapped[datetime]
    entered_by: Mapped[int | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None]


class PriceRow(Base):
    """What a place costs from a time on."""

    __tablename__ = "price"
    __table_args__ = (
        ForeignKeyConstraint(["yard_id", "zone_id"], ["capacity.zone.yard_id", "capacity.zone.zone_id"]),
        CheckConstraint("unit IN ('entry', 'hour', 'day')", name="unit"),
        CheckConstraint("price_vnd >= 0", name="price_vnd"),
        Index("ix_price_yard_id_since", "yard_id", "since"),
        {"schema": SCHEMA},
    )

    price_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    zone_id: Mapped[str | None]
    unit: Mapped[str]
    price_vnd: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime]
    entered_at: Mapped[datetime]
    entered_by: Mapped[int | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None]


class ClosureRow(Base):
    """A yard, or a zone of it, that is closed for a time, wholly or in part."""

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("places_left_veh >= 0", name="places_left_veh"),
        CheckConstraint("until IS NULL OR until >= since", name="until"),
        Index("ix_closure_yard_id_until", "yard_id", "until"),
        {"schema": SCHEMA},
    )

    closure_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    yard_id: Mapped[str] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    zone_id: Mapped[str | None]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    places_left_veh: Mapped[int]
    reason: Mapped[str]
    entered_at: Mapped[datetime]
    entered_by: Mapped[int | None]
    ended_by: Mapped[int | None]
