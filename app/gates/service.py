"""What can be done with a gate: how it works, changed by planners."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.platform import audit
from app.platform.permissions import Principal
from geo.corridor import Corridor
from geo.errors import NotFoundError
from routing import store as routing_store
from routing.store import StoredGateSetting


def change_gate(
    session: Session,
    principal: Principal,
    gate_id: str,
    direction: str,
    changes: Mapping[str, Any],
    *,
    version: int,
    now: datetime,
    address: str = "",
) -> StoredGateSetting:
    """Set how one direction of a gate works; raises InvalidInputError, NotFoundError, StaleError."""
    before = routing_store.get_gate_setting(session, gate_id, direction)
    after = routing_store.update_gate_setting(
        session, gate_id, direction, changes, version=version, now=now, updated_by=principal.account_id
    )
    audit.record(
        session,
        principal,
        "gate.setting",
        "gate",
        f"{gate_id}/{direction}",
        {name: getattr(before, name) for name in changes},
        {name: getattr(after, name) for name in changes},
        at=now,
        address=address,
    )
    return after


def get_gate_id(corridor: Corridor, gate_id: str) -> str:
    """The gate's id if the corridor has it; raises NotFoundError."""
    if gate_id not in {site.site_id for site in corridor.gates()}:
        raise NotFoundError("There is no gate {gate_id}.", field="gate", gate_id=gate_id)
    return gate_id
