"""The simulated plate cameras at the barriers: they post what they read to the door of real cameras.

Now and then one misreads a sign, as real ones do, so that officers have a doubtful read to decide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import orjson
import structlog
from sqlalchemy.orm import Session

from app.demo.state import CAMERAS_FILE
from app.equipment import service
from app.ops.server_user import write_private
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from geo.corridor import Corridor

log = structlog.get_logger("demo")

FRESH: Final = timedelta(minutes=3)
"""A passage longer ago than this was not seen: the demonstration stood still."""
MAX_AT_ONCE: Final = 10
MISREAD_SHARE: Final = 0.06
CONFUSED: Final = {"8": "3", "0": "9", "1": "7", "5": "6", "2": "7", "6": "5", "3": "8", "9": "0", "4": "1", "7": "1"}
VENDOR: Final = "plate-recogniser"


@dataclass
class PlateCameras:
    """The cameras by gate and station, with the keys they send with."""

    client: httpx.Client
    keys: dict[str, str]
    _sent: set[tuple[int, str]] = field(default_factory=set)

    def pass_by(self, trip_id: int, plate: str, gate_id: str, station: str, at: datetime, now: datetime) -> bool:
        """A truck passes a barrier; whether its camera sent something now."""
        key = self.keys.get(f"{gate_id}/{station}")
        if key is None or not now - FRESH < at <= now or (trip_id, station) in self._sent:
            return False
        self._sent.add((trip_id, station))
        try:
            answer = self.client.post(
                f"/cameras/{VENDOR}",
                content=orjson.dumps(read_of(plate, f"{gate_id}/{station}", at)),
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("demo camera not heard", station=station, error=str(error)[:200])
        return True


def read_of(plate: str, camera: str, at: datetime) -> dict[str, object]:
    """What a camera sends of a plate in normal form, misread or not; always the same for the same passage."""
    rng = np.random.default_rng([int(at.timestamp()), *plate.encode()])
    score = float(rng.uniform(0.86, 0.99))
    best = {"plate": plate, "score": round(score, 3)}
    if rng.random() < MISREAD_SHARE:
        place = int(rng.choice([index for index, sign in enumerate(plate) if sign in CONFUSED]))
        wrong = plate[:place] + CONFUSED[plate[place]] + plate[place + 1 :]
        best = {"plate": wrong, "score": round(score - 0.25, 3)}
    result = {**best, "candidates": [best], "simulated": True}
    return {
        "hook": {"event": "recognition"},
        "data": {
            "camera_id": camera,
            "timestamp": at.isoformat(),
            "results": [result],
        },
    }


def set_up(session: Session, by: Principal, corridor: Corridor, data_dir: Path, now: datetime) -> dict[str, str]:
    """Register the cameras that are not kept in the data directory yet; their keys by `gate/station`."""
    path = data_dir / CAMERAS_FILE
    keys: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = dict(keys)
    for barrier in corridor.barriers():
        station = f"barrier_{barrier.attributes['number']}"
        name = f"{barrier.gate_id}/{station}"
        if name not in keys:
            values = {
                "kind": "plate_camera",
                "vendor": VENDOR,
                "name": f"Camera {barrier.name['vi']} (mô phỏng)",
                "site_id": barrier.site_id,
                "station": station,
                "config": {"camera_id": name, "simulated": True},
            }
            keys[name] = service.register(ActionContext(session, by, now), corridor, values)[1]
    if keys != known:
        write_private(path, json.dumps(keys, indent=1))
    return keys
