"""A simulated neighbour as a process: `cuakhau neighbour NAME`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from app.integrations.simulators.faults import Faults
from app.integrations.simulators.registry import CODECS, SIMULATED
from app.integrations.simulators.server import Simulator
from geo.clock import Clock
from geo.errors import NotFoundError


def storage_path(data_dir: Path, name: str) -> Path:
    """Where a simulator keeps what it knows."""
    return data_dir / "neighbours" / f"{name}.sqlite"


def run_simulator(
    name: str, data_dir: Path, clock: Clock, *, port: int, faults: Faults, seed: int, tell: Callable[[str], None]
) -> None:
    """Simulate a neighbour until told to stop; `tell` is given its address.

    Raises
    ------
    NotFoundError
        If there is no such neighbour to simulate.
    """
    if name not in SIMULATED:
        raise NotFoundError("There is no neighbour {name}; known are {known}.", name=name, known=", ".join(SIMULATED))
    script = SIMULATED[name](seed)
    path = storage_path(data_dir, name)
    simulator = Simulator(script, path, clock, port=port, faults=faults, seed=seed, codec=CODECS.get(name))

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=simulator.server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    tell(simulator.url)
    simulator.serve()
    simulator.server.server_close()
    simulator.storage.close()
