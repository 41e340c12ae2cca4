"""Yards and places in them, as people are shown them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.trip_eta.reasons import Wording
from app.trips.scope import visible_trips
from app.yards import store
from app.yards.service import describe_yard
from capacity import store as capacity_store
from geo.corridor import Corridor
from routing import store as routing_store


def describe_yards(
    session: Session, corridor: Corridor, now: datetime, *, gate_id: str | None = None
) -> list[dict[str, Any]]:
    """All yards (of a gate) as of now, each with its names and the forecast of its occupancy if there is one."""
    return [
        describe_yard(state)
        | {
            "name": corridor.sites[state.yard_id].name if state.yard_id in corridor.sites else {},
            "forecast": find_yard_forecast(session, state.yard_id),
        }
        for state in capacity_store.yard_states(session, now, gate_id=gate_id)
    ]


def find_yard_forecast(session: Session, yard_id: str) -> dict[str, Any] | None:
    """The newest forecast of a yard's occupancy as plain values [quantile][time]."""
    found = routing_store.latest_yard_forecast(session, yard_id)
    if found is None:
        return None
    return {
        "made_at": found.made_at.isoformat(),
        "step_s": found.step_s,
        "quantiles": list(found.quantiles),
        "occupancy_veh": np.round(found.occupancy_veh, 1).tolist(),
    }


def visible_assignments(
    session: Session, principal: Principal, wording: Wording, *, trip_id: int | None = None
) -> list[dict[str, Any]]:
    """Places of the trips that `principal` may see (of one trip), each with its reason in words."""
    trip_ids = store.open_trip_ids(session, visible_trips(principal, "trips.read"), trip_id)
    found = capacity_store.assignments(session, trip_ids)
    in_order = sorted(found.values(), key=lambda one: (one.place_free_at, one.trip_id))
    return [{**vars(one), "text": wording.reason(one.reason)} for one in in_order]
