"""What roles, stages, steps and regimes are called: keys of the translations, by the names the data carries."""

from __future__ import annotations

from typing import Final

from app.platform.permissions import Role


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark `message` for translation without translating it here."""
    return message


ROLE_NAMES: Final = {
    Role.TRAFFIC_POLICE: N_("Traffic police"),
    Role.DRIVER: N_("Driver"),
    Role.ENTERPRISE: N_("Enterprise"),
    Role.PLANNER: N_("Planner"),
    Role.YARD_OPERATOR: N_("Yard operator"),
    Role.BORDER_GUARD: N_("Border guard"),
    Role.HEALTH_QUARANTINE: N_("Health quarantine"),
    Role.ANIMAL_QUARANTINE: N_("Animal quarantine"),
    Role.PLANT_QUARANTINE: N_("Plant quarantine"),
    Role.CUSTOMS: N_("Customs"),
    Role.GATE_MANAGEMENT: N_("Gate management center"),
    Role.TAX: N_("Tax office"),
    Role.SUPPORT: N_("Support desk"),
    Role.ADMINISTRATOR: N_("Administrator"),
    Role.AUDITOR: N_("Auditor"),
}
STAGE_NAMES: Final = {
    "planned": N_("Planned"),
    "on_the_road": N_("On the road"),
    "queued": N_("Queued"),
    "in_the_yard": N_("In the yard"),
    "out": N_("Out"),
    "cancelled": N_("Cancelled"),
}
STAGE_ICONS: Final = {
    "planned": "calendar",
    "on_the_road": "road",
    "queued": "hourglass",
    "in_the_yard": "parking",
    "out": "flag-check",
}
"""The stages that a trip goes through, in their order, each with its icon of Tabler's."""
STEP_NAMES: Final = {
    "declaration": N_("Declaration"),
    "health": N_("Health check"),
    "barrier_1": N_("Barrier 1"),
    "yard": N_("Yard"),
    "quarantine_health": N_("Health quarantine"),
    "quarantine_animal": N_("Animal quarantine"),
    "quarantine_plant": N_("Plant quarantine"),
    "transshipment": N_("Transshipment"),
    "customs": N_("Customs inspection"),
    "fee": N_("Fee"),
    "barrier_2": N_("Barrier 2"),
}
REGIME_NAMES: Final = {
    "export": N_("Export"),
    "import": N_("Import"),
    "temporary_import_reexport": N_("Temporary import for re-export"),
    "temporary_export_reimport": N_("Temporary export for re-import"),
    "border_transfer": N_("Border transfer"),
    "transit": N_("Transit"),
}
