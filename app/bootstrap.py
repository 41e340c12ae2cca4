"""Where the parts are wired together: what takes part in a sheet, and one function for each kind of process.

A process loads only what it runs, so the functions import their own parts. Nothing registers itself by being imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from app.platform.runtime import Runtime
    from app.sheets.service import Sheets


def make_sheets() -> Sheets:
    """The sheets of the platform, with everything that takes part in them.

    Listeners are called in this order: those that may refuse an act before those that act in turn.
    """
    from app.attachments import service as attachments
    from app.bookings import on_sheet as bookings
    from app.declarations import on_sheet as declarations
    from app.equipment import on_sheet as equipment
    from app.fees import on_sheet as fees
    from app.integrations import exports
    from app.integrations import on_sheet as neighbours
    from app.integrations.customs_effects import word_of_customs
    from app.integrations.shown import show as show_neighbours
    from app.sheets.paper import show_outages
    from app.sheets.service import Sheets
    from app.transshipments import on_sheet as transshipments
    from app.transshipments.service import end_with_trip
    from app.trips import presence_on_sheet
    from app.yards import on_sheet as yards

    return Sheets(
        listeners=(
            declarations.note_return,
            transshipments.guard_step,
            transshipments.guard_goods,
            fees.follow_sheet,
            transshipments.follow_declaration,
            end_with_trip,
            yards.follow_trip,
            bookings.follow_trip,
            equipment.guard_undo,
            equipment.open_on_confirmation,
            neighbours.follow_trip,
            exports.follow_declaration,
        ),
        readers={
            "declaration": declarations.show,
            "equipment": equipment.show,
            "fee": fees.read_fee,
            "presence": presence_on_sheet.show,
            "transshipment": transshipments.show,
            "outages": show_outages,
            "attachments": attachments.show,
            "neighbours": show_neighbours,
        },
        witnesses=(equipment.witness_weighings,),
        channel_source=word_of_customs,
    )


def web(runtime: Runtime | None = None, *, settings: Settings | None = None) -> FastAPI:
    """The web application; with `runtime` given it uses that and leaves it open, else it opens one for its lifetime."""
    from app.main import create_app

    return create_app(make_sheets(), runtime=runtime, settings=settings)


def serving_web(settings: Settings) -> FastAPI:
    """The web application of a process that does nothing else; traced where that is set."""
    from app.platform.collector import spare_what_stays
    from app.settings import OperationsSettings

    operations = OperationsSettings()
    if operations.otlp_endpoint:
        from app.platform.runtime import Runtime
        from geo.errors import UnavailableError

        try:
            from app.ops.tracing import trace
        except ModuleNotFoundError as error:
            raise UnavailableError(
                "CUAKHAU_OTLP_ENDPOINT is set, but {module} is not installed; install requirements-traces.lock.",
                module=error.name,
            ) from None
        runtime = Runtime.open(settings, part="web")
        app = web(runtime)
        app.state.follows_corridor = True
        trace(app, runtime.engine, operations)
    else:
        app = web(settings=settings)
    spare_what_stays()
    return app


def run_worker(settings: Settings) -> None:
    """Run an ingest worker until told to stop."""
    from app.ops.migrate import check_schema
    from app.platform.collector import spare_what_stays
    from app.platform.runtime import Runtime
    from app.tracking import worker

    check_schema(settings)
    runtime = Runtime.open(settings, part="ingest")
    spare_what_stays()
    worker.run_worker(runtime)


def run_control(settings: Settings) -> None:
    """Run the control loop until told to stop. It declares what imported files say."""
    from app.control import loop
    from app.ops.migrate import check_schema
    from app.platform.collector import spare_what_stays
    from app.platform.runtime import Runtime

    check_schema(settings)
    runtime, sheets = Runtime.open(settings, part="control"), make_sheets()
    spare_what_stays()
    loop.run_control(runtime, sheets)


def run_mqtt_gateway(settings: Settings, broker: str, *, plates_only: bool = False, topic: str | None = None) -> None:
    """Run the gateway of MQTT until told to stop: positions of OwnTracks, and plate reads of Frigate.

    A read at its gate is a truck's arrival. `topic` is where plate reads are, by default Frigate's.
    """
    import asyncio

    from app.equipment import frigate_gateway
    from app.ops.migrate import check_schema
    from app.platform.collector import spare_what_stays
    from app.platform.runtime import Runtime, following_corridor
    from app.tracking import mqtt_gateway
    from app.tracking.fix_intake import open_command_desk, open_fix_intake

    check_schema(settings)
    runtime = Runtime.open(settings, part="mqtt")
    plates = frigate_gateway.PlateGateway.of(runtime, make_sheets())

    async def listen() -> None:
        client_id = "cuakhau-frigate" if plates_only else "cuakhau-mqtt"
        gateway = mqtt_gateway.MqttGateway(broker, [plates.subscription(topic)], client_id=client_id)
        if not plates_only:
            desk, intake = open_command_desk(runtime, "owntracks"), open_fix_intake(runtime)
            gateway.subscriptions.append(mqtt_gateway.owntracks_subscription(intake, desk, gateway.publish))
        async with following_corridor(runtime):
            await mqtt_gateway.run_until_signal(gateway)

    spare_what_stays()
    asyncio.run(listen())


def run_traccar_source(settings: Settings) -> None:
    """Read a Traccar server until told to stop; raises UnavailableError if none is set."""
    import asyncio

    from app.ops.migrate import check_schema
    from app.platform.collector import spare_what_stays
    from app.platform.runtime import Runtime
    from app.settings import GatewaySettings
    from app.tracking.fix_intake import open_fix_intake
    from app.tracking.mqtt_gateway import run_until_signal
    from app.tracking.traccar_source import TraccarSource
    from geo.errors import UnavailableError

    gateways = GatewaySettings()
    token, gateway_token = gateways.traccar_token.get_secret_value(), gateways.traccar_gateway_token.get_secret_value()
    if not gateways.traccar_url or not token:
        raise UnavailableError("Set CUAKHAU_TRACCAR_URL and CUAKHAU_TRACCAR_TOKEN.")
    check_schema(settings)
    runtime = Runtime.open(settings, part="traccar")

    async def listen() -> None:
        intake = open_fix_intake(runtime)
        await run_until_signal(TraccarSource(gateways.traccar_url, token, intake, gateway_token or None))

    spare_what_stays()
    asyncio.run(listen())


def run_terminal_gateway(settings: Settings, protocol: str, host: str, port: int) -> None:
    """Run the gateway of one protocol of trackers until told to stop."""
    import uvloop

    from app.ops.limits import allow_many_files
    from app.ops.migrate import check_schema
    from app.platform.collector import spare_what_stays
    from app.platform.runtime import Runtime
    from app.tracking import terminal_gateway
    from app.tracking.fix_intake import open_terminal_gateway

    check_schema(settings)
    allow_many_files()
    runtime = Runtime.open(settings, part=protocol)

    async def serve_terminals() -> None:
        gateway = open_terminal_gateway(runtime, protocol)
        spare_what_stays()
        await terminal_gateway.run(gateway, host, port)

    uvloop.run(serve_terminals())


def run_demo(settings: Settings) -> None:
    """Play the demo day until told to stop; its people act on sheets."""
    from app.demo import feeder
    from app.platform.collector import spare_what_stays

    sheets = make_sheets()
    spare_what_stays()
    feeder.run_demo(settings, sheets)


def web_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How the web application is served: by whom callers' addresses are believed, which limits hold."""
    import uvicorn

    from app.web.connections import GuardedProtocol
    from app.web.draining import FINISH_S

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        http=GuardedProtocol,
        server_header=False,
        proxy_headers=bool(settings.public_url),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=FINISH_S,
    )


def serve(settings: Settings, descriptor: int = -1) -> None:
    """Serve the web application until told to stop, in several processes if that is set.

    With a `descriptor`, that of a socket that listens, this is one of them.
    """
    from app.settings import ProcessSettings

    count = ProcessSettings().web_processes
    if descriptor < 0 and count > 1:
        from app.ops.web_processes import run_web_processes
        from app.web.draining import FINISH_S

        run_web_processes(settings, count, finish_s=FINISH_S)
        return
    import socket

    from app.ops.limits import allow_many_files
    from app.ops.migrate import check_schema
    from app.web.draining import DrainingServer

    check_schema(settings)
    allow_many_files()
    app = serving_web(settings)

    def drain() -> None:
        app.state.draining = True
        app.state.live.send_away()

    server = DrainingServer(web_config(app, settings), drain, settings.drain_s)
    server.run(None if descriptor < 0 else [socket.socket(fileno=descriptor)])
    if not server.started:
        raise SystemExit(3)
