"""Trips of the demonstration are where their trucks are, whatever officers entered late."""

from __future__ import annotations

from sqlalchemy import text

from app.ops.embedded import ServerUrls
from app.ops.running import read_note
from geo.database import make_engine
from tests.e2e.conftest import Platform, eventually

STAND_INSIDE = """
    SELECT count(*) AS trucks, count(*) FILTER (WHERE t.stage IN ('planned', 'on_the_road')) AS not_come
    FROM ingest.last_position p JOIN geo.site s USING (site_id)
    JOIN app.trip t USING (vehicle_id) JOIN app.current_trip c USING (trip_id)
    WHERE s.kind = 'yard' AND t.direction = 'export' AND t.stage <> 'out'
        AND EXISTS (SELECT FROM ingest.site_event e WHERE e.vehicle_id = p.vehicle_id AND e.site_id = p.site_id
                    AND e.kind = 'enter' AND e.time BETWEEN t.created_at AND p.time - interval '3 minutes')
"""
ENOUGH = 20


def test_trips_of_trucks_that_stand_in_a_yard_have_come(platform: Platform) -> None:
    engine = make_engine(ServerUrls.of_environment(read_note(platform.data_dir)).owner_url)
    seen: list[tuple[int, int]] = []

    def have_come() -> bool:
        with engine.connect() as connection:
            row = connection.execute(text(STAND_INSIDE)).one()
        seen.append((row.trucks, row.not_come))
        return row.trucks >= ENOUGH and row.not_come <= 0.1 * row.trucks

    try:
        assert eventually(have_come, within_s=240, every_s=2), seen[-3:]
    finally:
        engine.dispose()
