"""How places are booked, as planners set it: shares, lengths, limits, consequences."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.platform.labels import N_
from app.platform.policies import Policy
from capacity.slots import SlotRules


class BookingRules(BaseModel):
    """As `capacity.slots.SlotRules`. The defaults are assumed; two strikes in 30 days and a block of 14 days are those
    of the Ukrainian queue."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"unreserved_share": 0.3}]})

    unreserved_share: float = Field(
        default=0.3, ge=0.0, le=1.0, title=N_("Places for trucks without booking"), description=N_("Of each hour.")
    )
    priority_share: float = Field(
        default=0.2,
        ge=0.0,
        le=1.0,
        title=N_("Places for priority classes alone"),
        description=N_("Of those that can be booked; the classes follow from the declaration."),
    )
    hold_min: int = Field(
        default=10,
        ge=1,
        le=60,
        title=N_("A place is held for"),
        description=N_("Until it is confirmed."),
        json_schema_extra={"unit": N_("min")},
    )
    gate_offer_min: int = Field(
        default=60,
        ge=5,
        le=24 * 60,
        title=N_("A place at another gate is held for"),
        description=N_("Offered where the own gate has none left, until the enterprise accepts it."),
        json_schema_extra={"unit": N_("min")},
    )
    ahead_h: int = Field(default=72, ge=1, le=336, title=N_("Booked ahead at most"))
    max_in_hour: int = Field(
        default=3, ge=1, le=1_000, title=N_("Bookings of an enterprise in one hour"), description=N_("At one gate.")
    )
    max_open: int = Field(default=20, ge=1, le=10_000, title=N_("Open bookings of an enterprise"))
    short_extension_h: int = Field(default=2, ge=1, le=24, title=N_("Extension, short"))
    medium_extension_h: int = Field(default=4, ge=1, le=24, title=N_("Extension, medium"))
    long_extension_h: int = Field(default=8, ge=1, le=24, title=N_("Extension, long"))
    late_h: float = Field(
        default=3.0,
        ge=0.0,
        le=48.0,
        title=N_("A cancellation is late within"),
        description=N_("Before the hour begins."),
    )
    grace_h: float = Field(
        default=1.0,
        ge=0.0,
        le=48.0,
        title=N_("A truck has not come after"),
        description=N_("After its time is over."),
    )
    strikes: int = Field(
        default=2,
        ge=1,
        le=100,
        title=N_("No-shows and late cancellations until a vehicle is blocked"),
    )
    strikes_days: int = Field(
        default=30, ge=1, le=366, title=N_("Counted over"), json_schema_extra={"unit": N_("days")}
    )
    block_days: int = Field(default=14, ge=0, le=366, title=N_("Blocked for"), json_schema_extra={"unit": N_("days")})
    appeal_days: int = Field(
        default=7, ge=1, le=366, title=N_("Appeals are taken for"), json_schema_extra={"unit": N_("days")}
    )
    call_up_lead_h: float = Field(default=1.5, ge=0.0, le=24.0, title=N_("Called up at most ahead"))
    call_up_queue_veh: int = Field(
        default=30,
        ge=0,
        le=10_000,
        title=N_("The way is free up to a queue of"),
        description=N_("Nobody is called up while the queue is longer."),
    )

    def to_slots(self) -> SlotRules:
        """As the rules of bookings take them."""
        lengths = {self.short_extension_h, self.medium_extension_h, self.long_extension_h}
        return SlotRules(
            hold=timedelta(minutes=self.hold_min),
            gate_offer=timedelta(minutes=self.gate_offer_min),
            ahead=timedelta(hours=self.ahead_h),
            unreserved_share=self.unreserved_share,
            priority_share=self.priority_share,
            max_in_hour=self.max_in_hour,
            max_open=self.max_open,
            extensions_h=tuple(sorted(lengths)),
            late=timedelta(hours=self.late_h),
            grace=timedelta(hours=self.grace_h),
            strikes=self.strikes,
            strikes_within=timedelta(days=self.strikes_days),
            block=timedelta(days=self.block_days),
            appeal_within=timedelta(days=self.appeal_days),
            call_up_lead=timedelta(hours=self.call_up_lead_h),
            call_up_queue_veh=self.call_up_queue_veh,
        )


RULES: Final = Policy("booking_rules", BookingRules, "settings.booking_rules")


def rules_in_force(session: Session) -> SlotRules:
    """The rules that planners set."""
    return RULES.get(session).value.to_slots()
