"""Queries of the counts of arrivals by hour. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.forecasting.learned_tables import ArrivalHourRow
from geo.clock import LOCAL_ZONE

COUNTED_AGAIN: Final = timedelta(days=1)
"""Hours of today and of so long before are counted again: positions come late."""


@dataclass(frozen=True)
class HourCount:
    """Trucks that went in by any gate in the hour that begins at `hour`."""

    hour: datetime
    trucks: int


def count_hours(session: Session, now: datetime) -> int:
    """Count the arrivals of the last hours, hours without any included; how many hours. Repeating changes nothing."""
    day = (now - COUNTED_AGAIN).astimezone(LOCAL_ZONE).date()
    first = datetime.combine(day, time(), LOCAL_ZONE)
    counted = session.execute(
        text(
            """
            INSERT INTO app.arrival_hour (hour, trucks)
            SELECT h.hour, count(c.came)
            FROM generate_series(CAST(:first AS timestamptz), :now, interval '1 hour') AS h (hour)
            LEFT JOIN (
                SELECT min(e.time) AS came
                FROM ingest.site_event e JOIN geo.site s USING (site_id)
                WHERE e.kind = 'enter' AND s.kind IN ('gate', 'yard') AND e.time >= :first AND e.time <= :now
                GROUP BY e.vehicle_id, CAST(e.time AT TIME ZONE :zone AS date)
            ) c ON c.came >= h.hour AND c.came < h.hour + interval '1 hour'
            GROUP BY h.hour
            ON CONFLICT (hour) DO UPDATE SET trucks = excluded.trucks
            RETURNING hour
            """
        ),
        {"first": first, "now": now, "zone": str(LOCAL_ZONE)},
    )
    return len(counted.all())


def hour_counts(session: Session, *, since: datetime, until: datetime) -> list[HourCount]:
    """What was counted in the whole hours from a moment to another, in order.

    Local days on which nobody was counted are left out: nobody looked.
    """
    rows = session.execute(
        select(ArrivalHourRow.hour, ArrivalHourRow.trucks)
        .where(ArrivalHourRow.hour >= since, ArrivalHourRow.hour <= until - timedelta(hours=1))
        .order_by(ArrivalHourRow.hour)
    ).all()
    found = [HourCount(row.hour, row.trucks) for row in rows]
    seen = {_day(row.hour) for row in found if row.trucks}
    return [row for row in found if _day(row.hour) in seen]


def _day(moment: datetime) -> date:
    return moment.astimezone(LOCAL_ZONE).date()
