"""Several web processes on one port: one listens, all accept; each is started again when it dies.

The socket is this process', so that what has connected and nobody has accepted yet waits for the others when one dies,
and for the next when all are away; with SO_REUSEPORT each would lose what waits for it. Figures of requests are
gathered in files that all processes write (`prometheus_client.multiprocess`), so that whichever is asked tells of all.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import FrameType
from typing import Final

import structlog
from prometheus_client import multiprocess

from app.ops.child_processes import Part, ends_with_its_parent, start, stop, tend
from app.settings import Settings
from geo.errors import UnavailableError

BACKLOG: Final = 2048
LET_GO_S: Final = 5.0
"""How long processes that are told to stop may take to stop listening, once they have drained."""
METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""What `prometheus_client` reads its folder from."""

log = structlog.get_logger("web")


def run_web_processes(settings: Settings, count: int, *, finish_s: float) -> None:
    """Serve with `count` processes until told to stop; they drain, and finish what is under way within `finish_s`.

    Raises
    ------
    UnavailableError
        If the port cannot be used.
    """
    is_stopping = False

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    listener = listen(settings.host, settings.port, patience_s=settings.drain_s + LET_GO_S)
    with tempfile.TemporaryDirectory(prefix="cuakhau-metrics-") as folder:
        parts = [_process(number, listener, folder) for number in range(1, count + 1)]
        for part in parts:
            start(part, _say)
        while not is_stopping:
            for pid in tend(parts, _say):
                multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
            time.sleep(0.2)
        listener.close()  # from now on it is the processes' alone, until each stops listening
        stop(parts, settings.drain_s + finish_s + 5.0)


def listen(host: str, port: int, *, patience_s: float = 0.0) -> socket.socket:
    """A socket that processes can share; it is waited for as long as those of a parent that was killed may drain.

    Raises
    ------
    UnavailableError
        If the port cannot be used.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            made.bind((host, port))
            made.listen(BACKLOG)
            return made
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                made.close()
                raise UnavailableError(
                    "Port {port} cannot be used ({reason}); choose another with --port or CUAKHAU_PORT.",
                    port=port,
                    reason=error.strerror,
                ) from None
        time.sleep(0.1)


def _process(number: int, listener: socket.socket, folder: str) -> Part:
    def launch() -> subprocess.Popen[bytes]:
        descriptor = listener.fileno()
        command = [sys.executable, "-m", "app.cli", "serve", "--descriptor", str(descriptor)]
        return subprocess.Popen(
            ends_with_its_parent(command),
            env=os.environ | {METRICS_DIR: folder},
            stdin=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,
        )

    return Part(f"web process {number}", launch)


def _say(text: str) -> None:
    log.warning(text)
