"""Weather warnings of gates, as a weather service gives, changes and takes them back: announced as bans and outages
are, told to the trips that they concern. Nothing is stopped by one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import true

from app.gates import service as gate_service
from app.gates.notice import GateNotice
from app.gates.vocabulary import NoticeChange, NoticeKind, NoticeState
from app.notices import store
from app.notices.service import record, tell
from app.platform.actions import ActionContext
from geo.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class WeatherWarning:
    """The newest word of a warning that its service knows by `source_ref`: of these gates, of all if none is named.

    `version` counts what is said of it. `is_withdrawn`: taken back.
    """

    source_ref: str
    version: int
    gates: Collection[str]
    text: str
    starts_at: datetime
    ends_at: datetime
    is_withdrawn: bool = False
    is_simulated: bool = False


def take_warning(action: ActionContext, warning: WeatherWarning) -> bool:
    """Announce, change or end a warning, as its newest word says; whether it was newer than what was known.

    A gate that is named no more is warned no more. What is taken back before it was heard of stays taken back.

    Raises
    ------
    InvalidInputError
        If a gate is none of ours, or it ends before it begins.
    """
    if warning.ends_at <= warning.starts_at:
        raise InvalidInputError(
            "The end {value} must come after the beginning.", field="ends_at", value=warning.ends_at.isoformat()
        )
    ours = store.gate_ids(action.session)
    if unknown := sorted(set(warning.gates) - ours):
        raise InvalidInputError("There is no gate {gate_id}.", field="gates", gate_id=unknown[0])
    known = gate_service.notices_of_source(action.session, warning.source_ref)
    if any(version >= warning.version for _, version in known.values()):
        return False
    for gate_id in sorted(set(warning.gates or ours) | known.keys()):
        is_over = warning.is_withdrawn or (bool(warning.gates) and gate_id not in warning.gates)
        before = known[gate_id][0] if gate_id in known else None
        if before is None:
            _announce(action, warning, gate_id)
        else:
            _change(action, warning, before, is_over=is_over)
    return True


def _announce(action: ActionContext, warning: WeatherWarning, gate_id: str) -> None:
    is_over = warning.is_withdrawn or warning.ends_at <= action.now
    begun = NoticeChange.PLANNED if warning.starts_at > action.now else NoticeChange.BEGUN
    values = {
        **_said(warning),
        "kind": NoticeKind.WEATHER,
        "gate_id": gate_id,
        "source_ref": warning.source_ref,
        "goods": [],
        "regimes": [],
        "created_role": "",
        "created_at": action.now,
        "over_at": action.now if warning.is_withdrawn else None,
        "announced": NoticeChange.OVER if is_over else begun,
    }
    notice = gate_service.insert_notice(action.session, values)
    record(action, "create", None, notice)
    if not is_over:
        tell(action, notice, begun)


def _change(action: ActionContext, warning: WeatherWarning, before: GateNotice, *, is_over: bool) -> None:
    concerned = store.trips_concerned(action.session, before, true(), action.now)
    values = {**_said(warning), "over_at": action.now if is_over else None}
    after = gate_service.update_notice(action.session, before.notice_id, values)
    record(action, "end" if is_over else "change", before, after)
    was_over, now_over = (each.state(action.now) is NoticeState.OVER for each in (before, after))
    if not (was_over and now_over):
        tell(action, after, NoticeChange.OVER if now_over else NoticeChange.CHANGED, earlier=concerned)


def _said(warning: WeatherWarning) -> dict[str, object]:
    return {
        "cause": warning.text,
        "starts_at": warning.starts_at,
        "ends_at": warning.ends_at,
        "source_version": warning.version,
        "is_simulated": warning.is_simulated,
    }
