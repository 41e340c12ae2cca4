"""Runs the measurements by name; with `--json` the last line is one JSON object of the figures."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    """Run the named measurements, all of them without a name."""
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*NAMES, []], help=f"one of {', '.join(NAMES)}; none for all")
    parser.add_argument("--minutes", type=float, help="how long a measurement that can be of any length takes")
    parser.add_argument("--hours", type=float, help="the same in hours")
    parser.add_argument("--inputs", type=int, help="how many inputs a decoder is fuzzed with")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    names: list[str] = arguments.name or NAMES
    minutes: float | None = arguments.minutes if arguments.hours is None else arguments.hours * 60.0
    figures: dict[str, dict[str, Any]] = {}
    for name in names:
        print(f"── {name}", flush=True)
        run = importlib.import_module(f"bench.{name}").run
        said = {"minutes": minutes, "inputs": arguments.inputs}
        taken = inspect.signature(run).parameters
        figures[name] = run(**{key: value for key, value in said.items() if value is not None and key in taken})
        for key, value in figures[name].items():
            print(f"  {key:<34} {value:.4g}" if isinstance(value, float) else f"  {key:<34} {value}", flush=True)
    if arguments.json:
        print(json.dumps(figures[names[0]] if len(names) == 1 else figures))


if __name__ == "__main__":
    main()
