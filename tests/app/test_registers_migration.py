"""What was bound to enterprises before is carried over: what an office bound is proven, what was typed is a role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.ops import migrate
from geo.database import make_engine

BEFORE = """
INSERT INTO app.organisation (organisation_id, name, kind) VALUES
    (1, 'Một', 'enterprise'), (2, 'Hai', 'enterprise'), (3, 'Đại lý', 'customs_agent');
INSERT INTO app.account (account_id, username, password_hash, full_name, role, organisation_id, vehicle_id, created_at)
VALUES (1, 'clerk', '', 'Clerk', 'enterprise', 1, NULL, now()),
       (2, 'desk', '', 'Desk', 'support', NULL, NULL, now()),
       (3, 'admin', '', 'Admin', 'administrator', NULL, NULL, now()),
       (4, 'typed', '', 'Tài Một', 'driver', 1, 1, now()),
       (5, 'bound', '', 'Tài Hai', 'driver', 2, 3, now()),
       (6, 'agent', '', 'Agent', 'enterprise', 3, NULL, now());
INSERT INTO ingest.vehicle (vehicle_id, plate, plate_norm, kind, organisation_id, created_at) VALUES
    (1, 'typed by a trip', 'A', 'truck', 1, now()),
    (2, 'by the platform', 'B', 'truck', 1, now()),
    (3, 'by an administrator', 'C', 'truck', 2, now()),
    (4, 'by a desk', 'D', 'truck', 2, now()),
    (5, 'typed by a device', 'E', 'truck', 1, now()),
    (6, 'nobody''s', 'F', 'truck', NULL, now()),
    (7, 'typed by an agent', 'G', 'truck', 3, now());
INSERT INTO ingest.device (key_hash, key_hint, vehicle_id, kind, created_by, created_at)
VALUES ('\\x01', 'aaaa', 5, 'phone', 1, now()), ('\\x02', 'bbbb', 6, 'phone', 3, now());
INSERT INTO app.trip (trip_id, code, vehicle_id, driver_id, organisation_id, goods, goods_class, perishable, regime,
                      direction, gate_id, planned_arrival, stage, stage_since, created_by, created_at)
SELECT n, 'T' || n, v, NULL, o, 'Nông sản', 'general', false, 'export', 'export', 'huu-nghi', now(), 'planned', now(),
       by, now()
FROM (VALUES (1, 1, 1, 1), (2, 2, 1, NULL), (3, 3, 2, 3), (4, 4, 2, 2), (5, 7, 3, 6)) AS t (n, v, o, by);
INSERT INTO app.declaration (trip_id, revision, status, data, created_at, version)
VALUES (1, 1, 'submitted', '{"payload_kg": 26000, "inspection_expires": "2026-12-31"}', now(), 1);
INSERT INTO app.audit (audit_id, at, actor_id, actor, action, object_type, object_id, after, previous_hash, hash)
VALUES (1, now(), 3, 'admin', 'accounts.create', 'account', '5', '{"vehicle_id": 3, "organisation_id": 2}', '', '');
"""


@pytest.fixture
def own(owner_engine: Engine) -> Iterator[Engine]:
    """A database of its own."""
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS register_migration"))
        connection.execute(text("CREATE DATABASE register_migration"))
    url = owner_engine.url.set(database="register_migration").render_as_string(hide_password=False)
    made = make_engine(url, pool_size=1, application_name="cuakhau-test")
    yield made
    made.dispose()


def test_bindings_are_carried_over_and_back(own: Engine) -> None:
    migrate.upgrade(own, "0019")
    with own.begin() as connection:
        connection.exec_driver_sql(BEFORE)
        owners = connection.execute(text("SELECT vehicle_id, organisation_id FROM ingest.vehicle ORDER BY 1")).all()
        drivers = connection.execute(text("SELECT account_id, vehicle_id FROM app.account ORDER BY 1")).all()
    migrate.upgrade(own, "0020")
    with own.begin() as connection:
        held = connection.execute(
            text("SELECT vehicle_id, organisation_id FROM app.vehicle_holding WHERE ended_at IS NULL ORDER BY 1")
        ).all()
        parties = connection.execute(
            text("SELECT trip_id, role, organisation_id FROM app.trip_party ORDER BY 1, 2")
        ).all()
        files = connection.execute(
            text(
                "SELECT vehicle_id, organisation_id, payload_kg, inspection_expires::text "
                "FROM app.registered_vehicle ORDER BY 1"
            )
        ).all()
        bound = connection.execute(text("SELECT account_id, vehicle_id FROM app.account WHERE role = 'driver'")).all()
        people = connection.execute(
            text("SELECT account_id, usual_vehicle_id, full_name FROM app.registered_driver ORDER BY 1")
        ).all()
    assert held == [(2, 1), (3, 2), (4, 2)], "of the platform, an administrator, a desk; not what was typed"
    assert parties == [
        (1, "carrier", 1),
        (1, "consignor", 1),
        (2, "carrier", 1),
        (2, "consignor", 1),
        (3, "carrier", 2),
        (3, "consignor", 2),
        (4, "carrier", 2),
        (4, "consignor", 2),
        (5, "carrier", 3),
        (5, "customs_agent", 3),
    ]
    assert files[0] == (1, 1, 26000, "2026-12-31")
    assert [row[0] for row in files] == [1, 2, 3, 4, 5, 7], "all that was bound is on file"
    assert sorted(bound) == [(4, None), (5, 3)], "a driver bound by typing sees nothing by that"
    assert people == [(4, 1, "Tài Một"), (5, 3, "Tài Hai")], "and is kept on file"
    migrate.downgrade(own, "0019")
    with own.begin() as connection:
        again = connection.execute(text("SELECT vehicle_id, organisation_id FROM ingest.vehicle ORDER BY 1")).all()
        assert again == owners
        assert connection.execute(text("SELECT account_id, vehicle_id FROM app.account ORDER BY 1")).all() == drivers
