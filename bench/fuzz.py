"""Every decoder against a million inputs of Atheris (libFuzzer), the first of them guided by which lines they reach.

Formats of GPS clients over HTTP and MQTT, connections of trackers, plate cameras, files of traces. What is a fault says
`bench.fuzzing.targets`; one ends the run with the input that brought it about. Inputs grow from the real messages of
`bench.fuzzing.seeds`. Each decoder runs in a process of its own, as many at once as there are cores; one alone:
``python -m bench.fuzz --decoder osmand``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

INPUTS: Final = 1_000_000
GUIDED_INPUTS: Final = 100_000
"""So many are guided by coverage, which takes ten times as long; the others are blind changes of real messages."""
MIN_LARGEST_BYTES: Final = 1_024
"""Inputs may grow to this, and to twice the largest real message of a decoder."""
ROOT: Final = Path(__file__).parents[1]


def run(*, inputs: int = INPUTS) -> dict[str, int]:
    """How many inputs each decoder took without a fault, and how many lines and branches of ours they reached.

    Raises
    ------
    RuntimeError
        If one has a fault; the message ends with what Atheris says.
    """
    from bench.fuzzing.targets import TARGETS

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        guided = list(pool.map(lambda name: fuzz_apart(name, min(inputs, GUIDED_INPUTS)), TARGETS))
        blind = list(pool.map(lambda name: fuzz_apart(name, max(inputs - GUIDED_INPUTS, 0), is_blind=True), TARGETS))
    figures: dict[str, int] = {}
    for name, (taken, reached), (taken_blindly, _) in zip(TARGETS, guided, blind, strict=True):
        figures |= {f"{name}_inputs": taken + taken_blindly, f"{name}_reached": reached}
    return figures


def fuzz_apart(name: str, inputs: int, *, is_blind: bool = False) -> tuple[int, int]:
    """Inputs that a decoder took in a process of its own, and what they reached; `is_blind` as for `fuzz`.

    Raises
    ------
    RuntimeError
        If it has a fault.
    """
    if not inputs:
        return 0, 0
    command = [sys.executable, "-m", "bench.fuzz", "--decoder", name, "--inputs", str(inputs)]
    command += ["--blind"] * is_blind
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, errors="replace")
    counted = re.search(r"Done (\d+) runs in", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    if done.returncode or counted is None:
        raise RuntimeError(f"{name}: {(done.stdout + done.stderr)[-2000:]}")
    return int(counted[1]), int(reached[-1]) if reached else 0


def fuzz(name: str, inputs: int, *, is_blind: bool = False) -> None:
    """Feed one decoder until all inputs are through or one is a fault; does not return.

    `is_blind`: not guided by what the decoder's lines reach (libFuzzer stops if it is told of none at all).
    """
    import atheris

    judging = ["ingest.traces.trace"]  # thousands of points at once: no input alone reaches its lines
    ours = ["ingest.formats", "ingest.traces", "app.integrations.forms", "app.integrations.messages", "geo.errors"]
    readers = ["fitdecode", "pynmea2"]
    watched = ["geo.errors"] if is_blind else [*ours, *readers]
    with atheris.instrument_imports(include=watched, exclude=judging):
        from bench.fuzzing.seeds import seeds_of
        from bench.fuzzing.targets import TARGETS, TraceTarget

        target = TARGETS[name]
    count = 0

    def counted(data: bytes) -> None:
        nonlocal count
        target(data)
        count += 1
        if count >= inputs and isinstance(target, TraceTarget):
            target.judge()

    with tempfile.TemporaryDirectory(prefix="cuakhau-fuzz-") as folder:
        seeds = seeds_of(name)
        for number, seed in enumerate(seeds):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        max_bytes = max(MIN_LARGEST_BYTES, *(2 * len(seed) for seed in seeds))
        start = 2 if is_blind else 1
        options = [f"-runs={inputs}", f"-max_len={max_bytes}", "-timeout=60", f"-seed={start}"]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={tempfile.gettempdir()}/cuakhau-fuzz-", folder], counted
        )
        atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--decoder", required=True, help="the name of a format; `trace.gpx` for a reader of traces")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--blind", action="store_true", help="not guided by coverage, ten times as fast")
    asked = parser.parse_args()
    fuzz(asked.decoder, asked.inputs, is_blind=asked.blind)
