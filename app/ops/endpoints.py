"""Alive, ready, and figures for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated

import structlog
from fastapi import Header, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.ops import metrics
from app.ops.migrate import is_current
from app.platform.dependencies import RuntimeDep, client_address
from app.platform.runtime import Runtime
from app.web.draining import is_draining
from app.web.routers import ApiRouter
from geo.database import is_alive
from geo.errors import ForbiddenError

router = ApiRouter(tags=["health"])
log = structlog.get_logger("health")


@router.get("/healthz", summary="The process answers")
async def check_health() -> dict[str, str]:
    """Alive; says nothing about the servers behind."""
    return {"status": "ok"}


@router.get("/readyz", summary="Every part is there", responses={503: {"description": "A part is missing"}})
def check_readiness(request: Request, runtime: RuntimeDep) -> Response:
    """200 if database, Redis, migrations and both workers are there and this process was not told to stop, else 503."""
    parts = readiness(runtime)
    if is_draining(request.app):
        parts["web"] = "draining"
    ready = all(state == "ok" for state in parts.values())
    return JSONResponse({"status": "ok" if ready else "not ready", "parts": parts}, 200 if ready else 503)


@router.get("/readyz/web", summary="This process takes requests", responses={503: {"description": "It drains"}})
async def check_draining(request: Request) -> Response:
    """For balancers: 503 once this process was told to stop, else 200, whatever it waits for.

    Where the database or a worker is away, all web processes miss it alike: a balancer that left them out for that
    would leave nobody to say what is missing.
    """
    draining = is_draining(request.app)
    return JSONResponse({"status": "draining" if draining else "ok"}, 503 if draining else 200)


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
def show_metrics(
    request: Request, runtime: RuntimeDep, authorization: Annotated[str, Header()] = ""
) -> PlainTextResponse:
    """Counters and gauges of all processes, in the text format of Prometheus.

    Answered to this machine itself and to whoever sends `Authorization: Bearer` with the configured metrics token.
    """
    token = runtime.settings.metrics_token.get_secret_value()
    if not (token and metrics.is_bearer(authorization, token)) and not _is_local(request):
        raise ForbiddenError("Metrics are for this machine, or for the bearer of CUAKHAU_METRICS_TOKEN.")
    body = metrics.exposition(runtime, request.app.state.request_figures.registry)
    return PlainTextResponse(body, media_type="text/plain; version=0.0.4; charset=utf-8")


def readiness(runtime: Runtime) -> dict[str, str]:
    """Each part with "ok" or what is wrong with it."""
    parts = {
        "database": _try(lambda: is_alive(runtime.engine)),
        "redis": _try(lambda: bool(runtime.redis.ping())),
        "migrations": _try(lambda: _migrated(runtime), missing="not at the newest revision"),
    }
    for part in metrics.PARTS:
        parts[part] = _try(lambda name=part: _beats(runtime.redis, name), missing="no heartbeat")  # type: ignore[misc]
    return parts


def _migrated(runtime: Runtime) -> bool:
    with runtime.engine.connect() as connection:
        return is_current(connection)


def _beats(redis: Redis, part: str) -> bool:
    return bool(redis.exists(f"ck:heartbeat:{part}"))


def _try(check: Callable[[], bool], missing: str = "does not answer") -> str:
    try:
        return "ok" if check() else missing
    except (SQLAlchemyError, RedisError, OSError) as error:
        log.warning("not ready", error=str(error).splitlines()[0][:200])
        return "does not answer"


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine and no proxy passed it on."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ip_address(client_address(request)).is_loopback
    except ValueError:
        return False
