"""The space–time map: mean speeds of cells, tails as measured and as forecast; read once, for those who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event, text

from app.forecasting.space_time import CELLS, STEP_S, column_of, forecast_tails, speeds_by_cell, tails_by_column
from app.forecasting.space_time_store import CellSpeed
from app.platform.permissions import PERMISSIONS, Role
from app.platform.runtime import Runtime
from app.trips.places import Places
from geo.corridor import Corridor
from ingest.fix_store import ensure_partitions
from routing.store import GateForecast, QueueObservation
from tests.app.test_control import put_trucks
from tests.conftest import SignIn

BEGIN = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
FIRST = column_of(BEGIN)


def road_id(corridor: Corridor, road: str) -> int:
    return next(number for number, piece in enumerate(corridor.roads) if piece.road == road)


def test_a_cell_has_the_mean_of_its_positions(corridor: Corridor) -> None:
    place = Places.of(corridor).gates["huu-nghi"]
    on_road = road_id(corridor, "QL1A")
    speeds = [
        CellSpeed(FIRST, on_road, 4, 10.0, 2),  # km 2.0 to 2.5: 5 m/s
        CellSpeed(FIRST, on_road, 4, 2.0, 2),  # another piece of the road in the same cell
        CellSpeed(FIRST + 1, on_road, 39, 12.0, 1),
        CellSpeed(FIRST + 1, on_road, 40, 12.0, 1),  # beyond what is shown
    ]
    found = speeds_by_cell(speeds, corridor, place, FIRST, FIRST + 2)
    assert [len(row) for row in found] == [CELLS] * 3
    assert found[0][4] == round(3.6 * 12.0 / 4)
    assert found[1][39] == round(3.6 * 12.0)
    assert sum(kmh is not None for row in found for kmh in row) == 2


def test_beyond_the_fork_the_other_road_counts_in_the_gates_kilometres(corridor: Corridor) -> None:
    place = Places.of(corridor).gates["tan-thanh"]
    (there_km, here_km) = place.feeders["QL1A"]
    cell = int((there_km + 2.25) / 0.5)
    found = speeds_by_cell([CellSpeed(FIRST, road_id(corridor, "QL1A"), cell, 10.0, 1)], corridor, place, FIRST, FIRST)
    km = here_km + (cell + 0.5) * 0.5 - there_km
    assert [i for i, kmh in enumerate(found[0]) if kmh is not None] == ([int(km / 0.5)] if km < 20 else [])


def test_the_farthest_tail_of_a_column_counts() -> None:
    def observed(minutes: float, tail_km: float) -> QueueObservation:
        return QueueObservation("huu-nghi", BEGIN + timedelta(minutes=minutes), 10.0, tail_km, None)

    tails = tails_by_column(
        [observed(-1, 9.0), observed(0, 1.0), observed(14, 3.0), observed(31, 2.0)], FIRST, FIRST + 2
    )
    assert tails == [3.0, None, 2.0]


def test_forecast_tails_begin_with_the_column_in_which_it_was_made() -> None:
    tail_km = np.array([[1.0] * 7, [2.0] * 7, [3.0, 3.0, 4.0, 5.0, 3.0, 3.0, 3.0]])
    made_at = BEGIN + timedelta(minutes=10)
    forecast = GateForecast(
        1, "huu-nghi", made_at, 1, "", 8, 1800.0, 300.0, (0.1, 0.5, 0.9), tail_km, tail_km, tail_km, 1.0, {}
    )
    assert forecast_tails(forecast) == [[1.0, 2.0, 3.0], [1.0, 2.0, 5.0], [1.0, 2.0, 3.0]]


def test_the_map_shows_where_trucks_were_slow(runtime: Runtime, sign_in: SignIn) -> None:
    put_trucks(runtime, [2.1, 2.2], speed_mps=1.0)
    day = runtime.clock.now().date()
    with runtime.engine.begin() as connection:
        ensure_partitions(connection, day, day)
        connection.execute(
            text(
                """
                INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, speed_mps, road_id, km, direction, status,
                    flags, received_at)
                SELECT vehicle_id, time, device_id, geom, speed_mps, road_id, km, direction, status, flags, received_at
                FROM ingest.last_position
                """
            )
        )
    police = sign_in("traffic_police")
    asked: list[str] = []
    event.listen(runtime.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    found = police.get("/api/v1/space-time", params={"gate": "huu-nghi"}).json()
    now = runtime.clock.now()
    assert found["begins_at"] == datetime.fromtimestamp(column_of(now - timedelta(hours=24)) * STEP_S, UTC).isoformat()
    column = column_of(now - timedelta(seconds=10)) - column_of(now - timedelta(hours=24))
    assert found["speed_kmh"][column][4] == 4
    assert sum(kmh is not None for row in found["speed_kmh"] for kmh in row) == 1
    assert found["forecast_km"] == []
    spans = [statement for statement in asked if "ingest.fix" in statement]
    police.get("/api/v1/space-time", params={"gate": "tan-thanh"})
    assert len(spans) == 1  # one query for all roads
    assert police.get("/api/v1/space-time", params={"gate": "nowhere"}).status_code == 404


@pytest.mark.parametrize("role", [Role.ENTERPRISE, Role.DRIVER, Role.CUSTOMS])
def test_the_past_is_for_those_who_may_see_it(sign_in: SignIn, role: Role) -> None:
    assert role not in PERMISSIONS["history.read"]
    bound = {"gate_id": "huu-nghi"} if role.is_at_gate else {}
    assert sign_in(role, **bound).get("/api/v1/space-time", params={"gate": "huu-nghi"}).status_code == 403
