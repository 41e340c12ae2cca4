"""Declarations of the demo trucks as their enterprises would write them. All of it is invented."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypedDict

import numpy as np

from app.demo.recording import DemoTruck
from app.platform.json import JsonObject
from geo.clock import LOCAL_ZONE

HS_CODES: Final = {
    "Sầu riêng tươi": "0810.60",
    "Thanh long tươi": "0810.90",
    "Mít tươi": "0810.90",
    "Vải thiều tươi": "0810.90",
    "Dưa hấu": "0807.11",
    "Chuối tươi": "0803.90",
    "Lê, táo tươi": "0808",
    "Ớt tươi": "0709.60",
    "Rau củ tươi": "0709",
    "Tôm đông lạnh": "0306",
    "Tinh bột sắn": "1108.14",
    "Hạt điều": "0801.32",
    "Linh kiện điện tử": "8541",
    "Máy móc, thiết bị": "8479",
    "Vải, phụ liệu may": "5407",
    "Hàng dệt may": "6203",
    "Ván bóc": "4408",
    "Hàng tiêu dùng": "3926",
    "Ô tô mới": "8702",
    "Phụ tùng ô tô": "8708",
}
DRIED_SQUID: Final = ("Mực khô", "0307", "seafood")
"""Some loads hold a little of it, and go past animal quarantine as well therefore."""
SECONDARY_GATES: Final = frozenset({"tan-thanh"})
"""They take no transit and no new vehicles: such trips of the recording are declared as something near to it."""
MIXED_SHARES: Final = dict.fromkeys(("dry_food", "general"), 0.35)
SECONDARY_MIXED_SHARES: Final = MIXED_SHARES | dict.fromkeys(("fresh_fruit", "fresh_produce", "timber"), 0.25)
"""At the smaller gate border traders put together what they have."""
SMALL_TRUCK_SHARE: Final = 0.12
CHILLED: Final = frozenset({"fresh_fruit", "fresh_produce", "seafood"})


class GoodsLine(TypedDict):
    """A line of goods as `app.declarations.form.read` takes it."""

    hs_code: str
    description: str
    goods_class: str
    quantity: float
    unit: str
    gross_weight_kg: float
    net_weight_kg: float
    packages: int
    packaging: str
    perishable: bool
    temperature_c: float | None


def write_declaration(
    truck: DemoTruck, *, plate: str, gate_id: str, day: int, planned_arrival: datetime, correction: int = 0
) -> JsonObject:
    """What is declared of a journey, as `app.declarations.form.read` takes it; always the same for truck and day.

    `correction` counts the returns before it: each declares other weights of the goods.
    """
    rng = np.random.default_rng([truck.truck, day % 2**31, 7])
    is_small = truck.goods_class in {"fresh_fruit", "fresh_produce"} and rng.random() < SMALL_TRUCK_SHARE
    payload_kg = 1900 if is_small else int(rng.choice([15_000, 18_000, 24_000, 26_000, 30_000]))
    net_kg = round(payload_kg * float(rng.uniform(0.7, 0.9)) / 10.0) * 10.0
    is_chilled = truck.goods_class in CHILLED
    driver_number = int(rng.integers(10**8, 10**9))
    shares = SECONDARY_MIXED_SHARES if gate_id in SECONDARY_GATES else MIXED_SHARES
    is_mixed = truck.goods_class in shares and rng.random() < shares[truck.goods_class]
    regime, goods, goods_class = truck.regime, truck.goods, truck.goods_class
    if gate_id in SECONDARY_GATES:
        regime = "border_transfer" if regime == "transit" else regime
        goods, goods_class = ("Phụ tùng ô tô", "machinery") if goods_class == "vehicles" else (goods, goods_class)
    squid_kg = min(400.0, round(net_kg / 100.0) * 10.0) if is_mixed else 0.0
    lines = [_line(goods, HS_CODES.get(goods, "3926"), goods_class, truck.perishable, net_kg - squid_kg, rng)]
    if is_mixed:
        lines.append(_line(*DRIED_SQUID, False, squid_kg, rng))
    for _ in range(correction):
        lines[0]["packages"] -= 1
        lines[0]["gross_weight_kg"] -= 20.0
        lines[0]["net_weight_kg"] -= 20.0
    year = planned_arrival.astimezone(LOCAL_ZONE).date() + timedelta(days=365)
    return {
        "gate_id": gate_id,
        "regime": regime,
        "direction": truck.direction,
        "planned_arrival": planned_arrival.isoformat(),
        "customs_number": str(int(rng.integers(10**11, 10**12))),
        "plate": plate,
        "container": "none" if is_small else "40",
        "refrigerated": is_chilled and not is_small,
        "payload_kg": payload_kg,
        "inspection_expires": year.isoformat(),
        "driver_name": truck.driver,
        "driver_phone": f"0{driver_number}",
        "driver_paper": "passport",
        "driver_paper_number": f"C{driver_number % 10**7:07d}",
        "driver_paper_expires": year.isoformat(),
        "driver_licence_number": f"790{driver_number}",
        "driver_licence_expires": year.isoformat(),
        "health_symptoms": "none",
        "health_temperature_c": round(float(rng.uniform(36.2, 37.0)), 1),
        "lines": lines,
    }


def _line(
    name: str, code: str, goods_class: str, perishable: bool, net_kg: float, rng: np.random.Generator
) -> GoodsLine:
    temperature_c = None if not perishable else -18.0 if goods_class == "seafood" else 5.0
    packages = max(2, round(net_kg / float(rng.choice([15.0, 20.0, 25.0]))))
    return {
        "hs_code": code,
        "description": name,
        "goods_class": goods_class,
        "quantity": net_kg - 40.0,
        "unit": "kg",
        "gross_weight_kg": net_kg + packages,
        "net_weight_kg": net_kg,
        "packages": packages,
        "packaging": "carton",
        "perishable": perishable,
        "temperature_c": temperature_c,
    }
