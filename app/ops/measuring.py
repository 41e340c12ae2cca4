"""What is measured of the platform to judge its condition; where a server is away, what it would tell is left out."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.equipment import service as equipment
from app.ops import backup_store, metrics
from app.ops.alarms import Reading
from app.ops.vocabulary import AlarmKind
from app.platform.runtime import Runtime
from app.settings import OperationsSettings
from ingest import dead_letters

CONNECT_S: Final = 5.0
LOOKS_AWAY: Final = 2
DAY_S: Final = 86_400.0
WATCHED: Final = ("ingest",)
"""Parts whose heartbeat control looks at; that control itself is away, `/readyz` and Prometheus tell."""


@dataclass
class Measured:
    """Readings, the kinds of which all was read, and gauges for `/metrics`."""

    readings: list[Reading] = field(default_factory=list)
    kinds: list[AlarmKind] = field(default_factory=list)
    gauges: dict[str, float] = field(default_factory=dict)

    def add(self, kind: AlarmKind, readings: Iterable[Reading]) -> None:
        """All there is of a kind."""
        self.readings += readings
        self.kinds.append(kind)


@dataclass(frozen=True)
class Looks:
    """Looks at an installation; `certificate_ends_at` tells when the certificate of the public address ends."""

    runtime: Runtime
    operations: OperationsSettings
    certificate_ends_at: Callable[[str], float | None]
    looks_away: Counter[str] = field(default_factory=Counter)
    """For each part, at how many looks in a row it did not answer: one that is started again is no alarm."""

    def measure(self, session: Session) -> Measured:
        """Everything, as of now."""
        measured, now = Measured(), self.runtime.clock.now()
        self._disk(measured)
        self._certificate(measured, now)
        for look, fault in ((self._servers, RedisError), (self._kept, SQLAlchemyError)):
            try:
                look(session, measured, now)
            except (fault, OSError):
                continue  # told by /readyz; nothing is known of these kinds now
        return measured

    def _disk(self, measured: Measured) -> None:
        folders = {"data": self.runtime.settings.data_dir, "backups": self.operations.backup_dir}
        free = {name: free_share(folder) for name, folder in folders.items() if folder is not None and folder.exists()}
        limit = 1.0 - self.operations.min_disk_free_share
        measured.add(AlarmKind.DISK_SHORT, [full_disk(name, share, limit) for name, share in free.items()])
        measured.gauges |= {f'disk_free_share{{folder="{name}"}}': share for name, share in free.items()}

    def _certificate(self, measured: Measured, now: datetime) -> None:
        url = self.runtime.settings.public_url
        if not url.startswith("https://"):
            return
        ends_at_s = self.certificate_ends_at(url)
        if ends_at_s is None:
            return
        left_s, limit_s = ends_at_s - now.timestamp(), self.operations.min_certificate_days * DAY_S
        gone = Reading(AlarmKind.CERTIFICATE_ENDS, limit_s / max(left_s, 1.0), 1.0, str(urlsplit(url).hostname))
        measured.add(AlarmKind.CERTIFICATE_ENDS, [gone])
        measured.gauges["certificate_ends_at_s"] = ends_at_s

    def _servers(self, _session: Session, measured: Measured, now: datetime) -> None:
        redis: Any = self.runtime.redis
        for part in WATCHED:
            self.looks_away[part] = 0 if redis.exists(f"ck:heartbeat:{part}") else self.looks_away[part] + 1
        measured.add(AlarmKind.PART_AWAY, [away(part, self.looks_away[part]) for part in WATCHED])
        lag = metrics.stream_lag(redis, self.runtime.settings.ingest_shards)
        waiting = sum(lag.values())
        limit = float(self.operations.max_stream_lag_entries)
        measured.add(AlarmKind.STREAM_LAG, [Reading(AlarmKind.STREAM_LAG, waiting, limit)])
        gauges: Mapping[bytes, bytes] = redis.hgetall(metrics.GAUGES)
        made_at = gauges.get(b"forecast_made_at_s")
        if made_at is not None:
            age_s, limit_s = now.timestamp() - float(made_at), self.operations.max_forecast_age_s
            measured.add(AlarmKind.FORECAST_OLD, [Reading(AlarmKind.FORECAST_OLD, age_s, limit_s)])
        events, limit = float(gauges.get(b"outbox_waiting", 0.0)), float(self.operations.max_outbox_events)
        measured.add(AlarmKind.OUTBOX_WAITING, [Reading(AlarmKind.OUTBOX_WAITING, events, limit)])

    def _kept(self, session: Session, measured: Measured, now: datetime) -> None:
        silent = equipment.silent_devices(session)
        kind = AlarmKind.CAMERA_SILENT  # how long is too long, the device's own setting says
        measured.add(kind, [Reading(kind, 1.0, 1.0, name) for name in silent])
        measured.gauges["equipment_silent"] = float(len(silent))
        dead = float(sum(dead_letters.count_dead(session).values()))
        measured.add(AlarmKind.DEAD_LETTERS, [Reading(AlarmKind.DEAD_LETTERS, dead, 1.0)])
        self._backup(session, measured, now)

    def _backup(self, session: Session, measured: Measured, now: datetime) -> None:
        good, newest = backup_store.newest_good_backup(session), backup_store.newest_backup(session)
        if good is not None:
            measured.gauges["backup_made_at_s"] = good.started_at.timestamp()
        if self.operations.backup_dir is None:
            measured.add(AlarmKind.BACKUP_OLD, [])
        elif newest is not None:
            limit_s = self.operations.backup_age_limit_s()
            age_s = (
                limit_s if good is None else (now - good.started_at).total_seconds()
            )  # none that worked: bad at once
            measured.add(AlarmKind.BACKUP_OLD, [Reading(AlarmKind.BACKUP_OLD, age_s, limit_s)])


def away(part: str, looks: int) -> Reading:
    """A part that did not answer at so many looks in a row; it is back at the first at which it does."""
    return Reading(AlarmKind.PART_AWAY, float(looks), float(LOOKS_AWAY), part, calm_share=1 / LOOKS_AWAY)


def full_disk(name: str, free: float, limit: float) -> Reading:
    """How full a disk is; it has room again when 2 % of the limit are free beside it."""
    return Reading(AlarmKind.DISK_SHORT, 1.0 - free, limit, name, calm_share=0.98)


def free_share(folder: Path) -> float:
    """How much of the disk of a folder is free."""
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total


def certificate_end(url: str) -> float | None:
    """When the certificate of an https address ends, seconds since 1970; `None` if nobody answers.

    One that is not valid (any more) has ended: the connection says so.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((str(parts.hostname), parts.port or 443), CONNECT_S) as connection,
            context.wrap_socket(connection, server_hostname=parts.hostname) as secured,
        ):
            certificate = secured.getpeercert() or {}
            return ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    except ssl.SSLCertVerificationError:
        return 0.0
    except OSError:
        return None
