"""What the events of an electronic seal amount to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

SealState = Literal["closed", "opened", "tampered", "unknown"]


def seal_state(kinds: Iterable[str]) -> SealState:
    """The state of a seal on one trip after its events, oldest first.

    Once tampered with, a seal stays so for the trip: closing it again does not undo what may have happened.
    """
    state: SealState = "unknown"
    for kind in kinds:
        if state != "tampered" and kind in {"closed", "opened", "tampered"}:
            state = kind  # type: ignore[assignment]
    return state
