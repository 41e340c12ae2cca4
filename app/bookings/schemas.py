"""What is sent and answered of bookings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.bookings.news import SayBooking
from app.bookings.rules import BookingRules
from app.bookings.service import Calendar
from app.bookings.store import NamedBooking
from app.platform.fields import PlainText
from app.platform.policies import InForceOut
from capacity.slots import SlotState
from capacity.vocabulary import ZoneKind

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Text = Annotated[PlainText, Field(max_length=2000)]


class BookingIn(BaseModel):
    """A place to hold for a declared trip, in the hour that begins at `starts_at`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"trip_id": 3, "starts_at": "2026-03-02T14:00:00+07:00"}]}
    )

    trip_id: Number
    starts_at: AwareDatetime
    stand_by: bool = Field(False, description="Wait for a place if the hour is full.")


class ExtensionIn(BaseModel):
    """By how many hours a booking is extended: one of the lengths that are set."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hours": 4}]})

    hours: int = Field(ge=1, le=24)


class AppealIn(BaseModel):
    """Why a no-show or a late cancellation should not count."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Xe hỏng trên QL1A."}]})

    text: Text


class DecisionIn(BaseModel):
    """What is decided of an appeal, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"accept": True, "reason": "Có giấy của gara."}]}
    )

    accept: bool
    reason: Text


class BookingOut(BaseModel):
    """A booking: its truck comes between `starts_at` and `until`."""

    model_config = ConfigDict(from_attributes=True)

    booking_id: int
    trip_id: int
    organisation_id: int
    plate: str = ""
    code: str = ""
    gate_id: str
    place_kind: ZoneKind = Field(description="The kind of place that its truck needs, by its declaration.")
    yard_id: str | None
    starts_at: datetime
    until: datetime
    state: SlotState
    state_since: datetime
    is_priority: bool
    held_until: datetime | None
    offered_from: str | None = Field(
        description="The gate that the trip is declared for, while a place at another one (`gate_id`) is held for it."
    )
    called_up_at: datetime | None
    reason: str
    appeal: str
    appealed_at: datetime | None
    appeal_answer: str
    appeal_decided_at: datetime | None
    state_text: str = Field("", description="The state in words.")
    text: str = Field("", description="Where to and why the platform moved it last, as people were told.")
    is_shown: bool = Field(False, description="Whether it is what people see of its trip: it stands, or was lost.")

    @classmethod
    def of(cls, named: NamedBooking, say: SayBooking | None = None) -> Self:
        """With plate and trip code, and in words where somebody reads it."""
        more = {"plate": named.plate, "code": named.code}
        if say is not None:
            more |= {"state_text": say.state(named), "text": say.moved(named)}
        return cls.model_validate(named.booking).model_copy(update=more)


class BookingList(BaseModel):
    """Bookings, the newest first."""

    items: list[BookingOut]


class HourOut(BaseModel):
    """An hour at a gate: places at all, those taken, and those of the kind asked for that priority classes and others
    can book; `kinds`, how many trucks the places of each kind take, in yards with zones."""

    starts_at: datetime
    places: int
    taken: int
    free: int
    free_priority: int
    kinds: dict[ZoneKind, int]


class PaceOut(BaseModel):
    """Exports an hour that the gate usually lets in, with the range of 8 in 10: learned, of `served_veh` trucks, or as
    set."""

    model_config = ConfigDict(from_attributes=True)

    veh_per_h: float
    low_veh_per_h: float
    high_veh_per_h: float
    is_learned: bool
    served_veh: float
    learned_at: datetime | None


class CalendarOut(BaseModel):
    """The hours of a week at a gate, for who needs a kind of place."""

    gate_id: str
    place_kind: ZoneKind
    pace: PaceOut
    hours: list[HourOut]

    @classmethod
    def of(cls, calendar: Calendar, need: ZoneKind) -> Self:
        """Hour by hour."""
        return cls(
            gate_id=calendar.gate_id,
            place_kind=need,
            pace=PaceOut.model_validate(calendar.pace),
            hours=[
                HourOut(
                    starts_at=supply.starts_at,
                    places=supply.load.places,
                    taken=supply.load.taken,
                    free=calendar.free(supply, need, is_priority=False),
                    free_priority=calendar.free(supply, need, is_priority=True),
                    kinds=supply.kinds,
                )
                for supply in calendar.hours
            ],
        )


class RulesOut(InForceOut[BookingRules]):
    """The rules in force; version 0 while nobody has set them."""
