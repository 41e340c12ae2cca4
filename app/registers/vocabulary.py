"""What stands in the registers, how a vehicle is proven, and how a claim stands."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class VehicleClass(Vocabulary):
    """What kind of vehicle it is; `is_trailer` says of which of the two plates of a combination it is."""

    is_trailer: bool

    def __init__(self, _name: str, label: str, icon: str, is_trailer: bool = False) -> None:
        super().__init__(_name, label, icon)
        self.is_trailer = is_trailer

    TRACTOR = "tractor", N_("Tractor unit"), "truck"
    RIGID = "rigid", N_("Rigid truck"), "truck"
    REFRIGERATED = "refrigerated", N_("Refrigerated truck"), "snowflake"
    TANKER = "tanker", N_("Tank truck"), "droplet"
    SEMI_TRAILER = "semi_trailer", N_("Semi-trailer"), "caravan", True
    SKELETAL_TRAILER = "skeletal_trailer", N_("Container chassis"), "caravan", True
    REFRIGERATED_TRAILER = "refrigerated_trailer", N_("Refrigerated trailer"), "snowflake", True


class IdentityPaper(Vocabulary):
    """The paper with which a driver crosses."""

    ID_CARD = "id_card", N_("Identity card"), "id"
    PASSPORT = "passport", N_("Passport"), "id"
    BORDER_PASS = "border_pass", N_("Border pass"), "id"


class DriverLanguage(Vocabulary):
    """The language in which a driver is spoken to."""

    VI = "vi", N_("Vietnamese")
    ZH = "zh", N_("Chinese")
    EN = "en", N_("English")


class ContainerSize(Vocabulary):
    """The length of a container, in feet as it is called."""

    FEET_20 = "20", N_("20 feet")
    FEET_40 = "40", N_("40 feet")
    FEET_45 = "45", N_("45 feet")


class Subject(Vocabulary):
    """What an entry of the registers or a document is about."""

    VEHICLE = "vehicle", N_("Vehicle"), "truck"
    DRIVER = "driver", N_("Driver"), "steering-wheel"
    CONTAINER = "container", N_("Container"), "box"
    ORGANISATION = "organisation", N_("Enterprise"), "building"


class DocumentKind(Vocabulary):
    """What a document is."""

    REGISTRATION = "registration", N_("Vehicle registration")
    INSPECTION = "inspection", N_("Technical inspection")
    INSURANCE = "insurance", N_("Liability insurance")
    TRANSPORT_PERMIT = "transport_permit", N_("International transport permit")
    BADGE = "badge", N_("Transport badge")
    IDENTITY = "identity", N_("Identity paper")
    LICENCE = "licence", N_("Driving licence")
    CONTAINER_PLATE = "container_plate", N_("CSC safety approval")
    OTHER = "other", N_("Other document")


class Proof(Vocabulary):
    """By whose word an enterprise holds a vehicle."""

    DESK = "desk", N_("decided by a desk")
    CARRIER = "carrier", N_("its carrier said yes")
    DRIVER = "driver", N_("its driver said yes")
    HANDED_ON = "handed_on", N_("handed on by its holder")
    CARRIED_OVER = "carried_over", N_("entered by the administration")


class ClaimStatus(Vocabulary):
    """How the claim of an enterprise to a vehicle stands."""

    OPEN = "open", N_("Waits for an answer"), "hourglass", "notice"
    ACCEPTED = "accepted", N_("Accepted"), "circle-check", "ok"
    REFUSED = "refused", N_("Refused"), "circle-x", "alarm"
    WITHDRAWN = "withdrawn", N_("Withdrawn"), "arrow-back-up"
