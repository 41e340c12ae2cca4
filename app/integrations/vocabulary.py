"""How a message to or from a neighbour stands, and how a neighbour itself does."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class OutStatus(Vocabulary):
    """A message to a neighbour, from the act that made it to its end."""

    WAITING = "waiting", N_("Waiting"), "clock", "notice"
    SENT = "sent", N_("Delivered"), "circle-check", "ok"
    DEAD = "dead", N_("Given up"), "circle-x", "alarm"
    DROPPED = "dropped", N_("Dropped"), "trash", ""


class InStatus(Vocabulary):
    """A message of a neighbour, from its arrival to its effect; `superseded`: something newer had arrived before it."""

    WAITING = "waiting", N_("Waiting"), "clock", "notice"
    TAKEN = "taken", N_("Taken in"), "circle-check", "ok"
    SUPERSEDED = "superseded", N_("Overtaken by a newer one"), "circle-dashed", ""
    DEAD = "dead", N_("Given up"), "circle-x", "alarm"
    DROPPED = "dropped", N_("Dropped"), "trash", ""


class Health(Vocabulary):
    """How a neighbour does."""

    OFF = "off", N_("Not connected"), "plug-connected-x", ""
    PUSHING = "pushing", N_("Pushes to us"), "arrow-bar-to-down", "notice"
    UNKNOWN = "unknown", N_("Not asked yet"), "help-circle", "notice"
    UP = "up", N_("Works"), "circle-check", "ok"
    SLOW = "slow", N_("Slow"), "clock-exclamation", "warning"
    DOWN = "down", N_("Does not answer"), "alert-triangle", "alarm"

    @property
    def is_asked(self) -> bool:
        """Whether the neighbour has an address, where it is asked and told."""
        return self not in (Health.OFF, Health.PUSHING)


class CustomsState(Vocabulary):
    """How a customs declaration stands, as customs' system says."""

    REGISTERED = "registered", N_("Registered"), "file-check", "notice"
    HELD = "held", N_("Held"), "hand-stop", "alarm"
    RELEASED = "released", N_("Released"), "circle-check", "ok"
    CANCELLED = "cancelled", N_("Cancelled"), "file-off", "alarm"
    UNKNOWN = "unknown", N_("Not known to customs"), "help-circle", "alarm"

    @classmethod
    def stops(cls) -> tuple[CustomsState, ...]:
        """In these its goods do not go on."""
        return (cls.HELD, cls.CANCELLED, cls.UNKNOWN)


class DifferenceKind(Vocabulary):
    """What the platform and a neighbour were found to say differently after they had not heard of each other."""

    CHANNEL = "channel", N_("Channel"), "traffic-lights"
    STATE = "state", N_("Released here, stopped there"), "hand-stop"


class ExportDirection(Vocabulary):
    """Whose exports."""

    OUT = "out", N_("Our exports"), "arrow-up-right"
    IN = "in", N_("Exports of the other side"), "arrow-down-left"
