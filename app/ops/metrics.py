"""The figures behind `/metrics`: counters and gauges of all processes, kept in Redis hashes.

A key is a Prometheus name with its labels, such as `fixes_refused_total{reason="mock"}`; here it gets the prefix
`cuakhau_`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import ResponseError

from app.platform.runtime import Runtime

COUNTERS = "ck:counters"
GAUGES = "ck:gauges"
GROUP = "ingest"
KEY = re.compile(r"([a-z_][a-z0-9_]*)(?:\{([^}]*)\})?")
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="([^"]*)"')

HELP = {
    "fixes_in_total": "Fixes accepted by the doors.",
    "fixes_stored_total": "Fixes written to the database.",
    "fixes_matched_total": "Fixes placed on the corridor.",
    "fixes_duplicate_total": "Fixes that were there already.",
    "fixes_late_total": "Fixes older than the vehicle's last position.",
    "fixes_refused_total": "Fixes refused, by reason.",
    "stream_lag_entries": "Entries of the stream not yet read by a worker.",
    "stream_pending_entries": "Entries read and not yet acknowledged.",
    "forecast_age_s": "Time since the newest forecast.",
    "sse_connections": "Open event streams of this process.",
    "events_delivered_total": "Messages put on event streams.",
    "events_relayed_total": "Events relayed from the outbox.",
}


class Figures(Collector):
    """Reads the figures when Prometheus asks."""

    def __init__(self, runtime: Runtime, extra: dict[str, float]) -> None:
        self.runtime = runtime
        self.extra = extra

    def collect(self) -> Iterator[Metric]:
        """Counters, then gauges."""
        redis: Any = self.runtime.redis
        yield from _families(CounterMetricFamily, redis.hgetall(COUNTERS))
        gauges = {key.decode(): float(value) for key, value in redis.hgetall(GAUGES).items()}
        made_at = gauges.pop("forecast_made_at_s", None)
        if made_at is not None:
            gauges["forecast_age_s"] = self.runtime.clock.now().timestamp() - made_at
        gauges |= stream_lag(redis, self.runtime.settings.ingest_shards) | self.extra
        yield from _families(GaugeMetricFamily, {key.encode(): value for key, value in gauges.items()})


def exposition(runtime: Runtime, *, connections: int) -> bytes:
    """All figures in the text format of Prometheus; `connections` are this process' open event streams."""
    registry = CollectorRegistry()
    registry.register(Figures(runtime, {"sse_connections": float(connections)}))
    return generate_latest(registry)


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


def is_bearer(authorization: str, token: str) -> bool:
    """Whether a header `Authorization` carries `token`."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def _families(family: Any, values: dict[bytes, Any]) -> Iterable[Metric]:
    families: dict[str, Any] = {}
    for key, value in sorted(values.items()):
        match = KEY.fullmatch(key.decode())
        if match is None:
            continue
        name, labels = match[1], dict(LABEL.findall(match[2] or ""))
        if name not in families:
            families[name] = family(f"cuakhau_{name}", HELP.get(name, name.replace("_", " ")), labels=list(labels))
        families[name].add_metric(list(labels.values()), float(value))
    return families.values()
