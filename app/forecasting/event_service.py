"""Events at other borders that planners know to change who comes here: told, listed, withdrawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from app.forecasting import event_store
from app.forecasting.demand_events import DemandEvent
from app.forecasting.event_store import list_events as list_events
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from geo.errors import InvalidInputError, NotFoundError

MAX_FACTOR: Final = 10.0
MAX_LENGTH: Final = timedelta(days=366)
MAX_CAUSE: Final = 300


def add_event(action: ActionContext, event: DemandEvent, gates: Collection[str]) -> int:
    """Tell of an event; its id. Forecasts count with it from the next minute on.

    Raises
    ------
    InvalidInputError
        If a value cannot be accepted; `field` names it.
    """
    if event.gate_id is not None and event.gate_id not in gates:
        raise InvalidInputError("There is no gate {value}.", field="gate_id", value=event.gate_id)
    if not 0.0 <= event.factor <= MAX_FACTOR:
        raise InvalidInputError(
            "{value} times as many trucks is not possible; give 0 to {limit}.",
            field="factor",
            value=event.factor,
            limit=MAX_FACTOR,
        )
    if event.ends_at <= max(event.starts_at, action.now):
        raise InvalidInputError(
            "The end {value} is not after the beginning, or has passed; give a later one.",
            field="ends_at",
            value=event.ends_at.isoformat(),
        )
    if event.ends_at - event.starts_at > MAX_LENGTH:
        raise InvalidInputError(
            "The end {value} is more than a year after the beginning; give an earlier one.",
            field="ends_at",
            value=event.ends_at.isoformat(),
        )
    if not event.cause.strip() or len(event.cause) > MAX_CAUSE:
        raise InvalidInputError(
            "Say in 1 to {limit} characters what happens, and where.", field="cause", limit=MAX_CAUSE
        )
    event_id = event_store.insert_event(action.session, event, created_by=action.actor_id, now=action.now)
    action.record("demand_events.create", "demand_event", event_id, None, _record(event))
    return event_id


def withdraw_event(action: ActionContext, event_id: int) -> None:
    """Take an event back; raises NotFoundError if there is none, or it was withdrawn already."""
    event = event_store.withdraw_event(action.session, event_id, action.now)
    if event is None:
        raise NotFoundError("There is no event {event_id}, or it was withdrawn.", event_id=event_id)
    action.record("demand_events.withdraw", "demand_event", event_id, _record(event), None)


def _record(event: DemandEvent) -> JsonObject:
    values = asdict(event)
    values.pop("event_id")
    return values | {"starts_at": event.starts_at.isoformat(), "ends_at": event.ends_at.isoformat()}
