"""Make the recorded demo day: ``python -m app.demo.data.make_demo_day [--folder DIR]``.

Eclipse SUMO drives every truck of an invented day over the packaged corridor (`sumo_day.py`), imagined GPS
receivers watch them (`gps.py`), and three Parquet files are written beside this script. Nothing in them was
observed; the files say so in their metadata and columns. Seeded: the same SUMO version gives the same files.
Needs the `bench` dependency group (eclipse-sumo, libsumo).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from app.demo.data.sumo_day import TruckPlan, simulate

HERE = Path(__file__).parent
CORRIDOR = HERE.parents[2] / "geo" / "data" / "corridor.geojson"
SEED = 20_240_612

DEMAND = (
    # gate, direction, trucks, share in the peak, middle and width of the peak (h after the seam)
    ("huu-nghi", "export", 860, 0.78, 4.5, 1.6),
    ("tan-thanh", "export", 240, 0.55, 4.5, 2.6),
    ("huu-nghi", "import", 180, 0.50, 7.0, 3.0),
    ("tan-thanh", "import", 120, 0.50, 7.0, 3.0),
)
"""An invented busy day, of the size of reported ones (1,911 trucks on 2026-01-31, both directions, all gates)."""

RESTS_KM = {"staging-huu-lung": 84.73, "staging-chi-lang": 52.64}
"""Where some drivers take a break, at the kilometres of the staging areas."""

ORIGINS_KM = ((117.3, 0.86), (84.73, 0.08), (19.342, 0.06))
"""Where trucks enter or leave QL1A and how many of them: Bắc Giang, Hữu Lũng, the south of Lạng Sơn."""


def plan_day(rng: np.random.Generator) -> list[TruckPlan]:
    """The trucks of a day, in order of departure."""
    rows: list[tuple[Any, ...]] = []
    for gate, direction, count, peak, middle_h, width_h in DEMAND:
        for _ in range(count):
            hour = rng.normal(middle_h, width_h) % 24 if rng.random() < peak else rng.uniform(0, 24)
            origin = float(rng.choice([km for km, _ in ORIGINS_KM], p=[share for _, share in ORIGINS_KM]))
            median_s = 6000.0 if direction == "export" else 8400.0
            dwell = float(np.clip(rng.lognormal(np.log(median_s), 0.45), 1500.0, 5.5 * 3600))
            rest = str(rng.choice(list(RESTS_KM))) if origin > 100 and rng.random() < 0.16 else ""
            rest_s = float(rng.uniform(900, 2700)) if rest else 0.0
            factor = float(np.clip(rng.normal(0.93, 0.08), 0.68, 1.12))
            rows.append((hour * 3600.0, gate, direction, origin, dwell, rest, rest_s, factor))
    rows.sort()
    return [
        TruckPlan(i, gate, direction, depart, origin, dwell, rest, rest_s, factor)
        for i, (depart, gate, direction, origin, dwell, rest, rest_s, factor) in enumerate(rows)
    ]


def run_sumo(plans: list[TruckPlan], folder: Path) -> None:
    """Simulate in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(
        target=simulate, args=(CORRIDOR, plans, RESTS_KM, SEED, folder)
    )
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"SUMO ended with status {process.exitcode}.")


def main() -> None:
    """Simulate, record, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep SUMO's files here; a day.npz already there is used again")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="demo-day-"))
    folder.mkdir(parents=True, exist_ok=True)
    plans = plan_day(np.random.default_rng(SEED))
    if not (folder / "day.npz").exists():
        run_sumo(plans, folder)
    from app.demo.data.gps import write_recording  # noqa: PLC0415 - after SUMO, whose Arrow library differs

    print(json.dumps(write_recording(folder / "day.npz", plans, CORRIDOR, HERE, SEED), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
