"""Declarations that tests begin with."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zlib import crc32

PLATE = "29C-123.45"


def declaration_line(**changes: Any) -> dict[str, Any]:
    """A line of dragon fruit that is fine."""
    return {
        "hs_code": "0810.90",
        "description": "Thanh long tươi",
        "goods_class": "fresh_fruit",
        "quantity": 18000.0,
        "unit": "kg",
        "gross_weight_kg": 19500.0,
        "net_weight_kg": 18000.0,
        "packages": 900,
        "packaging": "carton",
        "perishable": True,
        "temperature_c": 5.0,
        **changes,
    }


def declaration_body(arrival: datetime, **changes: Any) -> dict[str, Any]:
    """A declaration of dragon fruit in a 40-foot reefer that is fine; each truck has a driver of its own."""
    plate = changes.get("plate", PLATE)
    return {
        "gate_id": "huu-nghi",
        "regime": "export",
        "planned_arrival": arrival.isoformat(),
        "customs_number": "305123456780",
        "plate": PLATE,
        "trailer_plate": "29R-012.34",
        "container": "40",
        "refrigerated": True,
        "payload_kg": 26000,
        "inspection_expires": "2026-12-31",
        "driver_name": "Nguyễn Văn An",
        "driver_phone": "0912 345 678",
        "driver_paper": "passport",
        "driver_paper_number": "C1234567" if plate == PLATE else f"C{crc32(plate.encode()) % 10_000_000:07d}",
        "driver_paper_expires": "2030-12-31",
        "driver_licence_number": "790123456789",
        "driver_licence_expires": "2029-12-31",
        "health_symptoms": "none",
        "lines": [declaration_line()],
        **changes,
    }
