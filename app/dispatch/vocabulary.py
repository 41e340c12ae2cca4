"""What orders and advisories can be and how they stand."""

from __future__ import annotations

from app.platform.labels import Vocabulary


class OrderKind(Vocabulary):
    """What an order asks of its trucks; its texts are in `app.dispatch.texts`."""

    HOLD = "hold"
    PROCEED = "proceed"
    DIVERT = "divert"
    YARD = "yard"
    STOP = "stop"
    NOTICE = "notice"

    @classmethod
    def of_motion(cls) -> tuple[OrderKind, ...]:
        """Those that say how to go; the others, but a notice, say where to."""
        return (cls.HOLD, cls.PROCEED, cls.STOP)


class OrderStatus(Vocabulary):
    """How an order stands."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class RecipientStatus(Vocabulary):
    """How an order stands with one of its trucks."""

    SENT = "sent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @classmethod
    def active(cls) -> tuple[RecipientStatus, ...]:
        """In these the order binds its recipient: not refused, not run out, not taken back."""
        return (cls.SENT, cls.DELIVERED, cls.ACKNOWLEDGED)

    @classmethod
    def unanswered(cls) -> tuple[RecipientStatus, ...]:
        """In these the driver has said nothing yet."""
        return (cls.SENT, cls.DELIVERED)

    @classmethod
    def current(cls) -> tuple[RecipientStatus, ...]:
        """In these an active order still concerns its recipient, who may have refused it."""
        return (*cls.active(), cls.REFUSED)


class Compliance(Vocabulary):
    """Whether a truck did what its order says."""

    PENDING = "pending"
    COMPLIED = "complied"
    NOT_COMPLIED = "not_complied"
    UNKNOWN = "unknown"


class AdvisoryStatus(Vocabulary):
    """How an advisory stands."""

    OPEN = "open"
    TAKEN = "taken"
    DISMISSED = "dismissed"
    OVER = "over"


class Severity(Vocabulary):
    """How bad it is, least first."""

    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"
