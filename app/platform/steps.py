"""Steps of a loop: each in a transaction of its own, its failure logged, counted and kept to itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, cast, overload

import structlog
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.runtime import Runtime

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

SLOW_S = 2.0
"""A step that takes longer is logged."""

log = structlog.get_logger("control")


class StepFailedError(RuntimeError):
    """The result of a step that made nothing was asked for."""


@dataclass(frozen=True)
class Failure:
    """Why a step made nothing: its own error, or the step it needed that failed (`missing`)."""

    reason: str
    missing: str | None = None


@dataclass(frozen=True)
class StepResult(Generic[T]):
    """What became of a step: what it made or its failure, and how long it took."""

    name: str
    duration_s: float
    failure: Failure | None = None
    _made: T | None = None

    @property
    def is_done(self) -> bool:
        """Whether the step worked and its transaction is committed."""
        return self.failure is None

    @property
    def value(self) -> T:
        """What the step made.

        Raises
        ------
        StepFailedError
            If it failed or was left out.
        """
        if self.failure is not None:
            raise StepFailedError(f"The step {self.name} made nothing: {self.failure.reason}")
        return cast(T, self._made)

    def value_or(self, other: A) -> T | A:
        """What the step made, or `other` if it made nothing."""
        return self.value if self.is_done else other


@dataclass(frozen=True)
class Step(Generic[T]):
    """A piece of work with a name, done in a transaction of its own."""

    name: str
    work: Callable[[Session], T]

    def run(self, runtime: Runtime) -> StepResult[T]:
        """Do the work, commit, and relay the events it emitted.

        A failure is logged and counted (`control_step_failures_total`), never raised: one failing step must not
        stop the others, and the next round tries again.
        """
        started = time.perf_counter()
        try:
            with runtime.sessions() as session:
                made = self.work(session)
                session.commit()
                outbox.relay_after_commit(session, runtime.redis)
        except Exception as error:  # whatever it is: one failing step must not stop the others
            log.exception("step failed", step=self.name)
            count(runtime, "control_step_failures_total")
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return StepResult(self.name, time.perf_counter() - started, Failure(reason))
        duration_s = time.perf_counter() - started
        if duration_s > SLOW_S:
            log.info("step was slow", step=self.name, took_s=round(duration_s, 2))
        return StepResult(self.name, duration_s, _made=made)


@dataclass
class Round:
    """One round of a loop: steps run one after another at the same moment `now`, and what became of each.

    A step is a function of the session, `now`, and what the steps it needs made. If one of those made nothing it is
    left out.
    """

    runtime: Runtime
    now: datetime
    results: dict[str, StepResult[Any]] = field(default_factory=dict)

    @overload
    def run(self, name: str, work: Callable[[Session, datetime], T], /) -> StepResult[T]: ...

    @overload
    def run(self, name: str, work: Callable[[Session, datetime, A], T], a: StepResult[A], /) -> StepResult[T]: ...

    @overload
    def run(
        self, name: str, work: Callable[[Session, datetime, A, B], T], a: StepResult[A], b: StepResult[B], /
    ) -> StepResult[T]: ...

    @overload
    def run(
        self,
        name: str,
        work: Callable[[Session, datetime, A, B, C], T],
        a: StepResult[A],
        b: StepResult[B],
        c: StepResult[C],
        /,
    ) -> StepResult[T]: ...

    def run(self, name: str, work: Callable[..., T], /, *needs: StepResult[Any]) -> StepResult[T]:
        """Run one step."""
        missing = next((need for need in needs if not need.is_done), None)
        result: StepResult[T]
        if missing is not None:
            result = StepResult(name, 0.0, Failure(f"it needs {missing.name}", missing=missing.name))
        else:
            values = [need.value for need in needs]
            result = Step(name, lambda session: work(session, self.now, *values)).run(self.runtime)
        self.results[name] = result
        return result

    @property
    def failed(self) -> list[str]:
        """Names of the steps that made nothing, in their order."""
        return [name for name, result in self.results.items() if not result.is_done]

    @property
    def duration_s(self) -> float:
        """How long all steps took together."""
        return sum(result.duration_s for result in self.results.values())


def count(runtime: Runtime, counter: str, by: int = 1) -> None:
    """Add to a counter behind /metrics; silently skipped while Redis is away."""
    try:
        runtime.redis.hincrby("ck:counters", counter, by)
    except RedisError:
        log.warning("Redis is away", counter=counter)


def gauge(runtime: Runtime, values: Mapping[str, float]) -> None:
    """Set gauges behind /metrics; silently skipped while Redis is away."""
    if not values:
        return
    try:
        runtime.redis.hset("ck:gauges", mapping={name: str(value) for name, value in values.items()})
    except RedisError:
        log.warning("Redis is away", gauges=list(values))
