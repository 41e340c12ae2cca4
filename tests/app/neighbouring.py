"""Neighbours that tests exchange with: a simulator on a port of this machine, and the exchange with it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.integrations import store
from app.integrations.exchange import Exchanger
from app.integrations.neighbour import Neighbour
from app.integrations.simulators.faults import Faults
from app.integrations.simulators.server import Script, Simulator
from app.platform.runtime import Runtime


@contextmanager
def simulated(runtime: Runtime, script: Script, folder: Path, **options: object) -> Iterator[Simulator]:
    """A simulator that listens, until the end; `options` as those of `Simulator`."""
    simulator = Simulator(script, folder / f"{script.name}.sqlite", runtime.clock, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=simulator.serve, daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        simulator.close()
        thread.join()


def connect(runtime: Runtime, neighbour: Neighbour, url: str, secret: str = "") -> Exchanger:
    """Connect a neighbour, beside those that are, and exchange with it by hand, round after round."""
    with runtime.sessions() as session:
        names = {name for name, row in store.list_neighbours(session).items() if row.is_connected}
        store.set_connected(session, names | {neighbour.name})
        session.commit()
    return Exchanger(runtime, neighbour, neighbour.connect(url, secret, neighbour.codec), random.Random(7))


def exchange(exchanger: Exchanger, *, rounds: int = 3) -> None:
    """Exchange until nothing is to be done, at most so many rounds."""
    for _ in range(rounds):
        if not exchanger.run_round():
            return


FAULTY = Faults(fails=0.3, repeats=0.5, wrong=0.1, shuffles=True)
"""A neighbour that misbehaves in all ways but slowly."""
