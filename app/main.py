"""The web application: pages, API, GPS doors, events."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from app.fees.vocabulary import FeeStatus
from app.gates.vocabulary import GoodsClass
from app.integrations.registry import make_neighbours
from app.large_bodies import LARGE_BODIES
from app.open_data import ogc_door
from app.platform import errors
from app.platform.json import JsonObject
from app.platform.runtime import Runtime, following_corridor
from app.privacy.service import page_after_sign_in
from app.procedures.steps import Step, StepStatus, VehicleRole
from app.public.board_door import BoardDoor
from app.settings import NeighbourSettings, Settings, get_settings
from app.sheets.moving import TripMover
from app.sheets.service import Sheets
from app.tracking.event_stream import Live
from app.tracking.gps_door import GpsDoors
from app.tracking.positions import SILENT_AFTER
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.rejudging import rejudge
from app.trips.vocabulary import Regime, Stage
from app.web import api_description
from app.web.assets import Assets
from app.web.bodies import BoundedBodies
from app.web.draining import Draining
from app.web.headers import DOORS, AccessLog, SecurityHeaders, SelectiveGZip, content_security_policy
from app.web.hosts import UNCHECKED, KnownHosts, known_hosts
from app.web.pages import Pages, error_page
from app.web.request_metrics import RequestFigures, RequestMetrics
from geo.motion import FREE_MPS, STOPPED_MPS
from ingest.formats.registry import GPS_FORMATS
from maps.base_map import BaseMap, origin_of

ROUTERS = (
    "tracking.gps_endpoints",
    "public.pages",
    "public.board_pages",
    "gates.tile_endpoints",
    "tracking.event_endpoints",
    "sheets.inspection_endpoints",
    "sheets.endpoints",
    "stations.pages",
    "ops.endpoints",
    "signin.token_endpoints",
    "signin.session_endpoints",
    "accounts.endpoints",
    "accounts.organisation_endpoints",
    "auditing.endpoints",
    "accounts.power_endpoints",
    "registers.endpoints",
    "registers.claim_endpoints",
    "trips.party_endpoints",
    "tracking.health_endpoints",
    "tracking.trace_endpoints",
    "tracking.device_endpoints",
    "tracking.signal_endpoints",
    "tracking.command_endpoints",
    "tracking.signal_pages",
    "tracking.position_endpoints",
    "tracking.history_endpoints",
    "gates.corridor_endpoints",
    "gates.endpoints",
    "notices.endpoints",
    "forecasting.endpoints",
    "forecasting.skill_endpoints",
    "forecasting.space_time_endpoints",
    "forecasting.event_endpoints",
    "yards.endpoints",
    "yards.zone_endpoints",
    "bookings.endpoints",
    "declarations.gate_offer_endpoints",
    "dispatch.policy_endpoints",
    "trips.endpoints",
    "trips.expiry_endpoints",
    "trip_eta.endpoints",
    "dispatch.endpoints",
    "dispatch.advisory_endpoints",
    "measures.endpoints",
    "planning.endpoints",
    "declarations.import_endpoints",
    "declarations.prefilled_endpoints",
    "declarations.endpoints",
    "declarations.sighting_endpoints",
    "declarations.trip_endpoints",
    "sheets.correction_endpoints",
    "sheets.trial_pages",
    "attachments.endpoints",
    "procedures.endpoints",
    "stations.endpoints",
    "checkpoints.endpoints",
    "stations.handover_endpoints",
    "transshipments.endpoints",
    "equipment.camera_endpoints",
    "equipment.endpoints",
    "equipment.weighing_endpoints",
    "equipment.barrier_endpoints",
    "notifications.endpoints",
    "notifications.webhook_endpoints",
    "notifications.reach_endpoints",
    "reporting.endpoints",
    "fees.bill_endpoints",
    "reporting.day_endpoints",
    "fees.endpoints",
    "fees.payment_endpoints",
    "fees.tariff_endpoints",
    "signin.signin_pages",
    "signin.step_pages",
    "signin.provider_pages",
    "signin.first_administrator_pages",
    "signin.account_pages",
    "signin.factor_pages",
    "signin.reset_pages",
    "signin.rules_pages",
    "accounts.bulk_pages",
    "accounts.admin_pages",
    "auditing.pages",
    "stations.handover_pages",
    "dispatch.pages",
    "driver.pages",
    "registers.pages",
    "registers.company_pages",
    "registers.claim_pages",
    "trips.party_pages",
    "bookings.pages",
    "declarations.gate_offer_pages",
    "shipments.pages",
    "tracking.health_pages",
    "tracking.trace_pages",
    "forecasting.skill_pages",
    "forecasting.event_pages",
    "planning.answer_pages",
    "planning.calibration_pages",
    "planning.pages",
    "planning.settings_pages",
    "gates.map_pages",
    "gates.pages",
    "notices.pages",
    "gates.priority_pages",
    "yards.pages",
    "yards.place_pages",
    "declarations.import_pages",
    "declarations.prefilled_pages",
    "declarations.pages",
    "declarations.support_pages",
    "procedures.pages",
    "fees.tariff_pages",
    "ops.pages",
    "equipment.pages",
    "notifications.pages",
    "public.skill_pages",
    "reporting.pages",
    "checkpoints.pages",
    "reporting.day_pages",
    "transshipments.pages",
    "fees.bill_pages",
    "fees.pages",
    "attachments.pages",
    "ops.first_steps_pages",
    "integrations.endpoints",
    "integrations.push_endpoints",
    "integrations.export_pages",
    "integrations.pages",
    "privacy.endpoints",
    "privacy.pages",
    "public.security_pages",
    "open_data.endpoints",
)
"""The modules of resources (`…endpoints`) and pages (`…pages`), in the order in which their routes are tried: what is
asked for most comes first, for all that are tried before cost a millisecond."""
NAMES: Mapping[str, Mapping[str, object]] = {
    "stage_names": Stage.labels(),
    "stage_specs": Stage.by_name(),
    "fee_statuses": FeeStatus.by_name(),
    "step_names": Step.labels(),
    "step_statuses": StepStatus.by_name(),
    "vehicle_roles": VehicleRole.by_name(),
    "transshipment_statuses": TransshipmentStatus.by_name(),
    "regimes": Regime.labels(),
    "goods_names": GoodsClass.labels(),
}
"""The vocabularies of features that every template can use, by what templates call them."""
TAGS = [
    {"name": "health", "description": "Alive, ready, figures for Prometheus."},
    {"name": "accounts", "description": "Tokens, accounts, organisations, the audit log."},
    {
        "name": "registers",
        "description": "Vehicles, drivers, containers on file; proofs; powers of attorney.",
    },
    {"name": "gps", "description": "The doors of GPS clients; wire formats as their makers define them."},
    {"name": "devices", "description": "What may report positions."},
    {"name": "map", "description": "Positions, the corridor, vector tiles, the past day."},
    {"name": "forecasts", "description": "Queue, wait and tail at the gates, as quantiles."},
    {"name": "yards", "description": "Capacity, occupancy, entries and exits."},
    {"name": "bookings", "description": "Places by the hour: held, confirmed, extended, cancelled, appealed."},
    {"name": "trips", "description": "Vehicle, driver, goods and one crossing."},
    {"name": "declarations", "description": "What is declared of a trip, once, for every agency."},
    {"name": "sheets", "description": "A trip's sheet through all agencies, and the stations' work lists."},
    {"name": "checkpoints", "description": "What officers see beside what is declared; findings, overrides, priority."},
    {"name": "attachments", "description": "Papers and photographs kept with a trip."},
    {"name": "procedures", "description": "The steps of each gate, direction and regime, in versions."},
    {"name": "equipment", "description": "Plate cameras, scales, scanners, seals, barriers: their doors and reports."},
    {"name": "following", "description": "Notifications, webhooks, time in each step, daily bulletins."},
    {
        "name": "fees",
        "description": "The fee of a trip: assessed, paid, waived; bank reports, receipts, closings.",
    },
    {"name": "dispatch", "description": "Advisories, orders and their acknowledgement."},
    {
        "name": "gates",
        "description": "What each gate is and takes, in versions; its intake bans and outages.",
    },
    {"name": "neighbours", "description": "Systems of others: how they do, messages that were given up."},
    {"name": "privacy", "description": "What is kept of persons: how long, holds, export, erasure."},
    {"name": "open data", "description": "What everybody may know: files of a day, DATEX II. Nobody signs in."},
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
            opened: Runtime | None = app.state.runtime
            if opened is None:
                opened = app.state.runtime = Runtime.open(settings, part="web")
                stack.callback(opened.close)
                stack.push_async_callback(opened.async_redis.aclose)
            stack.push_async_callback(ogc_door.close_pool, app)
            if app.state.follows_corridor:
                await stack.enter_async_context(following_corridor(opened))
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
        generate_unique_id_function=api_description.operation_id,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.state.follows_corridor = runtime is None
    work_on(app, sheets)
    assets = Assets.load(are_changing=settings.files_change)
    app.state.base_map = BaseMap.of(settings.base_map_url)
    map_hosts = [*app.state.base_map.hosts, *filter(None, [origin_of(settings.satellite_url)])]
    policy = partial(content_security_policy, map_hosts, [assets.import_map(), assets.first_script])
    app.state.pages = Pages(assets, NAMES, policy, _script_settings())
    app.state.gettext = app.state.pages.gettext
    app.state.say_values = app.state.pages.say_values
    app.state.error_page = error_page
    app.state.after_signin = partial(page_after_sign_in, demo=settings.demo)
    app.add_middleware(GpsDoors, formats=GPS_FORMATS)  # the first one added is the innermost
    app.add_middleware(BoardDoor)
    app.add_middleware(BoundedBodies, large=LARGE_BODIES, apart=DOORS)
    errors.install(app)
    assets.mount(app)
    _include_routers(app)
    app.mount(ogc_door.PATH, ogc_door.OgcDoor(), name="ogc")
    _describe(app)
    app.add_middleware(SelectiveGZip)
    app.add_middleware(KnownHosts, names=known_hosts(settings), apart=UNCHECKED)
    app.add_middleware(SecurityHeaders, policy=policy(), secure=settings.cookies_secure)
    app.add_middleware(AccessLog)
    app.state.request_figures = RequestFigures()
    app.add_middleware(
        RequestMetrics,
        figures=app.state.request_figures,
        doors=[each.path for each in GPS_FORMATS.values()],
        lasting=("/api/v1/events",),
    )
    app.add_middleware(Draining)
    return app


def work_on(app: FastAPI, sheets: Sheets) -> None:
    """Let the routes of `app` act on these sheets."""
    app.state.sheets = sheets
    app.state.neighbours = make_neighbours(sheets)
    app.state.neighbour_secrets = NeighbourSettings().neighbour_secrets
    app.state.mover = TripMover(sheets)
    app.state.vehicle_listener = partial(rejudge, sheets.presence)


def _describe(app: FastAPI) -> None:
    """Make the OpenAPI document fit for those who generate clients from it."""
    generate = app.openapi

    def openapi() -> JsonObject:
        if app.openapi_schema is None:
            app.openapi_schema = api_description.describe(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _include_routers(app: FastAPI) -> None:
    """Take over the routes as they are. `include_router` would analyse all of them again when the first request comes,
    for four seconds of a processor, and look for every request's route router by router.
    """
    for name in ROUTERS:
        app.router.routes.extend(importlib.import_module(f"app.{name}").router.routes)


def _script_settings() -> JsonObject:
    """The numbers that the pages' scripts share with the platform."""
    return {
        "motion": {"stopped_mps": STOPPED_MPS, "free_mps": FREE_MPS},
        "silent_after_s": SILENT_AFTER.total_seconds(),
    }
