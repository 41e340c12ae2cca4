"""Whether an act on a sheet was done so already: a second tap changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.procedures.procedure import Sheet
from app.procedures.steps import StepStatus
from app.sheets import store


def is_done_by(session: Session, trip_id: int, sheet: Sheet, step: str, principal: Principal | None) -> bool:
    """Whether a step is done, and by the same."""
    if sheet.state()[step] != StepStatus.DONE:
        return False
    actor_id = principal.account_id if principal else None
    return any(row.step == step and row.done_by == actor_id for row in store.steps_of(session, trip_id))


def was_returned_so(
    session: Session, trip_id: int, step: str, principal: Principal, data: Mapping[str, object]
) -> bool:
    """Whether the last act was the same return by the same officer."""
    line = store.last_line(session, trip_id, "sheet")
    return (
        line is not None
        and line.actor_id == principal.account_id
        and {name: line.data.get(name) for name in ("act", "step", *data)} == {"act": "return", "step": step, **data}
    )


def was_turned_back_by(session: Session, trip_id: int, principal: Principal) -> bool:
    """Whether it was the same officer who said that the truck turned back."""
    line = store.last_line(session, trip_id, "turned_back")
    return line is not None and line.actor_id == principal.account_id
