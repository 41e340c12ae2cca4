"""How a transshipment stands."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class TransshipmentStatus(Vocabulary):
    """From the enterprise's registration to the yard's work."""

    REGISTERED = "registered", N_("Waits for customs"), "hourglass"
    APPROVED = "approved", N_("Approved, waits for the yard"), "checks"
    BEGUN = "begun", N_("The yard is moving the goods"), "forklift"
    REFUSED = "refused", N_("Refused"), "ban"
    CARRIED_OUT = "carried_out", N_("Carried out"), "circle-check"
    CANCELLED = "cancelled", N_("Withdrawn"), "arrow-back-up"

    @classmethod
    def open(cls) -> tuple[TransshipmentStatus, ...]:
        """In these somebody has still to act."""
        return (cls.REGISTERED, cls.APPROVED, cls.BEGUN)

    @classmethod
    def not_begun(cls) -> tuple[TransshipmentStatus, ...]:
        """In these nothing was moved yet, and the enterprise can take it back."""
        return (cls.REGISTERED, cls.APPROVED)

    @classmethod
    def for_the_yard(cls) -> tuple[TransshipmentStatus, ...]:
        """In these the yard may move goods."""
        return (cls.APPROVED, cls.BEGUN)
