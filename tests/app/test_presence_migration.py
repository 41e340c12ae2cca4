"""What trips' stages said becomes the places of their trucks, and stages again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from app.ops import migrate
from geo.database import make_engine
from tests.conftest import NOW

TRIPS = (
    (1, "export", "queued", [("planned", 5.0, 3.0), ("on_the_road", 3.0, 1.0)], 1.0),
    (2, "export", "out", [("planned", 9.0, 8.0), ("in_the_yard", 8.0, 6.0)], 6.0),
    (3, "import", "out", [("planned", 9.0, 8.0)], 8.0),
    (4, "export", "out", [("planned", 9.0, 8.0), ("in_the_yard", 8.0, 6.0)], 6.0),
    (5, "export", "cancelled", [("planned", 9.0, 8.0)], 8.0),
    (6, "export", "in_the_yard", [("queued", 2.0, 2.0)], 2.0),
)


def add_trips(connection: Connection) -> None:
    connection.execute(text("INSERT INTO app.organisation (name, kind) VALUES ('A', 'enterprise')"))
    for trip_id, direction, stage, stays, hours in TRIPS:
        values = {"id": trip_id, "direction": direction, "stage": stage, "since": NOW - timedelta(hours=hours)}
        connection.execute(
            text(
                "INSERT INTO ingest.vehicle (vehicle_id, plate, plate_norm, kind, created_at) "
                "VALUES (:id, '29C' || :id, '29C' || :id, 'truck', now())"
            ),
            values,
        )
        connection.execute(
            text(
                "INSERT INTO app.trip (trip_id, code, vehicle_id, organisation_id, goods, goods_class, perishable, "
                "regime, direction, gate_id, planned_arrival, stage, stage_since, created_at) "
                "VALUES (:id, 'C' || :id, :id, 1, 'x', 'ore', false, "
                "'export', :direction, 'huu-nghi', :since, :stage, :since, :since)"
            ),
            values,
        )
        for name, begin, end in stays:
            connection.execute(
                text(
                    "INSERT INTO app.stay (trip_id, gate_id, kind, name, outcome, began_at, ended_at) "
                    "VALUES (:id, 'huu-nghi', 'stage', :name, 'x', :begin, :end)"
                ),
                values | {"name": name, "begin": NOW - timedelta(hours=begin), "end": NOW - timedelta(hours=end)},
            )
    connection.execute(
        text(
            "INSERT INTO app.trip_event (trip_id, at, kind, data) VALUES (4, now(), 'stage', "
            '\'{"after": "out", "reason": "turned_back"}\')'
        )
    )


def test_stages_become_places_and_back(owner_engine: Engine) -> None:
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS place_migration"))
        connection.execute(text("CREATE DATABASE place_migration"))
    url = owner_engine.url.set(database="place_migration").render_as_string(hide_password=False)
    own = make_engine(url, pool_size=1, application_name="cuakhau-test")
    try:
        migrate.upgrade(own, "0017")
        with own.begin() as connection:
            add_trips(connection)
        migrate.upgrade(own, "0018")
        with own.begin() as connection:
            rows = connection.execute(text("SELECT * FROM app.trip_place ORDER BY trip_id, began_at")).all()
            assert connection.execute(text("SELECT count(*) FROM app.stay WHERE kind = 'stage'")).scalar_one() == 0
        places = {trip_id: [row.kind for row in rows if row.trip_id == trip_id] for trip_id, *_ in TRIPS}
        assert places == {
            1: ["planned", "on_the_road", "queued"],
            2: ["planned", "gate_area", "over_the_border"],
            3: ["planned", "inland"],
            4: ["planned", "gate_area", "turned_back"],
            5: ["planned"],
            6: ["gate_area"],
        }
        assert [row.trip_id for row in rows if row.ended_at is None] == [1, 2, 3, 4, 6]
        assert {row.gate_id for row in rows if row.kind in {"queued", "gate_area", "inland"}} == {"huu-nghi"}
        migrate.downgrade(own, "0017")
        with own.begin() as connection:
            stays = connection.execute(text("SELECT trip_id, name FROM app.stay ORDER BY trip_id, began_at")).all()
        assert [tuple(stay) for stay in stays if stay.trip_id in {1, 2}] == [
            (1, "planned"),
            (1, "on_the_road"),
            (2, "planned"),
            (2, "in_the_yard"),
        ]
    finally:
        own.dispose()
