"""The fields of a declaration: kind, label, limits, and the part of the declaration that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from app.gates.vocabulary import GoodsClass
from app.platform.labels import N_
from app.trips.vocabulary import Direction, Regime
from app.web.forms import Field

Part = Literal["goods", "vehicle", "driver", "health", "customs", "trip"]


@dataclass(frozen=True, kw_only=True)
class DeclaredField(Field):
    """A field with the part of the declaration it belongs to."""

    part: Part


UNITS: Final = ("kg", "tonne", "piece", "pair", "set", "head", "m", "m2", "m3", "litre")
PACKAGINGS: Final = ("carton", "crate", "bag", "pallet", "box", "drum", "roll", "bundle", "bulk", "none")
CONTAINERS: Final = ("none", "20", "40", "45")
DRIVER_PAPERS: Final = ("id_card", "passport", "border_pass")
SYMPTOMS: Final = ("none", "some")
SERVICES: Final = ("inland_delivery", "wharf_only")

HEAD_FIELDS: Final[dict[str, DeclaredField]] = {
    "gate_id": DeclaredField(kind="text", label=N_("Gate"), part="trip", length=60, required=True),
    "regime": DeclaredField(kind="choice", label=N_("Regime"), part="customs", choices=tuple(Regime), required=True),
    "direction": DeclaredField(
        kind="choice", label=N_("Direction"), part="customs", choices=tuple(Direction), empty=N_("As the regime says")
    ),
    "planned_arrival": DeclaredField(
        kind="time", label=N_("Planned arrival"), part="trip", required=True, help=N_("time at the border")
    ),
    "customs_number": DeclaredField(
        kind="text", label=N_("Customs declaration number"), part="customs", length=400, placeholder="305123456780"
    ),
    "service": DeclaredField(
        kind="choice", label=N_("Service in the gate area"), part="customs", choices=SERVICES, empty=N_("The usual")
    ),
    "plate": DeclaredField(
        kind="plate", label=N_("Truck's plate"), part="vehicle", required=True, placeholder="29C-123.45"
    ),
    "trailer_plate": DeclaredField(kind="plate", label=N_("Trailer's plate"), part="vehicle", placeholder="29R-012.34"),
    "container": DeclaredField(kind="choice", label=N_("Container"), part="vehicle", choices=CONTAINERS, required=True),
    "container_number": DeclaredField(
        kind="text", label=N_("Container number"), part="vehicle", length=20, placeholder="CSQU 305438 3"
    ),
    "refrigerated": DeclaredField(kind="flag", label=N_("Refrigerated"), part="vehicle", required=True),
    "seal_numbers": DeclaredField(
        kind="text", label=N_("Seal numbers"), part="vehicle", length=200, placeholder="VN123456, CN987654"
    ),
    "payload_kg": DeclaredField(kind="whole", label=N_("Registered payload (kg)"), part="vehicle"),
    "inspection_expires": DeclaredField(
        kind="date", label=N_("Vehicle inspection valid to"), part="vehicle", required=True
    ),
    "driver_id": DeclaredField(kind="whole", label=N_("Driver's account"), part="driver"),
    "driver_name": DeclaredField(kind="text", label=N_("Driver's name"), part="driver", required=True),
    "driver_phone": DeclaredField(kind="text", label=N_("Driver's phone"), part="driver", length=30, required=True),
    "driver_paper": DeclaredField(
        kind="choice", label=N_("Driver's identity paper"), part="driver", choices=DRIVER_PAPERS, required=True
    ),
    "driver_paper_number": DeclaredField(
        kind="text", label=N_("Number of the identity paper"), part="driver", length=30, required=True
    ),
    "driver_paper_expires": DeclaredField(kind="date", label=N_("Identity paper valid to"), part="driver"),
    "driver_licence_number": DeclaredField(
        kind="text", label=N_("Driving licence number"), part="driver", length=30, required=True
    ),
    "driver_licence_expires": DeclaredField(
        kind="date", label=N_("Driving licence valid to"), part="driver", required=True
    ),
    "health_symptoms": DeclaredField(
        kind="choice", label=N_("Symptoms in the last 14 days"), part="health", choices=SYMPTOMS, required=True
    ),
    "health_temperature_c": DeclaredField(kind="decimal", label=N_("Body temperature (°C)"), part="health"),
    "health_note": DeclaredField(kind="text", label=N_("Health, further remarks"), part="health", length=500),
}
LINE_FIELDS: Final[dict[str, DeclaredField]] = {
    "hs_code": DeclaredField(
        kind="text", label=N_("HS code"), part="goods", length=20, required=True, placeholder="0810.90"
    ),
    "description": DeclaredField(
        kind="text", label=N_("Description of the goods"), part="goods", length=300, required=True
    ),
    "goods_class": DeclaredField(
        kind="choice",
        label=N_("Kind of goods"),
        part="goods",
        choices=tuple(GoodsClass),
        empty=N_("As the HS code says"),
    ),
    "quantity": DeclaredField(kind="decimal", label=N_("Quantity"), part="goods", required=True),
    "unit": DeclaredField(kind="choice", label=N_("Unit"), part="goods", choices=UNITS, required=True),
    "gross_weight_kg": DeclaredField(kind="decimal", label=N_("Gross weight (kg)"), part="goods", required=True),
    "net_weight_kg": DeclaredField(kind="decimal", label=N_("Net weight (kg)"), part="goods", required=True),
    "packages": DeclaredField(kind="whole", label=N_("Number of packages"), part="goods"),
    "packaging": DeclaredField(kind="choice", label=N_("Packaging"), part="goods", choices=PACKAGINGS, required=True),
    "perishable": DeclaredField(
        kind="flag", label=N_("Perishable"), part="goods", empty=N_("As the kind of goods says")
    ),
    "temperature_c": DeclaredField(kind="decimal", label=N_("Transport temperature (°C)"), part="goods"),
    "un_number": DeclaredField(
        kind="text", label=N_("UN number (dangerous goods)"), part="goods", length=10, placeholder="UN 1203"
    ),
    "hazard_class": DeclaredField(
        kind="text", label=N_("Class of dangerous goods"), part="goods", length=20, placeholder="3"
    ),
}
MAX_LINES: Final = 50


def field_of(name: str) -> DeclaredField | None:
    """The field of a name such as `plate` or `lines.2.net_weight_kg` (lines count from 1)."""
    return LINE_FIELDS.get(name.rpartition(".")[2]) if name.startswith("lines.") else HEAD_FIELDS.get(name)
