"""A line between a platform and a server that can be cut: a TCP proxy of one's own.

Cut *loudly* it refuses and resets connections, as when the server's process is gone. Cut *silently* it keeps them and
carries nothing, as when a switch is off: nobody gets an answer, and nobody an error.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator

_LINGER_NONE = struct.pack("ii", 1, 0)
_PIECE_BYTES = 1 << 16


class Line:
    """Carries connections from `port` on this machine to `target_port`; runs in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._peers: dict[socket.socket, socket.socket] = {}
        self._state = "whole"
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self, *, silently: bool) -> None:
        """Carry nothing more until `mend`."""
        with self._lock:
            self._state = "silent" if silently else "refusing"

    def mend(self) -> None:
        """Carry again. What was connected when the line was cut is reset."""
        with self._lock:
            self._state = "reset"

    def close(self) -> None:
        """End for good."""
        self._ended.set()
        self._thread.join(5)
        self._reset()
        self._listener.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ended.is_set():
                with self._lock:
                    state = self._state
                    if state == "reset":
                        self._state = "whole"
                if state in {"refusing", "reset"}:
                    for peer in list(self._peers):
                        selector.unregister(peer)
                    self._reset()
                if state == "silent":
                    self._ended.wait(0.05)
                    continue
                for key, _ in selector.select(0.05):
                    if key.fileobj is self._listener:
                        self._accept(selector, is_refused=state == "refusing")
                    else:
                        assert isinstance(key.fileobj, socket.socket)
                        self._carry(selector, key.fileobj)

    def _accept(self, selector: selectors.BaseSelector, *, is_refused: bool) -> None:
        near, _ = self._listener.accept()
        try:
            if is_refused:
                raise ConnectionRefusedError
            far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            _reset(near)
            return
        for source, other in ((near, far), (far, near)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source.settimeout(10)
            self._peers[source] = other
            selector.register(source, selectors.EVENT_READ)

    def _carry(self, selector: selectors.BaseSelector, source: socket.socket) -> None:
        other = self._peers.get(source)
        if other is None:
            return
        try:
            piece = source.recv(_PIECE_BYTES)
            if piece:
                other.sendall(piece)
                return
        except OSError:
            pass
        for ended in (source, other):
            del self._peers[ended]
            selector.unregister(ended)
            ended.close()

    def _reset(self) -> None:
        for peer in list(self._peers):
            _reset(peer)
        self._peers.clear()


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    connection.close()


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a server on this machine, closed at the end."""
    line = Line(port)
    try:
        yield line
    finally:
        line.close()
