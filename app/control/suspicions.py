"""What looks like somebody inventing trucks, in numbers, for alarms: gauges behind /metrics and a line of the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.steps import log
from app.registers import claim_store
from app.yards import store as yards_store

LOOKED_AT: Final = timedelta(hours=1)
MAX_ENTRIES: Final = 5
"""Entries into yards within `LOOKED_AT` that one device alone reports, without an approach: some are tunnels of GPS."""
MAX_DEVICES: Final = 30
"""Devices enrolled within `LOOKED_AT`: more than a desk does by hand."""


def count(session: Session, now: datetime) -> dict[str, float]:
    """The figures of the last hour; a warning in the log where one is too high."""
    since = now - LOOKED_AT
    entries = yards_store.count_unapproached(session, since)
    enrolled = claim_store.count_enrolled(session, since)
    if entries > MAX_ENTRIES:
        log.warning("entries into yards without an approach", entries=entries, within_s=LOOKED_AT.total_seconds())
    if enrolled > MAX_DEVICES:
        log.warning("many new devices", devices=enrolled, within_s=LOOKED_AT.total_seconds())
    return {"gps_entries_without_approach": float(entries), "devices_enrolled": float(enrolled)}
