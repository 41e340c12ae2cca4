"""What stands at a gate: the kinds of devices, and what they report of trucks."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary
from ingest.formats.registry import CAMERA_FORMATS


class EquipmentKind(Vocabulary):
    """A kind of device.

    `vendors` are what the platform speaks with it; a barrier's is the driver of its port. `silent_after_s` is the
    silence after which it raises an alarm, unless its `config` sets another (assumed). `report_path` is where it
    reports; of a camera its format says it.
    """

    vendors: tuple[str, ...]
    silent_after_s: float
    report_path: str | None

    def __init__(
        self, _name: str, label: str, vendors: tuple[str, ...], silent_after_s: float, report_path: str | None
    ) -> None:
        super().__init__(_name, label)
        self.vendors, self.silent_after_s, self.report_path = vendors, silent_after_s, report_path

    PLATE_CAMERA = (
        "plate_camera",
        N_("Plate camera"),
        tuple(CAMERA_FORMATS),
        3600.0,
        None,
    )
    SCALE = "scale", N_("Scale"), ("generic",), 86_400.0, "/equipment/weighings"
    SCANNER = "scanner", N_("Container scanner"), ("generic",), 86_400.0, "/equipment/scans"
    SEAL = "seal", N_("Electronic seal"), ("generic",), 86_400.0, "/equipment/seal-events"
    BARRIER = "barrier", N_("Barrier"), ("http", "mqtt"), 600.0, "/equipment/heartbeat"


class WeighingVerdict(Vocabulary):
    """A weight beside what was declared."""

    WITHIN = "within", N_("within the tolerance")
    OVER = "over", N_("heavier than declared")
    UNDER = "under", N_("lighter than declared")
    NOT_COMPARABLE = "not_comparable", N_("cannot be compared")

    @classmethod
    def differing(cls) -> tuple[WeighingVerdict, ...]:
        """In these the weight is not what was declared."""
        return (cls.OVER, cls.UNDER)


class ScanResult(Vocabulary):
    """What the picture of a scanner shows."""

    CLEAR = "clear", N_("nothing suspicious")
    SUSPICIOUS = "suspicious", N_("suspicious")
    UNREADABLE = "unreadable", N_("unreadable")
    PENDING = "pending", N_("not judged yet")


class SealEventKind(Vocabulary):
    """What happened to an electronic seal."""

    CLOSED = "closed"
    OPENED = "opened"
    TAMPERED = "tampered"


class SealState(Vocabulary):
    """What the events of a seal amount to."""

    CLOSED = "closed", N_("closed")
    OPENED = "opened", N_("opened")
    TAMPERED = "tampered", N_("tampered with")
    UNKNOWN = "unknown", N_("state unknown")
