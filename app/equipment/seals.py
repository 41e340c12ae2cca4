"""What the events of an electronic seal amount to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.gates.vocabulary import SealEventKind, SealState


def seal_state(kinds: Iterable[str]) -> SealState:
    """The state of a seal on one trip after its events, oldest first.

    Once tampered with, a seal stays so for the trip: closing it again does not undo what may have happened.
    """
    state = SealState.UNKNOWN
    for kind in kinds:
        if state is not SealState.TAMPERED:
            state = SealState(SealEventKind(kind).value)
    return state
