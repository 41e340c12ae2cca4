"""How a booking stands, with its words; what the states mean is in `capacity.slots`."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class BookingState(Vocabulary):
    """A state of `capacity.slots.SlotState`, as it is shown."""

    STANDBY = "standby", N_("On standby"), "clock-pause", "notice"
    HELD = "held", N_("Held for you"), "hand-stop", "warning"
    BOOKED = "booked", N_("Booked"), "calendar-check", "ok"
    EXTENDED = "extended", N_("Booked, extended"), "calendar-plus", "ok"
    CALLED_UP = "called_up", N_("Called up: come now"), "speakerphone", "warning"
    ARRIVED = "arrived", N_("Arrived"), "flag-check", "ok"
    NO_SHOW = "no_show", N_("Did not come"), "calendar-x", "alarm"
    CANCELLED_IN_TIME = "cancelled_in_time", N_("Cancelled in time"), "calendar-off", "notice"
    CANCELLED_LATE = "cancelled_late", N_("Cancelled late"), "calendar-off", "alarm"
    LAPSED = "lapsed", N_("Not confirmed in time"), "hourglass-empty", "notice"
    RELEASED = "released", N_("Released"), "calendar-minus", "notice"
    EXCUSED = "excused", N_("Excused"), "scale", "notice"
