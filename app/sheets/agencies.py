"""Whose each step is, and what the agencies are called where a trip is followed."""

from __future__ import annotations

from typing import Final

from app.platform.labels import N_, ROLE_NAMES

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
AGENCY_NAMES: Final = {**{str(role): name for role, name in ROLE_NAMES.items()}, "platform": N_("Platform, by itself")}


def agency_of(step: str, collector: str | None = None) -> str:
    """The role that has a step before it; `collector` is who takes the trip's fee, if that is known."""
    return collector if step == "fee" and collector else STEP_AGENCY.get(step, "")
