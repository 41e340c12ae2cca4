"""What stages, steps and agencies are called, wherever a trip is followed."""

from __future__ import annotations

from typing import Final

from app.accounts.permissions import Role


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark `message` for translation without translating it here."""
    return message


STAGE_NAMES: Final = {
    "planned": N_("Planned"),
    "on_the_road": N_("On the road"),
    "queued": N_("Queued"),
    "in_the_yard": N_("In the yard"),
    "out": N_("Out"),
    "cancelled": N_("Cancelled"),
}
STEP_NAMES: Final = {
    "declaration": N_("Declaration"),
    "health": N_("Health check"),
    "barrier_1": N_("Barrier 1"),
    "yard": N_("Yard entry"),
    "quarantine_health": N_("Health quarantine of the goods"),
    "quarantine_animal": N_("Animal quarantine"),
    "quarantine_plant": N_("Plant quarantine"),
    "transshipment": N_("Transshipment"),
    "customs": N_("Customs inspection"),
    "fee": N_("Fee"),
    "barrier_2": N_("Barrier 2"),
}
STEP_AGENCY: Final = {
    "declaration": "enterprise",
    "health": "health_quarantine",
    "barrier_1": "border_guard",
    "yard": "yard_operator",
    "quarantine_health": "health_quarantine",
    "quarantine_animal": "animal_quarantine",
    "quarantine_plant": "plant_quarantine",
    "transshipment": "yard_operator",
    "customs": "customs",
    "fee": "gate_management",
    "barrier_2": "border_guard",
}
"""Whose a step is in every procedure that ships; the fee may be the tax office's."""
AGENCY_NAMES: Final = {
    Role.ENTERPRISE.value: N_("Enterprise"),
    Role.HEALTH_QUARANTINE.value: N_("Health quarantine"),
    Role.BORDER_GUARD.value: N_("Border guard"),
    Role.YARD_OPERATOR.value: N_("Yard operator"),
    Role.ANIMAL_QUARANTINE.value: N_("Animal quarantine"),
    Role.PLANT_QUARANTINE.value: N_("Plant quarantine"),
    Role.CUSTOMS.value: N_("Customs"),
    Role.GATE_MANAGEMENT.value: N_("Gate management center"),
    Role.TAX.value: N_("Tax office"),
    Role.SUPPORT.value: N_("Support desk"),
    "platform": N_("Platform, by itself"),
}


def agency_of(step: str, collector: str | None = None) -> str:
    """The role that has a step before it; `collector` is who takes the trip's fee, if that is known."""
    return collector if step == "fee" and collector else STEP_AGENCY.get(step, "")
