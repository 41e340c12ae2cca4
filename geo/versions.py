"""Optimistic locking: who edits what another has changed since is told so and overwrites nothing."""

from __future__ import annotations

from geo.errors import StaleError


def check_version(present: int, expected: int | None) -> None:
    """Let pass who saw the present version of a thing; an act of the platform itself expects none (`None`).

    Raises
    ------
    StaleError
        If the thing was changed since.
    """
    if expected is not None and present != expected:
        raise stale(present, expected)


def stale(present: int, expected: int) -> StaleError:
    """The refusal of an edit of version `expected` of a thing that has the version `present` by now."""
    return StaleError(
        "This was changed since you opened it: you saw version {expected}, now it is version {present}. "
        "Look at it again.",
        expected=expected,
        present=present,
    )
