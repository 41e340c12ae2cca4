"""How what was declared is shown, the same on every page."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.declarations.fields import field_of
from app.gates.vocabulary import GoodsClass
from app.platform.labels import N_
from app.trips.vocabulary import Direction, Regime
from geo.clock import parse_time

CHOICES: dict[str, dict[str, str]] = {
    "regime": Regime.labels(),
    "direction": Direction.labels(),
    "service": {"inland_delivery": N_("Delivery inland"), "wharf_only": N_("Wharf only")},
    "container": {"none": N_("No container"), "20": N_("20 feet"), "40": N_("40 feet"), "45": N_("45 feet")},
    "refrigerated": {"yes": N_("Yes"), "no": N_("No")},
    "perishable": {"yes": N_("Yes"), "no": N_("No")},
    "driver_paper": {"id_card": N_("Identity card"), "passport": N_("Passport"), "border_pass": N_("Border pass")},
    "health_symptoms": {"none": N_("No symptoms"), "some": N_("Symptoms (describe them)")},
    "goods_class": GoodsClass.labels(),
    "unit": {
        "kg": N_("kilograms"),
        "tonne": N_("tonnes"),
        "piece": N_("pieces"),
        "pair": N_("pairs"),
        "set": N_("sets"),
        "head": N_("head"),
        "m": N_("metres"),
        "m2": N_("square metres"),
        "m3": N_("cubic metres"),
        "litre": N_("litres"),
    },
    "packaging": {
        "carton": N_("Cartons"),
        "crate": N_("Crates"),
        "bag": N_("Bags"),
        "pallet": N_("Pallets"),
        "box": N_("Boxes"),
        "drum": N_("Drums"),
        "roll": N_("Rolls"),
        "bundle": N_("Bundles"),
        "bulk": N_("In bulk"),
        "none": N_("None"),
    },
}
"""The words of a declaration's choices, by the field's name."""


def read(name: str, stored: Any) -> tuple[str, Any]:
    """What to show of a declared value, and how: `nothing`, `word` (a gettext key), `plate`, `time` (a datetime),
    `date`, `number`, `gate` (its identifier) or `text`.

    `name` is that of a field, such as `plate` or `lines.2.unit` (lines count from 1).
    """
    field = field_of(name)
    short = name.rpartition(".")[2]
    if stored is None or stored == "":
        return "nothing", None
    if short in CHOICES:
        key = ("yes" if stored else "no") if isinstance(stored, bool) else stored
        return "word", CHOICES[short].get(key, key)
    if short == "gate_id":
        return "gate", stored
    if field is None or short == "driver_id":
        return "text", stored
    if field.kind == "time":
        return "time", parse_time(stored)
    if field.kind == "date":
        return "date", date.fromisoformat(stored)
    return {"whole": "number", "decimal": "number", "plate": "plate"}.get(field.kind, "text"), stored
