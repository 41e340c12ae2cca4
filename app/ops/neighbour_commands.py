"""The command that simulates a neighbour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def neighbour(
    name: Annotated[
        str,
        typer.Argument(
            help="Which: customs, registration, bank, single-window, nanning, seals, text-messages, weather."
        ),
    ],
    port: Annotated[int, typer.Option(help="Port of this machine; 0: a free one, which is printed.")] = 0,
    data_dir: Annotated[Path, typer.Option(help="Where its own storage is kept.")] = Path("var"),
    seed: Annotated[int, typer.Option(help="Seed of what it makes up and of how it misbehaves.")] = 0,
    slow: Annotated[float, typer.Option(min=0, max=1, help="Share of exchanges in which it is slow.")] = 0.0,
    slow_s: Annotated[float, typer.Option(min=0, help="How slow, in seconds.")] = 3.0,
    fails: Annotated[float, typer.Option(min=0, max=1, help="Share in which it fails or cuts the line.")] = 0.0,
    repeats: Annotated[float, typer.Option(min=0, max=1, help="Share in which it sends again what it sent.")] = 0.0,
    wrong: Annotated[float, typer.Option(min=0, max=1, help="Share in which its answer cannot be read.")] = 0.0,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="What it keeps comes in any order.")] = False,
) -> None:
    """Simulate a system of others, such as customs': a process of its own with storage of its own.

    It is no customs' system: what it knows is made up from the seed, or told it by PUT /records/KEY.
    """
    from app.integrations.simulators.faults import Faults
    from app.integrations.simulators.running import run_simulator
    from app.settings import get_settings

    faults = Faults(slow, slow_s, fails, repeats, wrong, shuffle)
    run_simulator(name, data_dir, get_settings().clock(), port=port, faults=faults, seed=seed, tell=typer.echo)
