"""Child processes that are kept running: started, started again when they die, stopped together."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

STOP_TIMEOUT_S: Final = 15.0
SETTLED_S: Final = 10.0
"""A part that lived for longer did not die of its start."""
MAX_PAUSE_S: Final = 15.0


@dataclass
class Part:
    """One child process, how it is started, and how often it had to be."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    started_at: float = 0.0
    next_start: float = 0.0


def start(part: Part, say: Callable[[str], None]) -> None:
    """Start a part; what keeps it from starting is said, and tried again by `tend`."""
    part.starts += 1
    part.started_at = time.monotonic()
    try:
        part.process = part.launch()
    except OSError as error:  # a full disk, no memory
        say(f"{part.name} cannot be started: {error}")


def tend(parts: Sequence[Part], say: Callable[[str], None]) -> list[int]:
    """Start again what has died: at once if it had worked for a while, else with growing pauses.

    The numbers of the processes that were found dead.
    """
    now, dead = time.monotonic(), []
    for part in parts:
        if part.process is None:
            if now >= part.next_start:
                start(part, say)
                part.next_start = now + MAX_PAUSE_S if part.process is None else 0.0
            continue
        if part.process.poll() is None:
            continue
        if part.next_start < part.started_at:
            lived_s = now - part.started_at
            part.starts = 1 if lived_s > SETTLED_S else part.starts
            part.next_start = now + min(MAX_PAUSE_S, 2.0 ** (part.starts - 1) - 1)
            dead.append(part.process.pid)
            say(f"{part.name} stopped (status {part.process.returncode}). Starting it again.")
        if now >= part.next_start:
            start(part, say)
    return dead


def stop(parts: Sequence[Part], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Tell all parts to stop, the last one first, and wait for them; who takes too long is killed."""
    for part in reversed(parts):
        if part.process is not None and part.process.poll() is None:
            part.process.terminate()
    deadline = time.monotonic() + timeout_s
    for part in parts:
        if part.process is None:
            continue
        try:
            part.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            part.process.kill()
            part.process.wait()


def ends_with_its_parent(command: list[str]) -> list[str]:
    """`command`, stopped by the kernel should the process that starts it be killed."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--", *command]
