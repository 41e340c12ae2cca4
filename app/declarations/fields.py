"""The fields of a declaration: one table of names, kinds, labels and the part of the declaration each belongs to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from app.trips.goods import GoodsClass
from app.trips.vocabulary import Direction, Regime

Kind = Literal["text", "plate", "choice", "whole", "decimal", "date", "time", "flag"]
Part = Literal["goods", "vehicle", "driver", "health", "customs", "trip"]


@dataclass(frozen=True)
class Field:
    """One field: how it is read, what it is called (a gettext key), which part it belongs to."""

    kind: Kind
    label: str
    part: Part
    choices: Collection[str] = ()
    length: int = 80


UNITS: Final = ("kg", "tonne", "piece", "pair", "set", "head", "m", "m2", "m3", "litre")
PACKAGINGS: Final = ("carton", "crate", "bag", "pallet", "box", "drum", "roll", "bundle", "bulk", "none")
CONTAINERS: Final = ("none", "20", "40", "45")
DRIVER_PAPERS: Final = ("id_card", "passport", "border_pass")
SYMPTOMS: Final = ("none", "some")
SERVICES: Final = ("inland_delivery", "wharf_only")

HEAD_FIELDS: Final[dict[str, Field]] = {
    "gate_id": Field("text", "Gate", "trip", length=60),
    "regime": Field("choice", "Regime", "customs", tuple(Regime)),
    "direction": Field("choice", "Direction", "customs", tuple(Direction)),
    "planned_arrival": Field("time", "Planned arrival", "trip"),
    "customs_number": Field("text", "Customs declaration number", "customs", length=40),
    "service": Field("choice", "Service in the gate area", "customs", SERVICES),
    "plate": Field("plate", "Truck's plate", "vehicle"),
    "trailer_plate": Field("plate", "Trailer's plate", "vehicle"),
    "container": Field("choice", "Container", "vehicle", CONTAINERS),
    "refrigerated": Field("flag", "Refrigerated", "vehicle"),
    "payload_kg": Field("whole", "Registered payload (kg)", "vehicle"),
    "inspection_expires": Field("date", "Vehicle inspection valid to", "vehicle"),
    "driver_id": Field("whole", "Driver's account", "driver"),
    "driver_name": Field("text", "Driver's name", "driver"),
    "driver_phone": Field("text", "Driver's phone", "driver", length=30),
    "driver_paper": Field("choice", "Driver's identity paper", "driver", DRIVER_PAPERS),
    "driver_paper_number": Field("text", "Number of the identity paper", "driver", length=30),
    "driver_paper_expires": Field("date", "Identity paper valid to", "driver"),
    "driver_licence_number": Field("text", "Driving licence number", "driver", length=30),
    "driver_licence_expires": Field("date", "Driving licence valid to", "driver"),
    "health_symptoms": Field("choice", "Symptoms in the last 14 days", "health", SYMPTOMS),
    "health_temperature_c": Field("decimal", "Body temperature (°C)", "health"),
    "health_note": Field("text", "Health, further remarks", "health", length=500),
}
LINE_FIELDS: Final[dict[str, Field]] = {
    "hs_code": Field("text", "HS code", "goods", length=20),
    "description": Field("text", "Description of the goods", "goods", length=300),
    "goods_class": Field("choice", "Kind of goods", "goods", tuple(GoodsClass)),
    "quantity": Field("decimal", "Quantity", "goods"),
    "unit": Field("choice", "Unit", "goods", UNITS),
    "gross_weight_kg": Field("decimal", "Gross weight (kg)", "goods"),
    "net_weight_kg": Field("decimal", "Net weight (kg)", "goods"),
    "packages": Field("whole", "Number of packages", "goods"),
    "packaging": Field("choice", "Packaging", "goods", PACKAGINGS),
    "perishable": Field("flag", "Perishable", "goods"),
    "temperature_c": Field("decimal", "Transport temperature (°C)", "goods"),
}
MOST_LINES: Final = 50


def field_of(name: str) -> Field | None:
    """The field of a name such as `plate` or `lines.2.net_weight_kg` (lines count from 1)."""
    return LINE_FIELDS.get(name.rpartition(".")[2]) if name.startswith("lines.") else HEAD_FIELDS.get(name)
