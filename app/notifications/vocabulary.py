"""How the delivery of an event to a webhook stands."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class DeliveryStatus(Vocabulary):
    """From the first try to the last."""

    WAITING = "waiting", N_("Waiting"), "clock", "notice"
    DELIVERED = "delivered", N_("Delivered"), "circle-check", "ok"
    DEAD = "dead", N_("Given up"), "circle-x", "alarm"


class ReachKind(Vocabulary):
    """What a driver is to be reached with."""

    ORDER = "order", N_("Order from the traffic police")
    RECALL = "recall", N_("Order taken back")
    BOOKING = "booking", N_("Your booked place")


class ReachChannel(Vocabulary):
    """How a driver is reached whose page is closed."""

    PUSH = "push", N_("push"), "bell-ringing"
    TEXT = "text", N_("text message"), "message"


class MessageStatus(Vocabulary):
    """How a message to a driver stands: taken by the push service or the gateway is `sent`."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
