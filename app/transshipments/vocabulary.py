"""How a transshipment stands."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class TransshipmentStatus(Vocabulary):
    """From the enterprise's registration to the yard's work."""

    REGISTERED = "registered", N_("Waits for customs"), "hourglass"
    APPROVED = "approved", N_("Approved, waits for the yard"), "checks"
    REFUSED = "refused", N_("Refused"), "ban"
    CARRIED_OUT = "carried_out", N_("Carried out"), "circle-check"
    CANCELLED = "cancelled", N_("Withdrawn"), "arrow-back-up"

    @classmethod
    def open(cls) -> tuple[TransshipmentStatus, ...]:
        """In these somebody has still to act."""
        return (cls.REGISTERED, cls.APPROVED)
