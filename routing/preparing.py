"""Compiles the engine, or finds it kept: `python -m routing.preparing` at set-up, and before the first forecast.

At set-up map matching is compiled with it.

What it runs is a forecast as small as it can be, with the kinds of arrays that all others have.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from geo.corridor import Corridor
from geo.matching import Matcher
from routing.compiling import Prepared, while_compiling
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.graph import build_network

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def prepare(tell: Prepared | None = None) -> None:
    """Have the engine compiled; `tell` is called after each part, and not at all where nothing was left to do."""
    network = build_network(Corridor.default())
    state = CorridorState(made_at=MOMENT)

    def work() -> None:
        forecast(network, state, runs=1, horizon_s=600.0, step_s=300.0, seed=1, threads=1)

    while_compiling(work, tell or (lambda _done, _parts: None))


def main() -> None:
    """Prepare the engine, counting parts on a terminal."""
    terminal = sys.stderr.isatty()

    def show(done: int, parts: int) -> None:
        if terminal:
            print(f"\rcompiling the engine: {done} of {parts}", end="", file=sys.stderr, flush=True)

    Matcher(Corridor.default()).prepare()
    prepare(show)
    if terminal:
        print(f"\r{' ' * 40}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
