"""Days as yard documents: December 2021, the peak before Tết, a yard lost in the morning, an ordinary day.

Totals are those of the press: standing trucks and cleared trucks of December 2021, places of 2023, the peak of 1,911
vehicles of January 2026 (both directions; exports are taken as half), 570 exports of an April day of 2025. How they
spread over zones, kinds of goods and hours is assumed. A jam of days is cut to the day that the plan looks at: trucks
that stood on the road in the morning come in the first hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from capacity.problem_document import YardDocument

START: Final = datetime(2025, 12, 16, 23, 0, tzinfo=UTC)
"""06:00 at the border."""
STEPS: Final = 48
KINDS: Final = ("standard", "forty_foot", "reefer", "livestock", "dangerous")
KIND_SHARES: Final = (0.45, 0.2, 0.27, 0.03, 0.05)
GATE_IDS: Final = ("huu-nghi", "tan-thanh")
HOURS: Final = "07:00–19:00"


STAGING: Final = (
    ("huu-lung", 400, GATE_IDS),
    ("lang-son", 900, GATE_IDS),
    ("dong-dang", 150, GATE_IDS[:1]),
)
"""Staging areas, places (assumed), and the gates they lie before."""
REEFER_PLACES: Final = ("reefer", "forty_foot")
"""Where a refrigerated container may stand: at a plug, or with a generator of its own."""


@dataclass(frozen=True)
class Day:
    """What makes a day: trucks that come, those standing on the road at the start, trucks a gate clears an hour."""

    trucks: int
    standing: int
    crossing_veh_per_h: tuple[float, float]
    full: float
    """Share of the places taken in the morning."""
    staging: float = 1.0
    """Share of the staging areas that trucks for the border may use; others stand there too."""
    lost: bool = False
    """Whether the largest yard of Hữu Nghị is lost at ten."""


DAYS: Final = {
    "december_2021": Day(2000, 900, (17.0, 13.0), 0.95),
    "tet_peak": Day(1400, 250, (50.0, 28.0), 0.7, staging=0.15),
    "yard_loss": Day(900, 60, (45.0, 26.0), 0.6, staging=0.1, lost=True),
    "ordinary": Day(570, 0, (45.0, 26.0), 0.35, staging=0.1),
}

PLACES: Final = {
    "huu-nghi": (("xuan-cuong", (150, 70, 90, 12, 18)), ("bai-phu-1", (110, 50, 45, 6, 10))),
    "tan-thanh": (("bao-nguyen", (260, 110, 140, 15, 25)), ("bai-phu-2", (180, 80, 90, 10, 15))),
}
"""Yards of a gate, with places of each kind; 561 and 925, between the 450 and 1,150 of 2023 and their overflow."""


def draw_document(name: str, seed: int) -> YardDocument:
    """A day of a kind, drawn."""
    day, rng = DAYS[name], np.random.default_rng(seed)
    zones: list[dict[str, Any]] = []
    for yards in PLACES.values():
        for yard_id, places in yards:
            for kind, count in zip(KINDS, places, strict=True):
                zone: dict[str, Any] = {"zone_id": f"{yard_id}-{kind}", "yard_id": yard_id, "kind": kind}
                zone |= {"capacity": count, "inside": round(count * day.full), "stay": "ordinary"}
                if day.lost and yard_id == "xuan-cuong":
                    lost = {"since": START + timedelta(hours=4), "until": START + timedelta(hours=STEPS // 2)}
                    zone["closures"] = [lost | {"capacity": 0}]
                zones.append(zone)
    sites = [
        {"yard_id": yard_id, "gate_id": gate_id, "entrance_veh_per_h": 60.0, "opening_hours": "05:00–22:00"}
        for gate_id, of_gate in PLACES.items()
        for yard_id, _ in of_gate
    ]
    gates = [
        {"gate_id": gate_id, "crossing_veh_per_h": rate, "opening_hours": HOURS}
        for gate_id, rate in zip(GATE_IDS, day.crossing_veh_per_h, strict=True)
    ]
    return YardDocument.model_validate(
        {
            "start": START,
            "steps": STEPS,
            "gates": gates,
            "yards": sites,
            "zones": zones,
            "stays": [
                {"stay_id": "ordinary", "mean_s": 5 * 3600.0, "spread": 0.7},
                {"stay_id": "fresh", "mean_s": 3 * 3600.0, "spread": 0.7},
            ],
            "staging": [
                {"area_id": area_id, "capacity": round(places * day.staging), "gates": gates_of}
                for area_id, places, gates_of in STAGING
            ],
            "trucks": [_truck(n, day, rng) for n in range(day.trucks)],
        }
    )


def _truck(n: int, day: Day, rng: np.random.Generator) -> dict[str, Any]:
    own = int(rng.random() < 0.45)
    kind = str(rng.choice(KINDS, p=KIND_SHARES))
    is_standing = n < day.standing
    hours = rng.uniform(0.0, 1.5) if is_standing else float(np.clip(rng.normal(8.0, 5.0), 0.2, 20.0))
    arrive = {GATE_IDS[own]: START + timedelta(hours=hours)}
    if rng.random() < 0.35:
        arrive[GATE_IDS[1 - own]] = START + timedelta(hours=hours, minutes=25)
    perishable = kind == "reefer" or (kind == "standard" and bool(rng.random() < 0.15))
    return {
        "truck_id": f"T{n:04d}",
        "gate_id": GATE_IDS[own],
        "arrive_at": arrive,
        "kinds": REEFER_PLACES if kind == "reefer" else [kind],
        "perishable": perishable,
        "stay": "fresh" if perishable else "ordinary",
        "declared_at": START - timedelta(hours=float(rng.uniform(0.0, 24.0))),
        "on_road": is_standing or hours < 5.0,
        "drive_s": 0.0 if is_standing else min(hours, 3.0) * 3600.0,
    }
