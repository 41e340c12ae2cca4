"""How the delivery of an event to a webhook stands."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class DeliveryStatus(Vocabulary):
    """From the first try to the last."""

    WAITING = "waiting", N_("Waiting"), "clock", "notice"
    DELIVERED = "delivered", N_("Delivered"), "circle-check", "ok"
    DEAD = "dead", N_("Given up"), "circle-x", "alarm"
