"""Parts of a measurement kept in a folder, so that a try of a rule costs seconds and not the drive of its days again.

What is kept counts for the contents of the files that it was made with: change any, and the part is made again.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeVar, cast

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
SEEN: Final = (
    "bench/days/*.py",
    "geo/**/*.py",
    "app/demo/data/gps.py",
    "app/forecasting/state_readings.py",
    "app/forecasting/*store.py",
)
"""What the platform sees of a day depends on these: receivers, matcher, and what stores answer."""
FORECAST: Final = (*SEEN, "routing/*.py", "app/forecasting/*.py", "app/gates/*.py", "capacity/*.py")
AFTERWARDS: Final = (
    "bench/days/published.py",
    "bench/days/alarms.py",
    "routing/calibration.py",
    "app/forecasting/skill*",
)
"""Of these nothing depends that is kept: they judge forecasts, and correct them."""


@cache
def _stamp(patterns: tuple[str, ...]) -> str:
    afterwards = {path for pattern in AFTERWARDS for path in ROOT.glob(pattern)}
    found = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)} - afterwards):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def kept(folder: Path, name: str, patterns: tuple[str, ...], make: Callable[[], T]) -> T:
    """What `make` makes, or made before with the same sources; parts of other sources are left where they are.

    Only folders of one's own are read: what is kept is unpickled.
    """
    path = folder / f"{name}-{_stamp(patterns)}.pickle"
    if path.exists():
        return cast(T, pickle.loads(path.read_bytes()))
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(made))
    unfinished.rename(path)
    return made
