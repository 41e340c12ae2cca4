"""How long a confirmation can be undone, and by whom. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from app.procedures.steps import Step, StepStatus
from app.sheets.store import NamedStep

UNDO_FOR: Final = timedelta(seconds=30)
"""So long a confirmation can be undone by who gave it."""


def undo_until(step: NamedStep, account_id: int) -> datetime | None:
    """Until when an account can undo a step; `None` if it did not confirm it."""
    if step.status != StepStatus.DONE or step.done_by != account_id or step.done_at is None:
        return None
    return None if step.step == Step.DECLARATION else _entered_at(step, step.done_at) + UNDO_FOR


def _entered_at(step: NamedStep, done_at: datetime) -> datetime:
    """When a confirmation was entered: of an act on paper later than it was done."""
    entered = step.data.get("entered_later")
    return datetime.fromisoformat(str(entered["entered_at"])) if isinstance(entered, dict) else done_at
