"""Control: one leader at a time runs the fast tick, the minute loop and queued scenarios.

Leadership is a PostgreSQL advisory lock on a connection of its own: when that connection is lost, so is
leadership, and another process takes over. Intervals run on wall time; moments come from the platform's clock.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.control import store
from app.control.minute import Minute
from app.control.tick import Tick
from app.declarations.import_work import ImportRunner
from app.forecasting import engine_state
from app.integrations.registry import make_neighbours
from app.integrations.running import Exchanges
from app.open_data.mqtt_publisher import BoardPublisher
from app.ops.keeping import EVERY_S, Keeper
from app.planning.scenarios import ScenarioRunner
from app.platform.runtime import Runtime
from app.platform.steps import log
from app.settings import GatewaySettings, NeighbourSettings, OperationsSettings
from app.sheets.service import Sheets

LOCK_KEY = 0x434B53  # "CKS"
TICK_S = 5.0
RETRY_S = 2.0
IMPORT_LOOK_S = 1.0
BATCH_PAUSE_S = 0.05
"""Between batches the minute and the tick come to their turn."""


def run_control(runtime: Runtime, sheets: Sheets, *, stop: threading.Event | None = None) -> None:
    """Lead whenever nobody else does, until told to stop (SIGTERM, SIGINT, or `stop`).

    Outlives restarts of PostgreSQL and Redis. The first forecast is made at once. When the corridor was
    changed, it ends what it does and leads again on the new one.
    """
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        _stop_on_signals(stop)
    while not stop.is_set():
        try:
            with _leadership(runtime) as connection:
                if connection is not None:
                    runtime.take_up_corridor()
                    log.info("leading")
                    _lead(runtime, sheets, connection, stop)
        except SQLAlchemyError as error:
            log.warning("leadership lost", reason=str(error).splitlines()[0])
        stop.wait(RETRY_S)
    log.info("stopped")


@contextmanager
def _leadership(runtime: Runtime) -> Iterator[Connection | None]:
    """A connection of its own that holds the lock, or `None` if another process leads.

    The connection is closed for good at the end, not given back to the pool: the lock must go with it.
    """
    connection = runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection.detach()
        yield connection if store.try_lead(connection, LOCK_KEY) else None
    finally:
        connection.close()


def _lead(runtime: Runtime, sheets: Sheets, connection: Connection, stop: threading.Event) -> None:
    over = threading.Event()
    minute = Minute.of(runtime)
    tick = Tick(runtime, minute.places, minute.tails_km)
    scenarios = ScenarioRunner(runtime)
    # Its own thread: compiling the traffic engine takes longer than a tick may.
    planner = threading.Thread(target=_every_minute, args=(runtime, minute, over), name="minute", daemon=True)
    planner.start()
    importer = threading.Thread(
        target=_keep_importing, args=(ImportRunner(runtime, sheets), over), name="imports", daemon=True
    )
    importer.start()
    keeper = Keeper(runtime, OperationsSettings())
    keeping = threading.Thread(target=_keep, args=(keeper, over), name="keeping", daemon=True)
    keeping.start()
    exchanges = Exchanges(runtime, make_neighbours(sheets), NeighbourSettings())
    exchanges.start()
    publishing = _start_publishing(runtime, over)
    try:
        while not stop.is_set():
            started = time.monotonic()
            store.still_connected(connection)
            done = tick.run()
            done.run("forwarding", exchanges.forwarder.forward)
            done.run("neighbours", exchanges.tell)
            scenarios.tend()
            if runtime.take_up_corridor():
                break  # what was made of the old one goes with this lead
            stop.wait(max(TICK_S - (time.monotonic() - started), 0.0))
    finally:
        over.set()
        exchanges.stop()
        scenarios.stop()
        # A forecast under way may finish; it is stored by one leader or the other.
        planner.join(timeout=10.0)
        importer.join(timeout=10.0)
        keeper.stop()
        keeping.join(timeout=10.0)
        if publishing is not None:
            publishing.join(timeout=10.0)


def _start_publishing(runtime: Runtime, over: threading.Event) -> threading.Thread | None:
    """What changes on the public board, to a broker of the operator's; a thread of its own, for brokers are away."""
    url = GatewaySettings().public_mqtt_url.get_secret_value()
    if not url:
        return None
    publisher = BoardPublisher(runtime, url)
    thread = threading.Thread(target=publisher.keep_publishing, args=(over,), name="public_mqtt", daemon=True)
    thread.start()
    return thread


def _every_minute(runtime: Runtime, minute: Minute, over: threading.Event) -> None:
    engine_state.prepare_engine(runtime.redis)
    while not over.is_set():
        started = time.monotonic()
        try:
            minute.run()
        except Exception:  # a fault outside all steps must not end the loop
            log.exception("minute failed")
        over.wait(max(runtime.settings.forecast_interval_s - (time.monotonic() - started), 0.1))


def _keep_importing(runner: ImportRunner, over: threading.Event) -> None:
    """Files of declarations in the background; what a batch did is committed, so an end in between loses nothing."""
    while not over.is_set():
        try:
            has_worked = runner.run_batch()
        except Exception:  # as for the minute
            log.exception("import failed")
            has_worked = False
        over.wait(BATCH_PAUSE_S if has_worked else IMPORT_LOOK_S)


def _keep(keeper: Keeper, over: threading.Event) -> None:
    """Backups and alarms; mail may take its time, so a thread of its own. The other parts may start first."""
    while not over.wait(EVERY_S):
        try:
            keeper.run()
        except Exception:  # as for the minute
            log.exception("keeping failed")


def _stop_on_signals(stop: threading.Event) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
