"""Where the parts are wired together: what takes part in a sheet, and one function for each kind of process.

A process loads only what it runs, so the functions import their own parts. Nothing registers itself by being imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.platform.runtime import Runtime
    from app.sheets.service import Sheets


def make_sheets() -> Sheets:
    """The sheets of the platform, with everything that takes part in them.

    Listeners are called in this order: those that may refuse an act before those that act in turn.
    """
    from app.declarations import on_sheet as declarations
    from app.equipment import on_sheet as equipment
    from app.fees import on_sheet as fees
    from app.sheets.service import Sheets
    from app.transshipments import service as transshipments

    return Sheets(
        listeners=(
            declarations.note_return,
            transshipments.guard_step,
            fees.follow_sheet,
            equipment.open_on_confirmation,
        ),
        readers={"declaration": declarations.show, "equipment": equipment.show, "fee": fees.read_fee},
    )


def web(runtime: Runtime | None = None, *, settings: Settings | None = None) -> FastAPI:
    """The web application; with `runtime` given it uses that and leaves it open, else it opens one for its lifetime."""
    from app.main import create_app

    return create_app(make_sheets(), runtime=runtime, settings=settings)


def run_worker(settings: Settings) -> None:
    """Run an ingest worker until told to stop."""
    from app.platform.runtime import Runtime
    from app.tracking import worker

    worker.run_worker(Runtime.open(settings, part="ingest"))


def run_control(settings: Settings) -> None:
    """Run the control loop until told to stop. It acts on no sheet."""
    from app.control import loop
    from app.platform.runtime import Runtime

    loop.run_control(Runtime.open(settings, part="control"))


def run_frigate_gateway(settings: Settings, broker: str, topic: str | None) -> None:
    """Run the gateway for plate reads of Frigate until told to stop; a read at its gate is a truck's arrival."""
    from app.equipment import frigate_gateway
    from app.platform.runtime import Runtime

    gateway = frigate_gateway.PlateGateway.of(Runtime.open(settings, part="frigate"), make_sheets())
    frigate_gateway.run(gateway, broker, topic=topic)


def run_demo(settings: Settings) -> None:
    """Play the demo day until told to stop; its people act on sheets."""
    from app.demo import feeder

    feeder.run_demo(settings, make_sheets())


def serve(settings: Settings) -> None:
    """Serve the web application until told to stop."""
    import uvicorn

    uvicorn.run(
        "app.bootstrap:web",
        factory=True,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        proxy_headers=bool(settings.public_url),
        timeout_graceful_shutdown=3,
    )
