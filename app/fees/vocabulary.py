"""How fees, payments and releases stand, and how money moves."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class FeeStatus(Vocabulary):
    """How a fee stands; `payer_label` is what it is called where somebody else than a collector reads it."""

    payer_label: str

    def __init__(self, _name: str, label: str, icon: str, payer_label: str) -> None:
        super().__init__(_name, label, icon)
        self.payer_label = payer_label

    OPEN_QUESTION = (
        "open_question",
        N_("Open question"),
        "help-circle",
        N_("an open question to the collector"),
    )
    DUE = "due", N_("To be paid"), "cash", N_("Not paid")
    PAID = "paid", N_("Paid"), "circle-check", N_("Paid")
    WAIVED = "waived", N_("Waived"), "circle-minus", N_("Waived")
    REFUNDED = "refunded", N_("Given back"), "arrow-back-up", N_("Refunded")

    @classmethod
    def open(cls) -> tuple[FeeStatus, ...]:
        """In these a fee is not settled."""
        return (cls.OPEN_QUESTION, cls.DUE)

    @classmethod
    def settled(cls) -> tuple[FeeStatus, ...]:
        """In these a fee holds no trip back."""
        return (cls.PAID, cls.WAIVED, cls.REFUNDED)

    @classmethod
    def paying(cls) -> tuple[FeeStatus, ...]:
        """In these money pays the fee."""
        return (cls.DUE, cls.PAID)


class PaymentStatus(Vocabulary):
    """How money that came in fits the fee it was paid for."""

    MATCHED = "matched", N_("Fits")
    UNMATCHED = "unmatched", N_("Unknown")
    OVER = "over", N_("Too much")
    UNDER = "under", N_("Too little")
    DOUBLE = "double", N_("Paid twice")
    REFUNDED = "refunded", N_("Given back")

    @classmethod
    def for_a_person(cls) -> tuple[PaymentStatus, ...]:
        """Payments that no rule settles: they stand on a list until somebody does."""
        return (cls.UNMATCHED, cls.OVER, cls.UNDER, cls.DOUBLE)


class PaymentMethod(Vocabulary):
    """How money moves."""

    CASH = "cash", N_("Cash")
    TRANSFER = "transfer", N_("Transfer")


class PaymentSource(Vocabulary):
    """Who reported a payment."""

    DESK = "desk"
    WEBHOOK = "webhook"
    STATEMENT = "statement"


class ReleaseKind(Vocabulary):
    """What is asked for: that a fee is not due, that money goes back, or that a wrong amount is put right."""

    WAIVER = "waiver", N_("Waiver")
    REFUND = "refund", N_("Refund")
    CORRECTION = "correction", N_("Correction")


class ReleaseStatus(Vocabulary):
    """How a waiver or refund stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
