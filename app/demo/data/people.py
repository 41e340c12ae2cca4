"""Invented papers for invented trucks: plates, goods, drivers, enterprises, devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.data.sumo_day import TruckPlan

ENTERPRISES = 24
OWN_TRUCKS = 40
"""How many trucks enterprise 0, the one with a demo account, has."""

PROVINCES = (
    ("12", 22),
    ("98", 14),
    ("29", 16),
    ("15", 10),
    ("14", 8),
    ("99", 8),
    ("30", 5),
    ("51", 6),
    ("47", 5),
    ("63", 3),
    ("64", 3),
)
"""Vietnamese province codes of the plates and their weights (assumed)."""

EXPORTS = (
    ("Sầu riêng tươi", "fresh_fruit", 22),
    ("Thanh long tươi", "fresh_fruit", 13),
    ("Mít tươi", "fresh_fruit", 9),
    ("Vải thiều tươi", "fresh_fruit", 8),
    ("Dưa hấu", "fresh_fruit", 6),
    ("Chuối tươi", "fresh_fruit", 5),
    ("Ớt tươi", "fresh_produce", 5),
    ("Tôm đông lạnh", "seafood", 5),
    ("Tinh bột sắn", "dry_food", 7),
    ("Hạt điều", "dry_food", 4),
    ("Ván bóc", "timber", 4),
    ("Linh kiện điện tử", "electronics", 7),
    ("Hàng dệt may", "textiles", 5),
)
IMPORTS = (
    ("Linh kiện điện tử", "electronics", 24),
    ("Máy móc, thiết bị", "machinery", 18),
    ("Vải, phụ liệu may", "textiles", 18),
    ("Rau củ tươi", "fresh_produce", 10),
    ("Lê, táo tươi", "fresh_fruit", 8),
    ("Hàng tiêu dùng", "general", 16),
    ("Ô tô mới", "vehicles", 6),
)
PERISHABLE = {"fresh_fruit", "fresh_produce", "seafood"}

FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Nông", "Lý", "Đặng", "Bùi", "Vi", "Lương")
MIDDLE = ("Văn", "Đức", "Quang", "Minh", "Xuân", "Hữu")
GIVEN = ("An", "Bình", "Cường", "Dũng", "Hải", "Hùng", "Khánh", "Long", "Nam", "Phúc", "Sơn", "Thắng", "Tuấn", "Việt")


@dataclass
class Papers:
    """What a truck has apart from its drive."""

    plate: str
    goods: str
    goods_class: str
    perishable: bool
    regime: str
    enterprise: int
    driver: str
    device_kind: str
    interval_s: float
    sigma_m: float
    heading_fault: bool
    planned_arrival_s: int
    is_demo_driver: bool = False


def make_papers(plans: list[TruckPlan], km_at_start: dict[int, float], rng: np.random.Generator) -> list[Papers]:
    """Papers for all trucks; the demo enterprise gets trucks that are at a good moment when the demo starts.

    `km_at_start`: kilometre on QL1A of each truck that drives freely then, -1 for the others.
    """
    plates = _plates(plans, rng)
    papers = [_papers(plan, plate, rng) for plan, plate in zip(plans, plates, strict=True)]
    free = [
        i
        for i, plan in enumerate(plans)
        if plan.gate == "huu-nghi"
        and plan.direction == "export"
        and not plan.rest_site
        and 45.0 <= km_at_start[i] <= 56.0
    ]
    driver = min(free, key=lambda i: abs(km_at_start[i] - 50.0))
    papers[driver].is_demo_driver = True
    papers[driver].heading_fault = False
    exports = [i for i, plan in enumerate(plans) if plan.direction == "export" and i != driver]
    others = rng.choice(exports, OWN_TRUCKS - 1, replace=False)
    for i in (driver, *(int(i) for i in others)):
        papers[i].enterprise = 0
    return papers


def _papers(plan: TruckPlan, plate: str, rng: np.random.Generator) -> Papers:
    catalogue = EXPORTS if plan.direction == "export" else IMPORTS
    weights = np.array([weight for *_, weight in catalogue], dtype=float)
    goods, goods_class, _ = catalogue[int(rng.choice(len(catalogue), p=weights / weights.sum()))]
    regime = plan.direction
    if plan.direction == "export" and goods_class == "seafood":
        regime = "temporary_import_reexport"
    elif rng.random() < 0.04:
        regime = "transit"
    is_phone = rng.random() < 0.3
    to_gate_s = plan.origin_km * 1000.0 / 14.5 if plan.direction == "export" else 300.0
    return Papers(
        plate=plate,
        goods=goods,
        goods_class=goods_class,
        perishable=goods_class in PERISHABLE,
        regime=regime,
        enterprise=int(rng.integers(1, ENTERPRISES)),
        driver=f"{rng.choice(FAMILY)} {rng.choice(MIDDLE)} {rng.choice(GIVEN)}",
        device_kind="phone" if is_phone else "tracker",
        interval_s=10.0 if rng.random() < 0.06 else 30.0,
        sigma_m=15.0 if rng.random() < 0.1 else 6.0,
        heading_fault=is_phone and rng.random() < 0.05,
        planned_arrival_s=round(plan.depart_s + to_gate_s + float(rng.normal(300.0, 1100.0))),
    )


def _plates(plans: list[TruckPlan], rng: np.random.Generator) -> list[str]:
    """Plates of ordinary form; numbers from 990.00 on (桂 … T9…), so that the invented ones can be told."""
    weights = np.array([weight for _, weight in PROVINCES], dtype=float)
    seen: set[str] = set()
    plates = []
    for plan in plans:
        while True:
            if plan.direction == "import" and rng.random() < 0.35:
                plate = f"桂{rng.choice(list('AFN'))}·T9{rng.integers(0, 1000):03d}"
            else:
                province = PROVINCES[int(rng.choice(len(PROVINCES), p=weights / weights.sum()))][0]
                series = rng.choice(["C", "H"])
                plate = f"{province}{series}-99{rng.integers(0, 10)}.{rng.integers(0, 100):02d}"
            if plate not in seen:
                seen.add(plate)
                plates.append(plate)
                break
    return plates
