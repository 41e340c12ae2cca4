"""What can be done with a gate: how it works, changed by planners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.platform.actions import ActionContext
from geo.corridor import Corridor
from geo.errors import NotFoundError
from routing import store as routing_store
from routing.store import StoredGateSetting


def change_gate(
    action: ActionContext, gate_id: str, direction: str, changes: Mapping[str, Any], *, expected_version: int
) -> StoredGateSetting:
    """Set how one direction of a gate works; raises InvalidInputError, NotFoundError, StaleError."""
    before = routing_store.get_gate_setting(action.session, gate_id, direction)
    after = routing_store.update_gate_setting(
        action.session,
        gate_id,
        direction,
        changes,
        version=expected_version,
        now=action.now,
        updated_by=action.actor.account_id,
    )
    action.record(
        "gate.setting",
        "gate",
        f"{gate_id}/{direction}",
        {name: getattr(before, name) for name in changes},
        {name: getattr(after, name) for name in changes},
    )
    return after


def get_gate_id(corridor: Corridor, gate_id: str) -> str:
    """The gate's id if the corridor has it; raises NotFoundError."""
    if gate_id not in {site.site_id for site in corridor.gates()}:
        raise NotFoundError("There is no gate {gate_id}.", field="gate", gate_id=gate_id)
    return gate_id
