"""What can be attached to a sheet, and which agencies need it."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from app.procedures.steps import Step


class AttachmentKind(Vocabulary):
    """A kind of paper or picture; `steps` are those whose agencies read it (empty: every agency at the gate)."""

    steps: tuple[Step, ...]

    def __init__(self, _name: str, label: str, icon: str, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(_name, label, icon)
        self.steps = steps

    PHYTOSANITARY = (
        "phytosanitary",
        N_("Phytosanitary certificate"),
        "leaf",
        (Step.QUARANTINE_PLANT, Step.CUSTOMS),
    )
    VETERINARY = "veterinary", N_("Animal health certificate"), "paw", (Step.QUARANTINE_ANIMAL, Step.CUSTOMS)
    ORIGIN = "origin", N_("Certificate of origin (C/O)"), "certificate", (Step.CUSTOMS,)
    INVOICE = "invoice", N_("Invoice, packing list"), "file-invoice", (Step.CUSTOMS, Step.FEE)
    CUSTOMS_PAPERS = (
        "customs_papers",
        N_("Customs declaration"),
        "file-certificate",
        (Step.CUSTOMS, Step.BARRIER_1, Step.BARRIER_2, Step.FEE),
    )
    VEHICLE_PAPERS = (
        "vehicle_papers",
        N_("Papers of the vehicle"),
        "truck",
        (Step.BARRIER_1, Step.BARRIER_2, Step.YARD, Step.CUSTOMS),
    )
    DRIVER_PAPERS = (
        "driver_papers",
        N_("Papers of the driver"),
        "id",
        (Step.HEALTH, Step.QUARANTINE_HEALTH, Step.BARRIER_1, Step.BARRIER_2),
    )
    PHOTO = "photo", N_("Photograph"), "camera"
    OTHER = "other", N_("Other paper"), "file", (Step.CUSTOMS, Step.BARRIER_1, Step.BARRIER_2)

    def is_read_by(self, role: Role) -> bool:
        """Whether an agency at the gate needs it; the support desk declares with the driver and sees all."""
        if not self.steps:
            return role.is_at_gate
        return role is Role.SUPPORT or any(role in step.spec.roles for step in self.steps)
