"""What orders and advisories can be and how they stand."""

from __future__ import annotations

from collections.abc import Sequence

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

    def texts(self) -> dict[str, str]:
        """Its explanation, and what the driver reads."""
        return {"explanation": self.explanation, "driver_label": self.driver_label}

    @classmethod
    def of_motion(cls) -> tuple[OrderKind, ...]:
        """Those that say how to go; the others, but a notice, say where to."""
        return (cls.HOLD, cls.PROCEED, cls.STOP)


class OrderStatus(Vocabulary):
    """How an order stands."""

    PROPOSED = "proposed", N_("waits for a second person")
    ACTIVE = "active", N_("in force")
    CANCELLED = "cancelled", N_("cancelled")
    SUPERSEDED = "superseded", N_("superseded")
    EXPIRED = "expired", N_("over")


class RecipientStatus(Vocabulary):
    """How an order stands with one of its trucks.

    `driver_label` is what the driver reads of an order that binds no more, a key of the translations.
    """

    driver_label: str

    def __init__(self, _name: str, label: str, icon: str, driver_label: str = "") -> None:
        super().__init__(_name, label, icon)
        self.driver_label = driver_label

    WAITING = "waiting", N_("not told"), "clock-pause"
    SENT = "sent", N_("on the way"), "send"
    DELIVERED = "delivered", N_("delivered"), "device-mobile-check"
    ACKNOWLEDGED = "acknowledged", N_("confirmed"), "circle-check", N_("Confirmed")
    REFUSED = "refused", N_("refused"), "circle-x", N_("Refused")
    EXPIRED = "expired", N_("expired"), "clock-off", N_("Run out")
    CANCELLED = "cancelled", N_("cancelled"), "ban", N_("Withdrawn by the police")
    SUPERSEDED = "superseded", N_("superseded"), "replace", N_("Replaced by a newer order")

    def texts(self) -> dict[str, str]:
        """What the driver reads."""
        return {"driver_label": self.driver_label}

    @classmethod
    def groups(cls) -> dict[str, Sequence[RecipientStatus]]:
        """`over`, and `progress`, the order of the bar that shows how far an order has come."""
        return {"over": cls.over(), "progress": cls.progress()}

    @classmethod
    def over(cls) -> tuple[RecipientStatus, ...]:
        """In these the order concerns its recipient no more."""
        return (cls.EXPIRED, cls.CANCELLED, cls.SUPERSEDED)

    @classmethod
    def progress(cls) -> tuple[RecipientStatus, ...]:
        """How far an order in force has come with its recipients, the best first."""
        return (cls.ACKNOWLEDGED, cls.DELIVERED, cls.SENT, cls.WAITING, cls.REFUSED, cls.EXPIRED)

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


class AdviceKind(Vocabulary):
    """What advice is about; that of a yard is kept as `yard:` and the yard."""

    QUEUE = "queue", N_("Long queue")
    YARD = "yard", N_("Yard nearly full")
    CLOSING = "closing", N_("Trucks left at closing")
    RELEASE = "release", N_("Road stays clear")

    @classmethod
    def of(cls, kind: str) -> AdviceKind:
        """The kind of an advisory's kind."""
        return cls.get(kind.partition(":")[0])


class MeasureKind(Vocabulary):
    """What police and gates can do about a risk; what a gate does, its management decides."""

    HOLD = "hold", N_("Hold"), "player-pause"
    DIVERT = "divert", N_("Divert"), "arrow-fork"
    RELEASE = "release", N_("Let go"), "player-play"
    LANE = "lane", N_("One more lane"), "road"
    HOURS = "hours", N_("Longer hours"), "clock-plus"
    REVERSE = "reverse", N_("Reverse a lane"), "arrows-exchange"
    BAN = "ban", N_("No new trucks"), "barrier-block"

    @property
    def is_of_gate(self) -> bool:
        """Whether the gate's management does it."""
        return self in (MeasureKind.LANE, MeasureKind.HOURS, MeasureKind.REVERSE, MeasureKind.BAN)


class Outcome(Vocabulary):
    """What became of an advice: it came as told, it did not, it did not after somebody acted, or nobody measured."""

    RIGHT = "right"
    WRONG = "wrong"
    ACTED_ON = "acted_on"
    UNKNOWN = "unknown"


class Severity(Vocabulary):
    """How bad it is, least first; of a queue, `app.dispatch.severity` says it."""

    NOTICE = "notice", N_("Notice"), "info-circle"
    WARNING = "warning", N_("Warning"), "alert-triangle"
    ALARM = "alarm", N_("Alarm"), "alert-octagon"


class ReachState(Vocabulary):
    """How far an order or its recall has come to a truck."""

    READ = "read", N_("shown on the driver's page"), "device-mobile-check"
    PUSHED = "pushed", N_("pushed to the phone, not opened"), "bell-ringing"
    TEXTED = "texted", N_("text message sent"), "message"
    TRYING = "trying", N_("being tried"), "clock"
    UNREACHED = "unreached", N_("cannot be reached"), "wifi-off"
