"""What is compared at a checkpoint, what it warns of, and what becomes of a finding."""

from __future__ import annotations

from typing import Final

from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from app.procedures.steps import Step


class Part(Vocabulary):
    """What belongs together on a trip: declared once, compared wherever the truck is looked at."""

    TRACTOR = "tractor", N_("Tractor"), "truck"
    TRAILER = "trailer", N_("Trailer"), "caravan"
    CONTAINER = "container", N_("Container"), "package"
    SEAL = "seal", N_("Seal"), "lock"
    DRIVER = "driver", N_("Driver"), "steering-wheel"
    CUSTOMS_NUMBER = "customs_number", N_("Customs declaration number"), "file-certificate"


class SeenBy(Vocabulary):
    """Who or what saw it."""

    OFFICER = "officer", N_("an officer")
    CAMERA = "camera", N_("cameras")
    SEAL = "seal", N_("an electronic seal")
    SCANNER = "scanner", N_("the container scanner")


class Verdict(Vocabulary):
    """What border guard or customs decided of a finding; `lets_go` says whether it stops the exit no longer."""

    lets_go: bool

    def __init__(self, _name: str, label: str, icon: str, lets_go: bool) -> None:
        super().__init__(_name, label, icon)
        self.lets_go = lets_go

    EXPLAINED = "explained", N_("Explained: it may go on"), "circle-check", True
    STOPPED = "stopped", N_("Not explained: it stays stopped"), "hand-stop", False


DECIDERS: Final = (Role.BORDER_GUARD, Role.CUSTOMS)
"""Who is alarmed by a finding, and decides it."""

_BARRIERS: Final = (Step.BARRIER_1, Step.BARRIER_2)
_QUARANTINES: Final = tuple(step for step in Step if step.spec.is_quarantine)
CHECKPOINTS: Final = (Step.HEALTH, *_BARRIERS, Step.YARD, *_QUARANTINES, Step.CUSTOMS)
"""Where somebody stands before the truck, and compares."""


class WarningKind(Vocabulary):
    """What a step is not confirmed against without a reason; `steps` are those that answer for it.

    Those without steps are no warnings: they only stand in the log of overrides.
    """

    steps: tuple[Step, ...]

    def __init__(self, _name: str, label: str, icon: str, severity: str, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(_name, label, icon, severity)
        self.steps = steps

    COMBINATION = "combination", N_("Does not belong together"), "alert-octagon", "alarm", CHECKPOINTS
    TWO_PLACES = "two_places", N_("Seen at two places at once"), "copy", "warning", CHECKPOINTS
    PLATES_DIFFER = "plates_differ", N_("Plates differ"), "license", "alarm", (*_BARRIERS, Step.YARD, Step.CUSTOMS)
    SEAL_TAMPERED = "seal_tampered", N_("Seal tampered with"), "lock-exclamation", "alarm", (*_BARRIERS, Step.CUSTOMS)
    SEAL_MISSING = "seal_missing", N_("Seal missing or open"), "lock-open", "alarm", (*_BARRIERS, Step.CUSTOMS)
    SCAN_SUSPICIOUS = "scan_suspicious", N_("Scan suspicious"), "scan", "alarm", (*_BARRIERS, Step.CUSTOMS)
    OVERWEIGHT = "overweight", N_("Heavier than declared"), "scale", "alarm", (*_BARRIERS, Step.CUSTOMS)
    UNDERWEIGHT = "underweight", N_("Lighter than declared"), "scale", "alarm", (*_BARRIERS, Step.CUSTOMS)
    SYMPTOMS = "symptoms", N_("Symptoms of illness"), "stethoscope", "alarm", (Step.HEALTH, Step.QUARANTINE_HEALTH)
    NO_CUSTOMS_NUMBER = "no_customs_number", N_("No customs declaration number"), "file-off", "warning", (Step.CUSTOMS,)
    PAPERS_EXPIRED = "papers_expired", N_("Papers expired"), "calendar-off", "warning", _BARRIERS
    CUSTOMS_STOPS = "customs_stops", N_("Stopped by customs' system"), "hand-stop", "alarm", (*_BARRIERS, Step.CUSTOMS)
    OVERLOADED = "overloaded", N_("More than the vehicle may carry"), "scale", "warning", _BARRIERS
    NOT_REGISTERED = "not_registered", N_("Not in the register of vehicles"), "license-off", "warning", _BARRIERS
    CHANNEL_BY_HAND = "channel_by_hand", N_("Channel set by hand"), "hand-click", "warning"
    RED_LOWERED = "red_lowered", N_("Red channel lowered"), "arrow-down", "alarm"
    PRIORITY_BY_HAND = "priority_by_hand", N_("Priority given by hand"), "arrow-big-up", "warning"
    JUMP = "jump", N_("Handled before others"), "arrow-bear-right", "notice"
