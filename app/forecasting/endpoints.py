"""Forecasts: queue, wait and tail at the gates, occupancy of the yards, as quantiles over the runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Header, Query, Response

from app.accounts.authorisation import allow
from app.forecasting.service import find_queue
from app.gates.service import get_gate_id
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment
from app.platform.permissions import Principal
from capacity import store as capacity_store
from geo.errors import InvalidInputError, NotFoundError
from routing import store as routing_store
from routing.store import GateForecast, QueueObservation, YardForecast

router = APIRouter(prefix="/api/v1/forecasts", tags=["forecasts"])

Reader = Annotated[Principal, Depends(allow("forecasts.read"))]
Gate = Annotated[str, Query(description="The gate.", examples=["huu-nghi"], max_length=60)]
MAX_SPAN = timedelta(hours=25)
LEADS_S = (0.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0)
"""Lead times of which a kept forecast is told in lists."""

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
    "now": {"time": "2026-03-02T03:00:00+00:00", "queue_veh": 14.0, "tail_km": 1.3, "speed_mps": 1.1},
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    **problems(404),
    200: {"description": "Arrays are [quantile][time].", "content": {"application/json": {"example": EXAMPLE}}},
    304: {"description": "No newer forecast than the one you have."},
}


@router.get("/latest", response_class=Response, responses=ANSWERS)
def read_latest(
    gate: Gate,
    corridor: CorridorDep,
    session: SessionDep,
    clock: ClockDep,
    _principal: Reader,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The newest forecast for a gate: queue (vehicles), wait (s until a newcomer is taken at the entrance), tail
    (kilometre from the border) every `step_s` from `made_at` on; and the queue as measured last."""
    found = routing_store.latest_forecast(session, get_gate_id(corridor, gate))
    if found is None:
        raise NotFoundError("There is no forecast for {gate} yet; the first comes within a minute.", gate=gate)
    queue = find_queue(session, gate, clock.now())
    return answer(describe(found, queue), f"{gate}-{found.forecast_id}", if_none_match)


@router.get("/yards", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def read_yards(session: SessionDep, _principal: Reader, if_none_match: Annotated[str, Header()] = "") -> Response:
    """The newest forecast of each yard's occupancy."""
    yards = [yard.yard_id for yard in capacity_store.list_yards(session)]
    found = [one for yard_id in yards if (one := routing_store.latest_yard_forecast(session, yard_id)) is not None]
    newest = max((one.forecast_id for one in found), default=0)
    return answer({"items": [describe_yard(one) for one in found]}, f"yards-{newest}", if_none_match)


@router.get("", responses=problems(404, 422))
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
    items = [compact(one) for one in kept[::every]]
    return Response(dumps({"gate": gate, "lead_s": LEADS_S, "items": items}), media_type="application/json")


def describe(found: GateForecast, observed: QueueObservation | None) -> dict[str, Any]:
    """A forecast as the contract names its fields."""
    return {
        "forecast_id": found.forecast_id,
        "gate": found.gate_id,
        "made_at": found.made_at.isoformat(),
        "step_s": found.step_s,
        "horizon_s": found.horizon_s,
        "quantiles": found.quantiles,
        "queue_veh": found.queue_veh,
        "wait_s": found.wait_s,
        "tail_km": found.tail_km,
        "seed": found.seed,
        "runs": found.runs,
        "code_version": found.code_version,
        "duration_s": round(found.duration_ms / 1000.0, 3),
        "made_from": dict(found.state_summary),
        "now": observed and {name: getattr(observed, name) for name in ("time", "queue_veh", "tail_km", "speed_mps")},
    }


def describe_yard(found: YardForecast) -> dict[str, Any]:
    """A yard's forecast as plain values and arrays [quantile][time]."""
    return {
        "yard_id": found.yard_id,
        "made_at": found.made_at.isoformat(),
        "step_s": found.step_s,
        "quantiles": found.quantiles,
        "occupancy_veh": found.occupancy_veh,
    }


def compact(found: GateForecast) -> dict[str, Any]:
    """A kept forecast at the lead times of `LEADS_S`."""
    steps = np.minimum(np.array(LEADS_S) // found.step_s, found.queue_veh.shape[1] - 1).astype(int)
    series = {name: getattr(found, name)[:, steps] for name in ("queue_veh", "wait_s", "tail_km")}
    return {"forecast_id": found.forecast_id, "made_at": found.made_at.isoformat(), "seed": found.seed, **series}


def dumps(value: Any) -> bytes:
    """JSON; arrays as lists, infinities as null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=_as_list)


def answer(value: Any, tag: str, if_none_match: str) -> Response:
    """The value with an ETag, or 304 if the caller has it."""
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
    if f'"{tag}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(dumps(value), media_type="application/json", headers=headers)


def _as_list(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)
