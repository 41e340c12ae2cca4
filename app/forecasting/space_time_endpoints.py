"""Where trucks were slow, by kilometre and time, and where the queue may stand."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Depends, Query, Request, Response

from app.accounts.authorisation import allow
from app.forecasting.space_time import SpaceTime, SpeedHistory, draw_space_time
from app.gates.service import get_gate_id
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.trips.places import Places
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/space-time", tags=["forecasts"])


def get_history(request: Request) -> SpeedHistory:
    """What this process keeps of the past day."""
    state = request.app.state
    if not hasattr(state, "speed_history"):
        state.speed_history = SpeedHistory()
    history: SpeedHistory = state.speed_history
    return history


@router.get("", response_model=SpaceTime, responses=problems(404))
def read_space_time(
    gate: Annotated[str, Query(description="The gate.", examples=["huu-nghi"], max_length=60)],
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    history: Annotated[SpeedHistory, Depends(get_history)],
    _principal: Annotated[Principal, Depends(allow("history.read"))],
) -> Response:
    """Mean speeds by half kilometre and quarter of an hour of the past day, the tails measured, and those forecast."""
    place = Places.of(corridor).gates[get_gate_id(corridor, gate)]
    body = orjson.dumps(draw_space_time(session, history, corridor, place, clock.now()))
    return Response(body, media_type="application/json", headers={"Cache-Control": "private, max-age=30"})
