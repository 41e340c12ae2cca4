"""Forecasts: queue, wait and tail at the gates, occupancy of the yards, as quantiles over the runs."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated

import numpy as np
import orjson
from fastapi import Depends, Header, Query, Request, Response

from app.accounts.authorisation import allow
from app.dispatch.policy import POLICY
from app.forecasting import engine_state
from app.forecasting.schemas import (
    LEADS_S,
    ForecastOut,
    KeptForecast,
    KeptForecasts,
    YardForecastOut,
    YardForecasts,
)
from app.forecasting.service import find_queue
from app.forecasting.skill import list_fallbacks, read_skill
from app.forecasting.skill_endpoints import wording_of
from app.forecasting.skill_schemas import FallbackOut
from app.forecasting.skill_vocabulary import Quantity
from app.gates.service import get_gate_id
from app.platform.dependencies import ClockDep, CorridorDep, RedisDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.web.routers import ApiRouter
from capacity import store as capacity_store
from geo.errors import InvalidInputError
from routing import store as routing_store

router = ApiRouter(prefix="/api/v1/forecasts", tags=["forecasts"])

Reader = Annotated[Principal, Depends(allow("forecasts.read"))]
Gate = Annotated[str, Query(description="The gate.", examples=["huu-nghi"], max_length=60)]
MAX_SPAN = timedelta(hours=25)

EXAMPLE = {
    "gate": "huu-nghi",
    "made_at": "2026-03-02T03:00:00+00:00",
    "step_s": 300.0,
    "quantiles": [0.1, 0.5, 0.9],
    "queue_veh": [[12.0, 13.0], [15.0, 17.0], [19.0, 24.0]],
    "wait_s": [[900.0, 960.0], [1200.0, 1300.0], [1500.0, 1800.0]],
    "tail_km": [[1.2, 1.3], [1.4, 1.6], [1.7, 2.1]],
    "seed": 1772420400,
    "runs": 200,
    "code_version": "routing 1",
    "now": {
        "time": "2026-03-02T03:00:00+00:00",
        "queue_veh": 14.0,
        "tail_km": 1.3,
        "speed_mps": 1.1,
        "current_until": "2026-03-02T03:10:00+00:00",
    },
    "skill": "In the last 7 days the forecast of the queue for 2 h ahead was on average 8.2 trucks off; …",
    "fallbacks": [],
    "severity": [None, "notice"],
    "old_from": "2026-03-02T03:05:00+00:00",
    "current_until": "2026-03-02T03:30:00+00:00",
}
ANSWERS: dict[int | str, JsonObject] = {
    **problems(404),
    200: {"description": "Arrays are [quantile][time].", "content": {"application/json": {"example": EXAMPLE}}},
    304: {"description": "Nothing newer than what you have."},
}


@router.get("/latest", response_model=ForecastOut, responses=ANSWERS)
def read_latest(
    request: Request,
    gate: Gate,
    corridor: CorridorDep,
    session: SessionDep,
    clock: ClockDep,
    redis: RedisDep,
    _principal: Reader,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The newest forecast for a gate: queue (vehicles), wait (s until a newcomer is taken at the entrance), tail
    (kilometre from the border) every `step_s` from `made_at` on; and the queue as measured last."""
    found = routing_store.latest_forecast(session, get_gate_id(corridor, gate))
    if found is None:
        raise engine_state.no_forecast(redis, gate)
    wording, now = wording_of(request), clock.now()
    skill = read_skill(session, gate, now, quantities=(Quantity.QUEUE,), by_hour=False)
    shown = ForecastOut.of(found, find_queue(session, gate, now), skill, wording, POLICY.get(session).value)
    return answer(shown, if_none_match)


@router.get("/yards", response_model=YardForecasts)
def read_yards(
    request: Request, session: SessionDep, _principal: Reader, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """The newest forecast of each yard's occupancy."""
    wording = wording_of(request)
    yards = [yard.yard_id for yard in capacity_store.list_yards(session)]
    found = [
        latest for yard_id in yards if (latest := routing_store.latest_yard_forecast(session, yard_id)) is not None
    ]
    lost = [FallbackOut.of(fallback, wording) for fallback in list_fallbacks(session, yards)]
    items = [
        YardForecastOut.of(forecast, tuple(loss for loss in lost if loss.place_id == forecast.yard_id))
        for forecast in found
    ]
    return answer(YardForecasts(items), if_none_match)


@router.get("", response_model=KeptForecasts, responses=problems(404, 422))
def list_kept(
    gate: Gate,
    from_: Annotated[Moment, Query(alias="from")],
    to: Moment,
    corridor: CorridorDep,
    session: SessionDep,
    _principal: Reader,
    every: Annotated[int, Query(ge=1, le=60, description="Only each n-th forecast.")] = 5,
) -> Response:
    """Forecasts that were made in a span of at most 25 hours, each at a few lead times (`lead_s`)."""
    if not timedelta(0) < to - from_ <= MAX_SPAN:
        raise InvalidInputError("Ask for a span of up to 25 hours.", field="to")
    kept = routing_store.forecasts_between(session, get_gate_id(corridor, gate), from_, to)
    policy = POLICY.get(session).value
    found = KeptForecasts(gate, LEADS_S, [KeptForecast.of(forecast, policy) for forecast in kept[::every]])
    return Response(dumps(found), media_type="application/json")


def dumps(value: object) -> bytes:
    """JSON; arrays as lists, infinities as null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=_as_list)


def answer(value: object, if_none_match: str) -> Response:
    """The value with an ETag of all that it says, or 304 if the caller has it."""
    body = dumps(value)
    tag = hashlib.blake2b(body, digest_size=16).hexdigest()
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
    if f'"{tag}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _as_list(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)
