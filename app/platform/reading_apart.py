"""Files of strangers read in a process of its own, with limits: a small one can unpack to hours of work and gigabytes.

The child is forked off a server that has nothing in it but the readers; what it may use is set before it looks at the
file, and the kernel ends it beyond that. A process of the platform has one read at a time; a few wait, each with what
its request holds, and who comes then is told at once to come again.
"""

from __future__ import annotations

import multiprocessing
import resource
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Final, TypeVar, TypeVarTuple, Unpack

from geo.errors import CuaKhauError, UnavailableError

MAX_CPU_S: Final = 20
"""A table of five thousand rows takes two, a picture of 80 million pixels one."""
MAX_MEMORY_BYTES: Final = 600 * 2**20
MAX_WAIT_S: Final = 60.0
MAX_WAITING: Final = 4
PRELOADED: Final = ["app.platform.table_cells", "PIL.Image"]

_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")
_here = threading.BoundedSemaphore(MAX_WAITING)
_reads = threading.Lock()


def read_apart(
    work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments, too_much: CuaKhauError
) -> _Answer:
    """The result of `work`, a function of a module that is given what a stranger sent.

    Raises
    ------
    CuaKhauError
        `too_much` if it takes more time or memory than such files do; as well what `work` raises.
    UnavailableError
        If too many are being read now.
    """
    with ExitStack() as stack:
        if not _here.acquire(blocking=False):
            raise _busy()
        stack.callback(_here.release)
        if not _reads.acquire(timeout=MAX_WAIT_S):
            raise _busy()
        stack.callback(_reads.release)
        found = _read(work, arguments)
    if found is None:
        raise too_much
    if isinstance(found, CuaKhauError):
        raise found
    return found[0]


def _read(
    work: Callable[[Unpack[_Arguments]], _Answer], arguments: tuple[*_Arguments]
) -> tuple[_Answer] | CuaKhauError | None:
    """What the child answers: a result, what was wrong, or nothing, since it was ended."""
    ours, theirs = _processes().Pipe(duplex=False)
    child = _processes().Process(target=_work_within_limits, args=(theirs, work, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        if ours.poll(MAX_WAIT_S):
            found: tuple[_Answer] | CuaKhauError = ours.recv()
            return found
    except EOFError:
        pass  # the kernel ended it
    finally:
        child.kill()
        child.join()
        child.close()
        ours.close()
    return None


@cache
def _processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *PRELOADED])
    return context


def _work_within_limits(
    answer: Connection, work: Callable[[Unpack[_Arguments]], _Answer], arguments: tuple[*_Arguments]
) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        outcome: tuple[_Answer] | CuaKhauError = (work(*arguments),)
    except CuaKhauError as error:
        outcome = error
    except MemoryError:
        return  # no answer is the answer
    answer.send(outcome)


def _busy() -> UnavailableError:
    return UnavailableError("Too many files are being read; try again in a minute.", retry_after_s=60)
