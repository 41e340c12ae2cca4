"""What orders and advisories can be and how they stand."""

from __future__ import annotations

from collections.abc import Callable

from app.platform.labels import N_, Vocabulary


class OrderKind(Vocabulary):
    """What an order asks of its trucks, in the order in which the kinds are offered; texts: `app.dispatch.texts`.

    `explanation` says for the police what it asks of a driver, `driver_label` is what the driver reads; both are
    keys of the translations.
    """

    explanation: str
    driver_label: str

    def __init__(self, _name: str, label: str, icon: str, explanation: str, driver_label: str) -> None:
        super().__init__(_name, label, icon)
        self.explanation, self.driver_label = explanation, driver_label

    HOLD = "hold", N_("Hold"), "player-pause", N_("Wait at a place until the end of the order"), N_("Hold")
    PROCEED = "proceed", N_("Proceed"), "player-play", N_("Go on toward the gate"), N_("Proceed")
    DIVERT = "divert", N_("Divert"), "arrow-fork", N_("Go to another gate"), N_("Go to another gate")
    YARD = "yard", N_("To a yard"), "parking", N_("Drive into a yard"), N_("Go to a yard")
    STOP = "stop", N_("Stop"), "hand-stop", N_("Stop at once where it is safe"), N_("Stop")
    NOTICE = "notice", N_("Notice"), "speakerphone", N_("Tell drivers something"), N_("Notice")

    @classmethod
    def described(cls, translate: Callable[[str], str]) -> dict[str, dict[str, str]]:
        """The kinds in the reader's language, as the pages' scripts read them."""
        return {
            str(kind): {
                "label": translate(kind.label),
                "explanation": translate(kind.explanation),
                "driver_label": translate(kind.driver_label),
                "icon": kind.icon,
            }
            for kind in cls
        }

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
