"""One step of a loop: its own transaction, its failure logged and kept to itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.runtime import Runtime

T = TypeVar("T")

log = structlog.get_logger("control")


def run_step(runtime: Runtime, name: str, step: Callable[[Session], T]) -> T | None:
    """Run `step` in a transaction of its own and relay the events it emitted; `None` if it failed.

    A failure is logged and counted (`control_step_failures_total`), never raised: one failing step must not
    stop the others, and the next round tries again.
    """
    started = time.perf_counter()
    try:
        with runtime.sessions() as session:
            result = step(session)
            session.commit()
            _relay(runtime, session)
    except Exception:  # whatever it is: one failing step must not stop the others
        log.exception("step failed", step=name)
        count(runtime, "control_step_failures_total")
        return None
    took_s = time.perf_counter() - started
    if took_s > 2.0:
        log.info("step was slow", step=name, took_s=round(took_s, 2))
    return result


def _relay(runtime: Runtime, session: Session) -> None:
    """Relay what was just committed; while Redis is away the events wait in the outbox."""
    try:
        outbox.relay_after_commit(session, runtime.redis)
    except RedisError as error:
        session.rollback()
        log.warning("events wait for Redis", reason=str(error).splitlines()[0])


def count(runtime: Runtime, counter: str, by: int = 1) -> None:
    """Add to a counter behind /metrics; silently skipped while Redis is away."""
    try:
        runtime.redis.hincrby("ck:counters", counter, by)
    except RedisError:
        log.warning("Redis is away", counter=counter)


def gauge(runtime: Runtime, values: dict[str, float]) -> None:
    """Set gauges behind /metrics; silently skipped while Redis is away."""
    if not values:
        return
    try:
        runtime.redis.hset("ck:gauges", mapping={name: str(value) for name, value in values.items()})
    except RedisError:
        log.warning("Redis is away", gauges=list(values))
