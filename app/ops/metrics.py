"""The figures behind `/metrics`: counters and gauges of all processes, kept in Redis hashes.

A key is a Prometheus name with its labels, such as `fixes_refused_total{reason="mock"}`; here it gets the prefix
`cuakhau_`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from redis.exceptions import ResponseError
from sqlalchemy.exc import SQLAlchemyError

from app.ops.alarm_store import open_alarms
from app.ops.alarms import count_open
from app.platform.runtime import Runtime
from ingest import dead_letters

PARTS = ("ingest", "control")
"""Parts that beat in Redis, at least one process each."""
COUNTERS = "ck:counters"
GAUGES = "ck:gauges"
GROUP = "ingest"
KEY = re.compile(r"([a-z_][a-z0-9_]*)(?:\{([^}]*)\})?")
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="([^"]*)"')

HELP = {
    "fixes_in_total": "Fixes accepted by the doors.",
    "fixes_stored_total": "Fixes written to the database; those of a worker killed just after count as duplicates.",
    "fixes_matched_total": "Fixes placed on the corridor.",
    "fixes_duplicate_total": "Fixes that were there already.",
    "fixes_late_total": "Fixes older than the vehicle's last position.",
    "fixes_refused_total": "Fixes refused, by reason.",
    "stream_lag_entries": "Entries of the stream not yet read by a worker.",
    "stream_pending_entries": "Entries read and not yet acknowledged.",
    "fixes_dead_total": "Fixes that could not be stored and became dead letters.",
    "dead_letters": "Dead letters that wait to be mended, replayed or dropped.",
    "forecast_age_s": "Time since the newest forecast.",
    "events_delivered_total": "Messages put on event streams.",
    "gps_entries_without_approach": "Entries into yards that GPS alone reports, of the last hour; not counted.",
    "devices_enrolled": "Devices enrolled within the last hour.",
    "events_relayed_total": "Events relayed from the outbox.",
    "events_resync_total": "Event streams that did not keep up and were told to fetch the state again.",
    "outbox_waiting": "Events that wait to be relayed.",
    "neighbour_exchanges_total": "Exchanges with neighbours, by how they ended.",
    "neighbour_exchange_ms_total": "Time that exchanges with neighbours took, ms, by how they ended.",
    "neighbour_messages_in_total": "Messages of neighbours that were taken in, by what came of them.",
    "neighbour_up": "Whether a neighbour that is connected answers.",
    "neighbour_waiting": "Messages to and of a neighbour that wait.",
    "neighbour_dead": "Messages to and of a neighbour that were given up and wait for a person.",
    "part_alive": "Whether a process of the part beats.",
    "alarms_open": "Alarms that are not over, by kind: the one judgement of what is bad.",
    "backup_age_s": "Time since the newest backup that worked was begun.",
    "disk_free_share": "Share of the disk that is free, by folder.",
    "equipment_silent": "Cameras and other devices of gates that raised an alarm because they are silent.",
    "certificate_ends_at_s": "When the certificate of the public address ends, seconds since 1970.",
    "control_minute_duration_s": "How long the newest round of the minute loop took.",
    "control_step_failures_total": "Steps of the control loops that failed.",
}


class Figures(Collector):
    """Reads the figures when Prometheus asks."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def collect(self) -> Iterator[Metric]:
        """Counters, then gauges."""
        redis: Any = self.runtime.redis
        yield from _families(CounterMetricFamily, redis.hgetall(COUNTERS))
        found = gauges(self.runtime) | stream_lag(redis, self.runtime.settings.ingest_shards)
        found |= _kept(self.runtime)
        found |= {f'part_alive{{part="{part}"}}': float(redis.exists(f"ck:heartbeat:{part}")) for part in PARTS}
        yield from _families(GaugeMetricFamily, {key.encode(): value for key, value in found.items()})


def gauges(runtime: Runtime) -> dict[str, float]:
    """What processes keep in Redis; of moments their age."""
    redis: Any = runtime.redis
    found = {key.decode(): float(value) for key, value in redis.hgetall(GAUGES).items()}
    for name in ("forecast", "backup"):
        made_at = found.pop(f"{name}_made_at_s", None)
        if made_at is not None:
            found[f"{name}_age_s"] = runtime.clock.now().timestamp() - made_at
    return found


def exposition(runtime: Runtime, requests: CollectorRegistry) -> bytes:
    """All figures in the text format of Prometheus; `requests` are the figures of the requests this process answered.

    Where several processes share a port, those of all of them are told, whichever is asked.
    """
    registry = CollectorRegistry()
    registry.register(Figures(runtime))
    if runtime.settings.metrics_dir is not None:
        requests = CollectorRegistry()
        MultiProcessCollector(requests, str(runtime.settings.metrics_dir))  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(requests)


def stream_lag(redis: Any, shards: int) -> dict[str, float]:
    """For each shard what waits in its stream, and what is being worked on."""
    figures: dict[str, float] = {}
    for shard in range(shards):
        key = f"ck:fixes:{shard}"
        lag, pending = float(redis.xlen(key)), 0.0
        try:
            for group in redis.xinfo_groups(key):
                if group["name"] == GROUP.encode():
                    pending = float(group["pending"])
                    lag = float(group["lag"]) if group["lag"] is not None else lag
        except ResponseError:
            pass  # nothing was ever sent to this shard
        figures[f'stream_lag_entries{{shard="{shard}"}}'] = lag
        figures[f'stream_pending_entries{{shard="{shard}"}}'] = pending
    return figures


def _kept(runtime: Runtime) -> dict[str, float]:
    try:
        with runtime.sessions() as session:
            waiting = dead_letters.count_dead(session)
            alarms = count_open(open_alarms(session))
    except SQLAlchemyError:
        return {}  # the database is away; the other figures are not
    dead = {f'dead_letters{{kind="{kind}"}}': float(waiting.get(kind, 0)) for kind in dead_letters.DeadLetterKind}
    return dead | {f'alarms_open{{kind="{kind}"}}': float(count) for kind, count in alarms.items()}


def is_bearer(authorization: str, token: str) -> bool:
    """Whether a header `Authorization` carries `token`."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def _families(
    family: type[CounterMetricFamily | GaugeMetricFamily], values: Mapping[bytes, bytes | float]
) -> Iterable[Metric]:
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for key, value in sorted(values.items()):
        match = KEY.fullmatch(key.decode())
        if match is None:
            continue
        name, labels = match[1], dict(LABEL.findall(match[2] or ""))
        if name not in families:
            families[name] = family(f"cuakhau_{name}", HELP.get(name, name.replace("_", " ")), labels=list(labels))
        families[name].add_metric(list(labels.values()), float(value))
    return families.values()
