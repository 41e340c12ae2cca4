"""What the demonstration remembers in the data directory, so that a restart goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from app.demo.playback import Shift
from app.demo.recording import Timeline
from app.ops.server_user import write_private

FILE = "demo-state.json"
DEVICES_FILE = "demo-devices.json"
ACCOUNTS_FILE = "demo-accounts.json"
CAMERAS_FILE = "demo-cameras.json"


@dataclass
class DemoState:
    """Where the recorded days lie in platform time, how far they were fed, and which trucks differ from them."""

    timeline: Timeline
    fed_until: datetime | None = None
    shifts: dict[int, Shift] = field(default_factory=dict)

    @classmethod
    def load(cls, data_dir: Path, now: datetime, start_s: int) -> DemoState:
        """The state kept in `data_dir`; at a first start the moment `start_s` of the recording is now."""
        path = data_dir / FILE
        if not path.exists():
            state = cls(Timeline.starting(now, start_s))
            state.save(data_dir)
            return state
        kept = json.loads(path.read_text(encoding="utf-8"))
        fed_until = kept.get("fed_until")
        return cls(
            Timeline(datetime.fromisoformat(kept["origin"])),
            datetime.fromisoformat(fed_until) if fed_until else None,
            {int(truck): Shift.from_json(values) for truck, values in kept.get("shifts", {}).items()},
        )

    def save(self, data_dir: Path) -> None:
        """Keep the state in `data_dir`, whole or not at all."""
        kept = {
            "origin": self.timeline.origin.isoformat(),
            "fed_until": self.fed_until.isoformat() if self.fed_until else None,
            "shifts": {str(truck): shift.to_json() for truck, shift in self.shifts.items()},
        }
        write_private(data_dir / FILE, json.dumps(kept, indent=1))
