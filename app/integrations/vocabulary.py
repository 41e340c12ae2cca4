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
    UNKNOWN = "unknown", N_("Not asked yet"), "help-circle", "notice"
    UP = "up", N_("Works"), "circle-check", "ok"
    SLOW = "slow", N_("Slow"), "clock-exclamation", "warning"
    DOWN = "down", N_("Does not answer"), "alert-triangle", "alarm"
