"""Functions compiled with Numba and kept on disk until one of the files that they are made of changes.

Numba takes what it has compiled from disk as long as the file with the function is unchanged. Where functions of one
file are built into those of another, what is kept counts for the contents of all of them: never a stale rule after an
update, and nothing compiled again because a file was written again with the same contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

SOURCES: Final = ("compiling", "corridor_kernel", "fixes", "match_kernel", "motion")
"""Modules of this package whose contents the compiled code depends on."""


def digest(folder: Path, modules: Iterable[str]) -> str:
    """What stands in place of the time and size of a compiled function's own file."""
    found = hashlib.sha256()
    for name in modules:
        found.update((folder / f"{name}.py").read_bytes())
    return found.hexdigest()


def keep(function: Callable[..., Any], stamp: str, **options: Any) -> Any:
    """Compile `function`, kept on disk while `stamp` is the same; it divides by zero as NumPy does."""
    dispatcher = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    dispatcher._cache._cache_file._source_stamp = stamp
    return dispatcher


DIGEST: Final = digest(Path(__file__).parent, SOURCES)


def compiled(function: F) -> F:
    """Compile a function of this package to machine code that releases the interpreter lock while it runs.

    It makes no arrays: the caller holds them all, and none is counted.
    """
    return cast(F, keep(function, DIGEST, _nrt=False))


def inlined(function: F) -> F:
    """As `compiled`, into its callers: handing dozens of arrays over at each call would cost more than its work."""
    return cast(F, keep(function, DIGEST, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True))
