"""What trackers speak over a connection of their own: the one description from which the gateway serves a protocol.

A protocol is a file of this package that ends in its `FORMAT`, and its line in `registry.py`. Nothing here opens a
socket: a `Conversation` is fed the bytes of one connection and makes messages of them, each of which says how it is
answered once the gateway knows what became of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from geo.errors import MalformedError
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.report import RefusalReason

IDENTIFIER_HEADER = "identifier"
"""In `RawMessage.headers`: the identifier or number that the sender of a connection has proven or named."""
MAX_PENDING_BYTES = 8 * 1024
"""Of a message that is not complete yet; far more than any of these protocols allows."""


class MessageKind(StrEnum):
    """What a message of a terminal asks of the gateway."""

    REGISTER = "register"
    AUTHENTICATE = "authenticate"
    REPORTS = "reports"
    ALIVE = "alive"
    TIME = "time"
    LOGOUT = "logout"
    COMMAND_ANSWER = "command_answer"
    PART = "part"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"


class Outcome(StrEnum):
    """What became of a message; each protocol has its own codes for it."""

    DONE = "done"
    SEND_AGAIN = "send_again"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    UNKNOWN_TERMINAL = "unknown_terminal"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class Part:
    """One of the pieces in which a long message comes: `index` of `total`, from 1; `group` tells messages apart."""

    group: str
    index: int
    total: int


def damaged(reason: str) -> MalformedError:
    """The error of a message that cannot be read; its reason is for the log, no terminal shows it to anybody."""
    return MalformedError("The message is damaged: {reason}.", reason=reason)


def no_answer(_outcome: Outcome, _told: str) -> bytes:
    """For messages that their protocol leaves without one."""
    return b""


@dataclass(frozen=True, slots=True)
class TerminalMessage:
    """One message of a terminal, its frame checked and taken off, its contents not read yet.

    `terminal` is the number it names, or empty; `payload` is what the protocol's `gps_format` decodes; `secret` is
    what it proves itself by. `reason` and `fault` say why it could not be read. `answer` makes the bytes to send back
    of what became of it and what the terminal is told: the secret that a registration gives it, the digits YYMMDDhhmmss
    of the time in UTC that it asks for.
    """

    kind: MessageKind
    terminal: str = ""
    payload: bytes = b""
    secret: str = ""
    part: Part | None = None
    command: int | None = None
    """The number of the command that a terminal answers, as the conversation sent it."""
    is_obeyed: bool = False
    reason: RefusalReason | None = None
    fault: str = ""
    answer: Callable[[Outcome, str], bytes] = field(default=no_answer)

    def raw(self, identifier: str) -> RawMessage:
        """As the intake takes it, from a sender that is known as `identifier`."""
        return RawMessage(self.payload, headers={IDENTIFIER_HEADER: identifier})


class Conversation(Protocol):
    """One connection: bytes in, messages out. Never raises for what a terminal sends."""

    @property
    def pending_bytes(self) -> int:
        """How much of a message has come that is not complete yet; never more than `MAX_PENDING_BYTES`."""
        ...

    def feed(self, data: bytes) -> list[TerminalMessage]:
        """The messages that these bytes complete."""
        ...

    def join(self, last: TerminalMessage, payloads: Sequence[bytes]) -> TerminalMessage:
        """The whole message of pieces, in order; it is answered as `last`, the piece that completed it."""
        ...

    def missing(self, last: TerminalMessage, indices: Sequence[int]) -> bytes:
        """What asks the terminal for the pieces that did not come; empty if the protocol has no such thing."""
        ...

    def text(self, terminal: str, text: str) -> tuple[int, bytes] | None:
        """A text for the driver as a command, and its number; `None` if the protocol has no such command."""
        ...


class WholeMessages(ABC):
    """A conversation whose messages never come in pieces of their own: `_cut` takes them off what is pending."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def pending_bytes(self) -> int:
        """How much of a message has come that is not complete yet."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[TerminalMessage]:
        """The messages that these bytes complete."""
        self._pending += data
        return list(self._cut())

    def join(self, last: TerminalMessage, _payloads: Sequence[bytes]) -> TerminalMessage:
        """Nothing comes in pieces."""
        return last

    def missing(self, _last: TerminalMessage, _indices: Sequence[int]) -> bytes:
        """Nothing comes in pieces."""
        return b""

    def text(self, _terminal: str, _text: str) -> tuple[int, bytes] | None:
        """No screen, unless the protocol has one."""
        return None

    @abstractmethod
    def _cut(self) -> Iterator[TerminalMessage]:
        """Take complete messages off `_pending`."""


@dataclass(frozen=True)
class TerminalFormat:
    """A protocol of trackers: `gps_format` reads the positions, `open` begins a connection's conversation."""

    name: str
    title: str
    gps_format: GpsFormat
    open: Callable[[], Conversation]
