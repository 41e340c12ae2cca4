"""The table of bookings."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Identity, Index, and_, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from capacity.slots import COUNTING_AGAINST, OPEN, SlotState
from capacity.vocabulary import ZoneKind
from geo.database import Base, one_of

_IS_OPEN = text(one_of("state", OPEN))
_STANDS = (*OPEN, SlotState.ARRIVED)
_ENDED = (SlotState.RELEASED, SlotState.LAPSED)
WITHOUT_YARD = (SlotState.STANDBY, SlotState.LAPSED, SlotState.CANCELLED_IN_TIME, SlotState.RELEASED)


class Booking(Base):
    """A place in an hour at a gate, for one vehicle's trip; a vehicle has one open booking at a time.

    `until` is the end of its time, an hour after `starts_at` unless it was extended; `reason` why it was moved or
    released, in the words of who closed the yard. `moved` is what was told when the platform moved it last
    (`app.notifications.texts`), `moved_from` the yard that it was booked in before. `offered_from` is the gate that its
    trip is declared for, while it is held a place at another one (`app.bookings.gate_offers`).
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint(one_of("state", SlotState), name="state"),
        CheckConstraint(one_of("place_kind", ZoneKind), name="place_kind"),
        CheckConstraint("until > starts_at", name="until"),
        CheckConstraint(f"yard_id IS NOT NULL OR {one_of('state', WITHOUT_YARD)}", name="yard"),
        Index("uq_booking_open_trip", "trip_id", unique=True, postgresql_where=_IS_OPEN),
        Index("uq_booking_open_vehicle", "vehicle_id", unique=True, postgresql_where=_IS_OPEN),
        Index("uq_booking_open_chassis_number", "chassis_number", unique=True, postgresql_where=_IS_OPEN),
        Index("ix_booking_gate_id_starts_at", "gate_id", "starts_at"),
        Index("ix_booking_organisation_id", "organisation_id", "booking_id"),
        Index("ix_booking_trip_id", "trip_id", "booking_id"),
        Index(
            "ix_booking_against",
            "chassis_number",
            "state_since",
            postgresql_where=text(one_of("state", COUNTING_AGAINST)),
        ),
        {"schema": "app"},
    )

    booking_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    chassis_number: Mapped[str]
    is_priority: Mapped[bool]
    gate_id: Mapped[str]
    place_kind: Mapped[str] = mapped_column(server_default=ZoneKind.STANDARD)
    yard_id: Mapped[str | None] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    starts_at: Mapped[datetime]
    until: Mapped[datetime]
    state: Mapped[str]
    state_since: Mapped[datetime]
    held_until: Mapped[datetime | None]
    called_up_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default="")
    moved: Mapped[str] = mapped_column(server_default="")
    moved_from: Mapped[str | None] = mapped_column(ForeignKey("capacity.yard.yard_id"))
    offered_from: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    appeal: Mapped[str] = mapped_column(server_default="")
    appealed_at: Mapped[datetime | None]
    appeal_answer: Mapped[str] = mapped_column(server_default="")
    appeal_decided_at: Mapped[datetime | None]
    appeal_decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))

    @property
    def need(self) -> ZoneKind:
        """The kind of place that its truck needs."""
        return ZoneKind(self.place_kind)

    @property
    def is_shown(self) -> bool:
        """Whether it is what people see of its trip: somebody relies on it, it waits, or its place was lost."""
        return self.state in _STANDS or (self.state in _ENDED and self.moved != "")


IS_SHOWN: Final[ColumnElement[bool]] = or_(
    Booking.state.in_(_STANDS), and_(Booking.state.in_(_ENDED), Booking.moved != "")
)
"""`Booking.is_shown`, of rows."""
