"""The web application: pages, API, GPS doors, events."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from app.platform import errors
from app.platform.errors import problems
from app.platform.runtime import Runtime
from app.procedures.steps import Step, StepStatus
from app.settings import Settings, get_settings
from app.sheets.service import Sheets
from app.tracking.event_stream import Live
from app.tracking.positions import SILENT_AFTER
from app.trips.vocabulary import Regime, Stage
from app.web.assets import Assets
from app.web.headers import AccessLog, SecurityHeaders, SelectiveGZip
from app.web.pages import Pages, error_page
from geo.motion import FREE_MPS, STOPPED_MPS

ENDPOINTS = (
    "ops.endpoints",
    "accounts.token_endpoints",
    "accounts.endpoints",
    "accounts.organisation_endpoints",
    "accounts.audit_endpoints",
    "tracking.event_endpoints",
    "tracking.gps_endpoints",
    "tracking.device_endpoints",
    "tracking.position_endpoints",
    "tracking.history_endpoints",
    "gates.corridor_endpoints",
    "gates.endpoints",
    "gates.tile_endpoints",
    "forecasting.endpoints",
    "yards.endpoints",
    "dispatch.policy_endpoints",
    "trips.endpoints",
    "trip_eta.endpoints",
    "dispatch.endpoints",
    "dispatch.advisory_endpoints",
    "planning.endpoints",
    "declarations.endpoints",
    "sheets.endpoints",
    "sheets.inspection_endpoints",
    "procedures.endpoints",
    "stations.endpoints",
    "transshipments.endpoints",
    "equipment.camera_endpoints",
    "equipment.endpoints",
    "equipment.weighing_endpoints",
    "equipment.barrier_endpoints",
    "notifications.endpoints",
    "notifications.webhook_endpoints",
    "reporting.endpoints",
    "fees.endpoints",
    "fees.payment_endpoints",
    "fees.tariff_endpoints",
)
"""The modules of the HTTP resources, in the order in which their routes are tried."""
NAMES: Mapping[str, Mapping[str, object]] = {
    "stage_names": Stage.labels(),
    "stage_specs": Stage.by_name(),
    "step_names": Step.labels(),
    "step_statuses": StepStatus.by_name(),
    "regimes": Regime.labels(),
}
"""The vocabularies of features that every template can use, by what templates call them."""
PAGES = (
    "accounts.signin_pages",
    "accounts.account_pages",
    "accounts.admin_pages",
    "accounts.audit_pages",
    "stations.pages",
    "dispatch.pages",
    "driver.pages",
    "shipments.pages",
    "planning.pages",
    "planning.settings_pages",
    "gates.pages",
    "yards.pages",
    "declarations.pages",
    "declarations.support_pages",
    "procedures.pages",
    "fees.tariff_pages",
    "equipment.pages",
    "notifications.pages",
    "public.pages",
    "reporting.pages",
    "transshipments.pages",
    "fees.pages",
)
"""The modules of the HTML pages, likewise."""

TAGS = [
    {"name": "health", "description": "Alive, ready, figures for Prometheus."},
    {"name": "accounts", "description": "Tokens, accounts, organisations, the audit log."},
    {"name": "gps", "description": "The doors of GPS clients; wire formats as their makers define them."},
    {"name": "devices", "description": "What may report positions."},
    {"name": "map", "description": "Positions, the corridor, vector tiles, the past day."},
    {"name": "forecasts", "description": "Queue, wait and tail at the gates, as quantiles."},
    {"name": "yards", "description": "Capacity, occupancy, entries and exits."},
    {"name": "trips", "description": "Vehicle, driver, goods and one crossing."},
    {"name": "declarations", "description": "What is declared of a trip, once, for every agency."},
    {"name": "sheets", "description": "A trip's sheet through all agencies, and the stations' work lists."},
    {"name": "procedures", "description": "The steps of each gate, direction and regime, in versions."},
    {"name": "equipment", "description": "Plate cameras, scales, scanners, seals, barriers: their doors and reports."},
    {"name": "following", "description": "Notifications, webhooks, time in each step, daily bulletins."},
    {
        "name": "fees",
        "description": "The fee of a trip: assessed, paid, waived; bank reports, receipts, closings.",
    },
    {"name": "dispatch", "description": "Advisories, orders and their acknowledgement."},
    {"name": "gates", "description": "What each gate is: hours, lanes, regimes, goods, collectors, in versions."},
    {"name": "planning", "description": "Settings of the gates, what-if scenarios."},
    {"name": "events", "description": "Server-sent events."},
]

DESCRIPTION = """Traffic and logistics at a land border: where every truck is, what will happen next, what to do.

Sign in with a bearer token from `POST /api/v1/tokens`. Every error is a problem detail (RFC 9457), every position
GeoJSON (RFC 7946), every time RFC 3339 with an offset."""


def create_app(sheets: Sheets, *, runtime: Runtime | None = None, settings: Settings | None = None) -> FastAPI:
    """The application; with `runtime` given it is used (and left open), else one is opened for its lifetime.

    `sheets` are those of the platform (`app.bootstrap.make_sheets`); its routes act on them.
    """
    settings = runtime.settings if runtime is not None else settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = runtime
            if opened is None:
                opened = Runtime.open(settings, part="web")
                stack.callback(opened.close)
                stack.push_async_callback(opened.async_redis.aclose)
            app.state.runtime = opened
            app.state.live = await stack.enter_async_context(Live(opened))
            yield

    app = FastAPI(
        title="Cửa Khẩu Số",
        version="0.1.0",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.sheets = sheets
    if runtime is not None:
        app.state.runtime = runtime
    assets = Assets.load()
    app.state.pages = Pages(assets, NAMES, _script_settings())
    app.state.gettext = app.state.pages.gettext
    app.state.error_page = error_page
    errors.install(app)
    _include_routers(app)
    _describe_security(app)
    assets.mount(app)
    app.add_middleware(SelectiveGZip)
    app.add_middleware(SecurityHeaders, base_map_url=settings.base_map_url, secure=settings.cookies_secure)
    app.add_middleware(AccessLog)
    return app


def _describe_security(app: FastAPI) -> None:
    """Say in the OpenAPI document how to sign in."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {})["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/tokens."},
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "session",
                "description": "Pages; changes also need the header X-CSRF-Token.",
            },
        }
        schema["security"] = [{"token": []}, {"session": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _include_routers(app: FastAPI) -> None:
    for name in ENDPOINTS:
        app.include_router(importlib.import_module(f"app.{name}").router, responses=problems())
    for name in PAGES:
        app.include_router(importlib.import_module(f"app.{name}").router)


def _script_settings() -> dict[str, Any]:
    """The numbers that the pages' scripts share with the platform."""
    return {
        "motion": {"stopped_mps": STOPPED_MPS, "free_mps": FREE_MPS},
        "silent_after_s": SILENT_AFTER.total_seconds(),
    }
