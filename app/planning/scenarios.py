"""Queued scenarios, one at a time, each in a child process of its own, so that planning never starves control."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from app.platform.steps import Step, StepResult, log
from app.settings import Settings
from routing import store as routing_store
from routing.tables import ScenarioRunRow

T = TypeVar("T")

PLANNERS = outbox.Audience(roles=(str(Role.PLANNER), str(Role.AUDITOR)))
STOP_S = 5.0
NICENESS = 10


@dataclass
class ScenarioRunner:
    """Starts queued runs one after another and looks after the one that runs."""

    runtime: Runtime
    child: subprocess.Popen[bytes] | None = None
    run_id: uuid.UUID | None = None
    _has_requeued: bool = False

    def tend(self) -> None:
        """One look: requeue what an earlier leader left, collect a finished child, start the next run."""
        if not self._has_requeued:
            self._has_requeued = self._run("scenarios_requeue", routing_store.requeue_interrupted_runs).is_done
        if self.child is not None:
            if self._run("scenario_cancelled", self._is_cancelled).value_or(False):
                self._end_child()
            if self.child is not None and self.child.poll() is None:
                return
            self._run("scenario_ended", self._collect)
            self.child = self.run_id = None
        run_id = self._run("scenario_claim", self._claim).value_or(None)
        if run_id is not None:
            self.run_id, self.child = run_id, start_child(self.runtime.settings, run_id)
            log.info("scenario started", run_id=str(run_id))

    def stop(self) -> None:
        """End the child; the next leader puts its run back in the queue."""
        self._end_child()

    def _run(self, name: str, work: Callable[[Session], T]) -> StepResult[T]:
        return Step(name, work).run(self.runtime)

    def _claim(self, session: Session) -> uuid.UUID | None:
        row = routing_store.claim_scenario_run(session, now=self.runtime.clock.now())
        if row is None:
            return None
        publish_progress(session, self.runtime, row)
        return row.run_id

    def _is_cancelled(self, session: Session) -> bool:
        assert self.run_id is not None
        return routing_store.get_scenario_run(session, self.run_id).status == "cancelled"

    def _collect(self, session: Session) -> None:
        """A child that ended without a result has failed; say so."""
        assert self.run_id is not None
        row = routing_store.get_scenario_run(session, self.run_id)
        if row.status == "running":
            code = self.child.returncode if self.child is not None else None
            now = self.runtime.clock.now()
            error = f"The run ended early (status {code})."
            routing_store.finish_scenario_run(session, self.run_id, now=now, error=error)
            row = routing_store.get_scenario_run(session, self.run_id)
        publish_progress(session, self.runtime, row)

    def _end_child(self) -> None:
        child = self.child
        if child is None or child.poll() is not None:
            return
        child.terminate()
        deadline = time.monotonic() + STOP_S
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if child.poll() is None:
            child.kill()
            child.wait()


def start_child(settings: Settings, run_id: uuid.UUID) -> subprocess.Popen[bytes]:
    """Start the process that works on one run."""
    environment = dict(os.environ) | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "CUAKHAU_SECRET_KEY": settings.secret_key.get_secret_value(),
        "CUAKHAU_DEMO": "1" if settings.demo else "0",
    }
    command = [sys.executable, "-m", "app.planning.scenario_child", str(run_id)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)


def publish_progress(session: Session, runtime: Runtime, row: ScenarioRunRow) -> None:
    """Tell planners how far a run is."""
    data = {"run_id": str(row.run_id), "status": row.status, "progress": row.progress}
    outbox.publish_event(session, "scenario", PLANNERS, data, at=runtime.clock.now())
