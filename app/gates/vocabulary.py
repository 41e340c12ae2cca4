"""What crosses at a gate and how, customs' channels, who collects there, what stands there and what it reports of
trucks; and what is announced of a gate: intake bans and outages.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from capacity.vocabulary import ZoneKind
from ingest.formats.registry import CAMERA_FORMATS


class Direction(Vocabulary):
    """Which way a truck crosses; `phrase` is its label inside a sentence."""

    phrase: str

    def __init__(self, _name: str, label: str, phrase: str) -> None:
        super().__init__(_name, label)
        self.phrase = phrase

    EXPORT = "export", N_("To China"), N_("to China")
    IMPORT = "import", N_("To Viet Nam"), N_("to Viet Nam")


class Regime(Vocabulary):
    """The customs regime of a crossing; `direction` if it has only one, `None` if it goes both ways."""

    direction: Direction | None

    def __init__(self, _name: str, label: str, direction: Direction | None = None) -> None:
        super().__init__(_name, label)
        self.direction = direction

    EXPORT = "export", N_("Export"), Direction.EXPORT
    IMPORT = "import", N_("Import"), Direction.IMPORT
    TEMPORARY_IMPORT_REEXPORT = "temporary_import_reexport", N_("Temporary import for re-export")
    TEMPORARY_EXPORT_REIMPORT = "temporary_export_reimport", N_("Temporary export for re-import")
    BORDER_TRANSFER = "border_transfer", N_("Border transfer")
    TRANSIT = "transit", N_("Transit")

    def directions(self) -> tuple[Direction, ...]:
        """The directions that a crossing under the regime can have."""
        return tuple(Direction) if self.direction is None else (self.direction,)


class Channel(Vocabulary):
    """What customs want to see of a trip; `meaning` says it, a key of the translations."""

    meaning: str

    def __init__(self, _name: str, label: str, icon: str, meaning: str) -> None:
        super().__init__(_name, label, icon)
        self.meaning = meaning

    GREEN = "green", N_("Green"), "circle-check", N_("releases at once")
    YELLOW = "yellow", N_("Yellow"), "file-search", N_("papers")
    RED = "red", N_("Red"), "package", N_("papers and goods")


class GoodsClass(Vocabulary):
    """A class of goods; `perishable` is what holds unless the declarant says otherwise."""

    perishable: bool

    def __init__(self, _name: str, perishable: bool, label: str) -> None:
        super().__init__(_name, label)
        self.perishable = perishable

    FRESH_FRUIT = "fresh_fruit", True, N_("Fresh fruit")
    FRESH_PRODUCE = "fresh_produce", True, N_("Vegetables and other fresh produce")
    SEAFOOD = "seafood", True, N_("Seafood")
    MEAT = "meat", True, N_("Chilled or frozen meat")
    LIVE_ANIMALS = "live_animals", True, N_("Live animals")
    FLOWERS = "flowers", True, N_("Flowers and living plants")
    DRY_FOOD = "dry_food", False, N_("Dry food")
    TIMBER = "timber", False, N_("Timber")
    ORE = "ore", False, N_("Ore and minerals")
    TEXTILES = "textiles", False, N_("Textiles and footwear")
    ELECTRONICS = "electronics", False, N_("Electronics")
    MACHINERY = "machinery", False, N_("Machinery")
    VEHICLES = "vehicles", False, N_("New vehicles")
    GENERAL = "general", False, N_("Other goods")
    """The class of goods that are of no other."""
    EMPTY = "empty", False, N_("Empty")


class Collector(StrEnum):
    """Who can take a trip's fee; also the roles of their people."""

    GATE_MANAGEMENT = Role.GATE_MANAGEMENT.value
    TAX = Role.TAX.value


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


class HistoryReason(Vocabulary):
    """Why a plate read opens and moves nothing, and is kept all the same."""

    PREVIEW = "preview", N_("Preview of the camera")
    RETRANSMISSION = "retransmission", N_("Sent again by the camera")
    PARKED = "parked", N_("Parked vehicle")
    OLDER_THAN_TRIP = "older_than_trip", N_("Older than the trip")
    TRIP_OVER = "trip_over", N_("The trip was over")


class NoticeKind(Vocabulary):
    """What is announced of a gate; weather warnings are a weather service's, not people's."""

    BAN = "ban", N_("Intake ban"), "ban", "alarm"
    OUTAGE = "outage", N_("Outage"), "plug-connected-x", "warning"
    WEATHER = "weather", N_("Weather warning"), "cloud-storm", "warning"


class NoticeState(Vocabulary):
    """How an announcement stands at a moment."""

    PLANNED = "planned", N_("Planned"), "calendar-time", "notice"
    IN_FORCE = "in_force", N_("In force"), "alert-triangle", "alarm"
    OVER = "over", N_("Over"), "circle-check", "ok"


class NoticeChange(Vocabulary):
    """What people are told of an announcement."""

    PLANNED = "planned"
    BEGUN = "begun"
    CHANGED = "changed"
    OVER = "over"


class System(Vocabulary):
    """What can be out at a gate; which steps need it: `app.procedures.steps.StepSpec.needs`."""

    CUSTOMS_SYSTEM = "customs_system", N_("National customs system (VNACCS)"), "server-off"
    SINGLE_WINDOW = "single_window", N_("National Single Window"), "server-off"
    POWER = "power", N_("Power"), "bolt-off"
    NETWORK = "network", N_("Network"), "wifi-off"
    SCANNER = "scanner", N_("Container scanner"), "scan"
    SCALE = "scale", N_("Scale"), "scale"
    BARRIER = "barrier", N_("Barrier"), "barrier-block"
    CAMERAS = "cameras", N_("Plate cameras"), "camera-off"
    PAYMENT = "payment", N_("Payment by bank"), "credit-card-off"
    PLATFORM = "platform", N_("This platform"), "server-off"


class PriorityClass(Vocabulary):
    """What of a truck gives it priority; `goes_first` says whether it goes before others in a list.

    The others give it no earlier turn, but a gate may let them use its priority lanes.
    """

    goes_first: bool

    def __init__(self, _name: str, label: str, icon: str, goes_first: bool) -> None:
        super().__init__(_name, label, icon)
        self.goes_first = goes_first

    LIVE = "live", N_("Live animals"), "paw", True
    PERISHABLE = "perishable", N_("Perishable goods"), "leaf", True
    OPERATOR = "authorised_operator", N_("Authorised economic operator"), "certificate", True
    SEALED_TRANSIT = "sealed_transit", N_("Transit under seal"), "lock", True
    BY_HAND = "by_hand", N_("Given by hand"), "arrow-big-up", True
    GREEN = "green", N_("Green channel"), "circle-check", False
    EMPTY = "empty", N_("Empty truck"), "truck", False


KIND_NAMES: Final[Mapping[ZoneKind, str]] = {
    ZoneKind.STANDARD: N_("Standard"),
    ZoneKind.FORTY_FOOT: N_("40-foot"),
    ZoneKind.REEFER: N_("Reefer plugs"),
    ZoneKind.LIVESTOCK: N_("Livestock"),
    ZoneKind.DANGEROUS: N_("Dangerous goods"),
    ZoneKind.DOCK: N_("Transshipment docks"),
    ZoneKind.TEMPORARY: N_("Temporary"),
}
"""How the kinds of places in yards are called."""

SITE_KIND_NAMES: Final[Mapping[str, str]] = {
    "yard": N_("Yard"),
    "temporary_yard": N_("Temporary yard"),
    "staging": N_("Staging area"),
    "gate": N_("Gate"),
}
"""The kinds of sites that are placed on the map, and how they are called."""
