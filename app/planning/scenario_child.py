"""The process that works on one scenario run: `python -m app.planning.scenario_child RUN_ID`."""

from __future__ import annotations

import os
import sys
import time
import uuid

from app.forecasting.stay_learning import settings_now
from app.ops import logs
from app.planning.scenarios import NICENESS, publish_progress
from app.planning.service import places_of
from app.platform import outbox
from app.platform.runtime import Runtime
from app.settings import get_settings
from geo.errors import CuaKhauError
from routing import store as routing_store
from routing.scenario import parse_scenario, run_scenario
from routing.scenario_now import read_state

REPORT_EVERY_S = 1.0


class Reporter:
    """Writes progress down and finds out whether to go on; asks the database at most once a second."""

    def __init__(self, runtime: Runtime, run_id: uuid.UUID) -> None:
        self.runtime, self.run_id = runtime, run_id
        self.parent = os.getppid()
        self.is_over = False
        self._next_at = 0.0

    def progress(self, share: float) -> None:
        """Note the share done (0 to 1)."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + REPORT_EVERY_S
        with self.runtime.sessions() as session:
            if routing_store.report_progress(session, self.run_id, share):
                publish_progress(session, self.runtime, routing_store.get_scenario_run(session, self.run_id))
            else:
                self.is_over = True
            session.commit()
            outbox.relay_after_commit(session, self.runtime.redis)

    def cancelled(self) -> bool:
        """Whether somebody cancelled the run, or the process that started this one is gone."""
        return self.is_over or os.getppid() != self.parent


def work(runtime: Runtime, run_id: uuid.UUID) -> None:
    """Run the scenario and store its result, or why it cannot be run."""
    with runtime.sessions() as session:
        row = routing_store.get_scenario_run(session, run_id)
        inputs, seed = row.inputs, row.seed
        settings = settings_now(session, runtime.clock.now())
        places = places_of(session, parse_scenario(inputs["scenario"]), runtime.clock.now())
    reporter = Reporter(runtime, run_id)
    result, error = None, None
    try:
        result = run_scenario(
            runtime.corridor,
            parse_scenario(inputs["scenario"]),
            seed=seed,
            runs=int(inputs["runs"]),
            settings=settings,
            yard_places=places,
            progress=reporter.progress,
            cancelled=reporter.cancelled,
            threads=1,
            state=read_state(inputs["state"], settings) if "state" in inputs else None,
        )
    except CuaKhauError as refused:
        error = str(refused)
    if result is None and error is None:
        return  # cancelled
    with runtime.sessions() as session:
        record = result.to_record() if result is not None else None
        routing_store.finish_scenario_run(session, run_id, now=runtime.clock.now(), result=record, error=error)
        session.commit()


def main() -> None:
    """Work on the run named on the command line, with low priority."""
    logs.configure("scenario")
    os.nice(NICENESS)
    runtime = Runtime.open(get_settings(), part="scenario")
    try:
        work(runtime, uuid.UUID(sys.argv[1]))
    finally:
        runtime.close()


if __name__ == "__main__":
    main()
