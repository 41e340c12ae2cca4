"""The condition of the platform for those who run it: its parts, what waits in the streams, dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.ops import alarm_store, backup_store, metrics
from app.ops.vocabulary import AlarmKind
from app.platform.runtime import Runtime
from ingest import dead_letters
from ingest.dead_letters import DeadFix

MAX_SHOWN = 50


@dataclass(frozen=True)
class Shard:
    """A stream of fixes: entries not read yet, entries read and not stored yet."""

    number: int
    waiting: int
    pending: int


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm that is not over, and since when."""

    kind: AlarmKind
    subject: str
    raised_at: datetime


@dataclass(frozen=True)
class LastBackup:
    """The newest backup that worked, and why a newer one did not."""

    made_at: datetime | None
    size_bytes: int
    failure: str | None


@dataclass(frozen=True)
class Condition:
    """`None` where the server that would tell is away."""

    shards: list[Shard] | None
    dead: dict[str, int] | None
    oldest_dead: list[DeadFix]
    alarms: list[OpenAlarm] | None
    backup: LastBackup | None

    def certificate_ends_at(self, gauges: Mapping[str, float]) -> datetime | None:
        """When the certificate of the public address ends, if there is one."""
        ends_at_s = gauges.get("certificate_ends_at_s")
        return None if ends_at_s is None else datetime.fromtimestamp(ends_at_s, UTC)

    @property
    def dead_count(self) -> int:
        """Dead letters that wait."""
        return sum((self.dead or {}).values())


def look(runtime: Runtime) -> Condition:
    """How the platform is now."""
    shards, dead, oldest, alarms, backup = None, None, [], None, None
    try:
        lag = metrics.stream_lag(runtime.redis, runtime.settings.ingest_shards)
        shards = [
            Shard(
                number,
                int(lag[f'stream_lag_entries{{shard="{number}"}}']),
                int(lag[f'stream_pending_entries{{shard="{number}"}}']),
            )
            for number in range(runtime.settings.ingest_shards)
        ]
    except (RedisError, OSError):
        pass  # shown as unknown
    try:
        with runtime.sessions() as session:
            dead = dead_letters.count_dead(session)
            oldest = dead_letters.list_dead(session, limit=MAX_SHOWN)
            alarms = [
                OpenAlarm(AlarmKind.get(row.kind), row.subject, row.raised_at)
                for row in alarm_store.open_alarms(session)
            ]
            backup = _last_backup(session)
    except SQLAlchemyError:
        pass  # likewise
    return Condition(shards, dead, oldest, alarms, backup)


def gauges(runtime: Runtime) -> dict[str, float]:
    """The figures of the page, as `/metrics` shows them; empty while Redis is away."""
    try:
        return metrics.gauges(runtime)
    except (RedisError, OSError):
        return {}


def _last_backup(session: Session) -> LastBackup:
    good, newest = backup_store.newest_good_backup(session), backup_store.newest_backup(session)
    failure = newest.failure if newest is not None else None
    if good is None:
        return LastBackup(None, 0, failure)
    return LastBackup(good.started_at, good.size_bytes, failure)
