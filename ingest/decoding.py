"""Messages read by their formats so that the event loop gets its turn, however large they are.

Small messages are read at once. Larger ones in a thread, one at a time, since they share the interpreter with all else;
the largest in a process of their own with limits, one at a time and after everything that is more urgent.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Final, TypeAlias, TypeVar, TypeVarTuple, Unpack

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process, to_thread

from geo.errors import MalformedError, UnavailableError
from ingest.formats.gps_format import Decoded, GpsFormat, RawMessage
from ingest.formats.report import Report, ReportColumns
from ingest.stream import RETRY_AFTER_S

IN_THREAD_FROM_BYTES: Final = 64 * 1024
APART_FROM_BYTES: Final = 2**20
MAX_CPU_S: Final = 20.0
"""Eight megabytes take half a second, at their worst two."""
MAX_MEMORY_BYTES: Final = 600 * 2**20
NICENESS: Final = 5
PART_REPORTS: Final = 250
"""Reports that are taken in between two turns of the event loop."""

Parts: TypeAlias = Iterable[list[Report]]
_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


class MessageReader:
    """Reads the messages of one intake; lives in one event loop."""

    def __init__(self) -> None:
        self._thread, self._process = CapacityLimiter(1), CapacityLimiter(1)

    async def decode(self, gps_format: GpsFormat, message: RawMessage) -> Parts | ReportColumns:
        """What a message says: columns, or reports in parts of at most `PART_REPORTS`.

        Raises
        ------
        MalformedError, EncryptedError
            If it cannot be read, or not with the time and memory that are meant for it.
        UnavailableError
            If the process that read it was ended by something else.
        """
        size_bytes = len(message.payload)
        if size_bytes > gps_format.max_bytes:
            raise MalformedError("The message is larger than {limit} bytes.", limit=gps_format.max_bytes)
        if size_bytes > APART_FROM_BYTES:
            found = await self.apart(_decode_packed, gps_format.decode, message)
            return found if isinstance(found, ReportColumns) else map(_unpack, found)
        if size_bytes > IN_THREAD_FROM_BYTES:
            decoded = await self.in_thread(partial(gps_format.decode, message))
        else:
            decoded = gps_format.decode(message)
        return decoded if isinstance(decoded, ReportColumns) else _in_parts(decoded)

    async def in_thread(self, work: Callable[[], _Answer]) -> _Answer:
        """The result of `work`, done in a thread when no other is."""
        return await to_thread.run_sync(work, limiter=self._thread)

    async def apart(self, work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
        """The result of `work` (a function of a module), done within limits in a process that is there for such work.

        Raises
        ------
        MalformedError
            If it takes more than `MAX_CPU_S` or `MAX_MEMORY_BYTES`; as well what `work` raises.
        UnavailableError
            If the process was ended by something else.
        """
        try:
            return await to_process.run_sync(
                work_within_limits, work, *arguments, cancellable=True, limiter=self._process
            )
        except BrokenWorkerProcess:
            raise UnavailableError(
                "What was sent could not be read now; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
            ) from None


def work_within_limits(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """The result of `work`, in the process of `MessageReader.apart`.

    Raises
    ------
    MalformedError
        If it takes more than `MAX_CPU_S` or `MAX_MEMORY_BYTES`.
    """
    _limit_process()
    signal.setitimer(signal.ITIMER_PROF, MAX_CPU_S)
    try:
        return work(*arguments)
    except (MemoryError, _TooLongError):
        raise MalformedError("What was sent takes too much to read; send smaller pieces.") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def _decode_packed(decode: Callable[[RawMessage], Decoded], message: RawMessage) -> ReportColumns | list[bytes]:
    """Columns, or lists of at most `PART_REPORTS` reports, each packed: they need not be unpacked all at once."""
    decoded = decode(message)
    if isinstance(decoded, ReportColumns):
        return decoded
    return [pickle.dumps(part) for part in _in_parts(decoded)]


class _TooLongError(Exception):
    pass


@cache
def _limit_process() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _stop)
    os.nice(NICENESS)


def _stop(*_: object) -> None:
    raise _TooLongError


def _in_parts(reports: list[Report]) -> Parts:
    return (reports[start : start + PART_REPORTS] for start in range(0, len(reports), PART_REPORTS))


def _unpack(part: bytes) -> list[Report]:
    reports: list[Report] = pickle.loads(part)  # noqa: S301 - of our own process
    return reports
