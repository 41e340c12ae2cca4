"""Finding trucks by plates read or typed wrongly, by a part, by trip code; by an index and not by luck."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.stations import store
from app.trips.codes import find_code
from ingest.plates import lookalike_key
from tests.app.stationing import Gate

URL = "/api/v1/stations/search"


@pytest.fixture
def gate(runtime, sign_in):
    return Gate.open(runtime, sign_in)


def find(gate, written, role="border_guard", gate_id="huu-nghi"):
    answer = gate.person(role, gate_id).get(URL, params={"text": written})
    assert answer.status_code == 200, answer.text
    return [(trip["plate"], trip["match"]) for trip in answer.json()["items"]]


def test_lookalikes_parts_trailers_and_codes_are_found(gate):
    trip_id = gate.declare("29C-108.15", trailer_plate="29R-012.34")
    gate.declare("29C-108.16")
    assert find(gate, "29c 108 15") == [("29C-108.15", "plate")]
    assert find(gate, "Z9C-IOB.I5") == [("29C-108.15", "lookalike")]
    assert find(gate, "0815") == [("29C-108.15", "part")]
    assert find(gate, "29C108") == [("29C-108.15", "part"), ("29C-108.16", "part")]
    assert find(gate, "29R-O12.34") == [("29C-108.15", "lookalike")]
    code = gate.sheet(trip_id)["trip"]["code"]
    assert find(gate, code.lower()) == [("29C-108.15", "code")]
    assert find(gate, f"https://cuakhau.example/t/{code}") == [("29C-108.15", "code")]
    assert find(gate, "99X-999.99") == []
    assert find(gate, "THANH LONG tuoi") == [("29C-108.15", "text"), ("29C-108.16", "text")]
    assert find(gate, "29C-108.15", gate_id="tan-thanh") == []


def test_too_little_and_strange_signs_are_refused_or_harmless(gate):
    guard = gate.person("border_guard")
    assert guard.get(URL, params={"text": "29C"}).status_code == 422
    assert find(gate, "%%%%____29C1") == []
    assert guard.get(URL, params={"text": "\x00" * 5}).status_code == 422


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2345-ABCD-7890", None),  # 0 is in no code
        ("2345-ABCD-6789", "2345-ABCD-6789"),
        ("2345abcd6789", "2345-ABCD-6789"),
        ("https://x.example/t/2345-ABCD-6789?from=qr", "2345-ABCD-6789"),
        ("29C-123.45", None),
    ],
)
def test_codes_in_what_a_scanner_types(text, code):
    assert find_code(text) == code


def test_the_indexes_serve_the_search(owner_session):
    session = owner_session
    session.execute(
        text(
            "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) SELECT p, p, 'truck', now() "
            "FROM (SELECT '29C' || lpad(i::text, 5, '0') AS p FROM generate_series(0, 20000) i) s"
        )
    )
    session.execute(text("ANALYZE ingest.vehicle"))
    key = lookalike_key("29C123")
    condition = store._between(store._VEHICLE_KEY)
    plan = (
        session.execute(
            text(f"EXPLAIN SELECT vehicle_id FROM ingest.vehicle v WHERE {condition}"),
            {"low": key, "high": key + "\U0010ffff", "end_low": key[::-1], "end_high": key[::-1] + "\U0010ffff"},
        )
        .scalars()
        .all()
    )
    assert any("ix_vehicle_lookalike" in line for line in plan), plan
    assert any("ix_vehicle_lookalike_end" in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan
