"""How the engine's rules are compiled, kept on disk (`geo.compiling`), and prepared before anybody waits for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba.core import event

from geo.compiling import digest, keep

F = TypeVar("F", bound=Callable[..., Any])
Prepared = Callable[[int, int], None]
"""Told how many parts of how many are compiled."""

SOURCES: Final = ("arrays", "compiling", "engine", "link_rules", "queue_tail", "run_state", "simulation")
"""Modules whose contents the compiled code depends on."""
PARTS: Final = 56
"""Functions that Numba compiles for the engine, its own included, where nothing is kept (measured, Numba 0.68)."""


DIGEST: Final = digest(Path(__file__).parent, SOURCES)


def _kept(function: Callable[..., Any], **options: Any) -> Any:
    return keep(function, DIGEST, **options)


def compiled(function: F) -> F:
    """Compile `function` to machine code, kept on disk, releasing the interpreter lock while it runs."""
    return cast(F, _kept(function))


def uncounted(function: F) -> F:
    """As `compiled`, for a function that makes no arrays: the caller holds them all, and none is counted."""
    return cast(F, _kept(function, _nrt=False))


def rule(function: F) -> F:
    """Compile a rule of the engine into its callers, without reference counts of arrays. Python cannot call it.

    The rules allocate nothing, and the caller holds every array. Counting references and handing fifty arrays over
    at each call would take fifty times as long as the rules themselves (measured, Numba 0.68).
    """
    # Nothing by which Python could call: for a hundred arrays that is more code, and longer to compile, than a rule.
    return cast(F, _kept(function, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True))


class _Counter(event.Listener):
    def __init__(self, tell: Prepared) -> None:
        self.tell, self.done = tell, 0

    def on_start(self, _event: Any) -> None:
        """Nothing is told before a part is done."""

    def on_end(self, _event: Any) -> None:
        """One part more."""
        self.done = min(self.done + 1, PARTS)
        self.tell(self.done, PARTS)


def while_compiling(work: Callable[[], None], tell: Prepared) -> None:
    """Do `work`, and `tell` of each part that it makes Numba compile; of nothing when all is kept on disk already."""
    counter = _Counter(tell)
    with event.install_listener("numba:compile", counter):
        work()
