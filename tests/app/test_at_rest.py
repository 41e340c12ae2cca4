"""What identifies people or is of their bodies lies nowhere in clear: every table, Redis and the log are looked at.

Marked values go in by the main doors; then every row of every table is read as text, by the database's own client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.platform.sealed_json import SEALED, seal, unseal
from geo.database import SCHEMAS
from tests.app.registering import PLATE
from tests.app.stationing import FRUIT, Gate
from tests.app.test_attachments import PDF, attach
from tests.app.test_declaration_import import IMPORTS, as_csv, rows
from tests.app.transshipping import CHINESE, URL, move

NAMES: Final = ("Quàng Zyxwanh", "Tòng Wvutsrang", "王齉齾", "Lò Phqnmlanh")
NUMBERS: Final = (
    "0987 111 222",
    "0987111222",
    "Z9876543",
    "791234500999",
    "0987 333 444",
    "X1122334",
    "0987 555 666",
    "790000777888",
    "C7654321",
    "HC-555123",
    "29 KT 778899",
)
HEALTH: Final = ("39.83", "38.91", "Ho ra máu lúc sáng", "Sốt cao từ đêm qua")
FILE: Final = b"chung minh thu 001089012345"

ALLOWED: Final = {
    ("app.registered_driver", "full_name"): "an enterprise searches and sorts its own drivers by parts of the name",
    ("app.account", "full_name"): "administrators search accounts by parts of the name",
}
"""Where a name may stand in clear, and why. Numbers, health and files stand nowhere."""


@dataclass
class Filled:
    """A gate whose tables hold marked values."""

    gate: Gate
    trip_id: int
    told: list[str]

    def expect(self, answer: Any, status: int = 200) -> Any:
        """The answer, which must have a status; what it says is kept, to show that values come back in clear."""
        assert answer.status_code == status, answer.text
        self.told.append(answer.text)
        return answer


@pytest.fixture
def filled(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Filled:
    return fill_gate(runtime, sign_in)


def fill_gate(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Filled:
    """A gate at which marked values came in by the main doors."""
    gate = Gate.open(runtime, sign_in)
    driver = {
        "driver_name": NAMES[0],
        "driver_phone": NUMBERS[0],
        "driver_paper_number": NUMBERS[2],
        "driver_licence_number": NUMBERS[3],
        "health_symptoms": "some",
        "health_temperature_c": 39.83,
        "health_note": HEALTH[2],
    }
    trip_id = gate.declare(PLATE, lines=[FRUIT], **driver)
    found = Filled(gate, trip_id, [])
    _at_the_gate(found)
    _transship(found)
    _import(found, runtime)
    _registers(found, runtime)
    _return(found)
    return found


def _at_the_gate(found: Filled) -> None:
    gate, trip_id = found.gate, found.trip_id
    file = attach(
        gate.person("enterprise"), trip_id, "driver_papers", PDF.replace(b"%%EOF", FILE + b"\n%%EOF"), NAMES[3]
    )
    found.expect(file, 201)
    noted = {"temperature_c": 38.91, "note": HEALTH[3]}
    found.expect(gate.act("health_quarantine", trip_id, "health", data=noted, reason="Đã khám lại, cho qua"))
    asked = {"kind": "record", "new": {"temperature_c": 38.91, "note": HEALTH[3]}, "reason": "Ghi nhầm số"}
    url = f"/api/v1/trips/{trip_id}/steps/health/corrections"
    found.expect(gate.person("health_quarantine").post(url, json=asked), 201)
    seen = {"step": "barrier_1", "driver_paper_number": NUMBERS[5]}
    observed = found.expect(gate.person("border_guard").post(f"/api/v1/trips/{trip_id}/observations", json=seen))
    [finding] = observed.json()["items"]
    assert (finding["seen"], finding["declared"]) == (NUMBERS[5], NUMBERS[2])
    again = found.expect(gate.person("border_guard").post(f"/api/v1/trips/{trip_id}/observations", json=seen))
    assert len(again.json()["items"]) == 1, "one finding, however often it is seen"
    guard = gate.act("border_guard", trip_id, "barrier_1", data={"driver_paper_number": NUMBERS[5]}, reason="Cho qua")
    found.expect(guard)
    for role, step in (("yard_operator", "yard"), ("plant_quarantine", "quarantine_plant")):
        found.expect(gate.act(role, trip_id, step, reason="Cho qua"))


def _transship(found: Filled) -> None:
    receiver = {"plate": CHINESE, "driver_name": NAMES[2], "driver_phone": NUMBERS[4]}
    body = {"trip_id": found.trip_id, "moves": [move(600, "10800", CHINESE)], "receivers": [receiver]}
    found.expect(found.gate.person("enterprise").post(URL, json=body), 201)


def _import(found: Filled, runtime: Runtime) -> None:
    base = {"driver_name": NAMES[1], "driver_phone": NUMBERS[6], "driver_paper_number": NUMBERS[8]}
    base |= {"driver_licence_number": NUMBERS[7], "health_temperature_c": "39.83", "health_note": HEALTH[2]}
    arrival = runtime.clock.now().isoformat()
    file = as_csv(rows(arrival, {**base, "plate": "29C-555.55"}, {**base, "driver_phone": f"{NUMBERS[6]}x"}))
    enterprise = found.gate.person("enterprise")
    made = found.expect(enterprise.post(IMPORTS, files={"file": ("t.csv", file, "text/csv")}), 201)
    import_id = made.json()["import_id"]
    found.expect(enterprise.get(f"{IMPORTS}/{import_id}"))
    assert enterprise.get(f"{IMPORTS}/{import_id}/refused.xlsx").status_code == 200


def _registers(found: Filled, runtime: Runtime) -> None:
    enterprise = found.gate.person("enterprise")
    entry = {"full_name": NAMES[1], "phone": NUMBERS[6], "paper": "passport", "paper_number": NUMBERS[8]}
    entry |= {"licence_number": NUMBERS[7], "note": HEALTH[2]}
    driver = found.expect(enterprise.post("/api/v1/registers/drivers", json=entry), 201).json()
    document = {"subject": "driver", "entry_id": driver["entry_id"], "kind": "other", "number": NUMBERS[9]}
    document["expires_on"] = runtime.clock.now().date().isoformat()
    found.expect(enterprise.post("/api/v1/registers/documents", json=document), 201)
    found.expect(enterprise.get("/api/v1/registers/expiring"))
    found.expect(enterprise.post("/api/v1/claims", json={"plate": PLATE, "paper_number": NUMBERS[10]}), 201)
    hit = enterprise.get("/api/v1/claims", params={"query": NUMBERS[10]}).json()
    assert len(hit) == 1, "a number that is typed whole is found"


def _return(found: Filled) -> None:
    other = found.gate.declare("29C-777.77", lines=[FRUIT])
    back = found.gate.act("health_quarantine", other, "health", "return", reasons=[], text=HEALTH[3])
    found.expect(back)


def columns_of(runtime: Runtime) -> Iterator[tuple[str, str, str]]:
    """Every value of every table as text: table, column, value. Bytes as they are, however they would be shown."""
    with runtime.sessions() as session:
        listed = session.execute(
            text(
                "SELECT relnamespace::regnamespace || '.' || relname FROM pg_class "
                "WHERE relnamespace::regnamespace::text = ANY(:schemas) AND relnamespace <> 'geo'::regnamespace "
                "AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
            ),
            {"schemas": list(SCHEMAS)},
        ).scalars()
        for table in listed.all():
            for row in session.execute(text(f"SELECT * FROM {table}")).mappings():
                for column, value in row.items():
                    if isinstance(value, bytes | memoryview):
                        yield table, column, bytes(value).decode("latin-1")
                    elif value is not None:
                        yield table, column, json.dumps(value, default=str, ensure_ascii=False)


def redis_values(redis: Redis) -> Iterator[str]:
    """Everything that Redis holds, as text."""
    for key in redis.scan_iter("*"):
        kind = redis.type(key)
        reader: dict[bytes, Callable[[], object]] = {
            b"string": lambda key=key: redis.get(key),
            b"hash": lambda key=key: redis.hgetall(key),
            b"list": lambda key=key: redis.lrange(key, 0, -1),
            b"set": lambda key=key: redis.smembers(key),
            b"zset": lambda key=key: redis.zrange(key, 0, -1),
            b"stream": lambda key=key: redis.xrange(key),
        }
        yield f"{key!r} {reader[kind]()!r}"


def holds(value: str, mark: str) -> bool:
    """Whether a text holds a mark; the seconds of a time are none."""
    return re.search(rf"(?<!\d\d:){re.escape(mark)}", value) is not None


def test_marked_values_are_nowhere_in_clear(
    filled: Filled, runtime: Runtime, capfd: pytest.CaptureFixture[str]
) -> None:
    found = []
    for table, column, value in columns_of(runtime):
        marks = [mark for mark in (*NUMBERS, *HEALTH, FILE.decode()) if holds(value, mark)]
        marks += [name for name in NAMES if name in value and (table, column) not in ALLOWED]
        found += [(table, column, mark) for mark in marks]
    assert not found
    everything = " ".join(redis_values(runtime.redis)).encode().decode("unicode_escape", "replace")
    everything += "".join(capfd.readouterr())
    assert not [mark for mark in (*NAMES, *NUMBERS, *HEALTH) if holds(everything, mark)]
    told = "".join(filled.told)
    for mark in (
        NAMES[0],
        NAMES[1],
        NAMES[2],
        NUMBERS[2],
        NUMBERS[5],
        NUMBERS[9],
        "39.83",
        "38.91",
        HEALTH[2],
        HEALTH[3],
    ):
        assert mark in told, f"{mark} comes back in clear to those whose it is"


def test_a_sealed_document_is_read_as_it_was_written() -> None:
    document: dict[str, object] = {
        "driver_name": "An",
        "driver_id": 7,
        "lines": [{"temperature_c": 5.0}],
        "changed": [{"field": "driver_phone", "old": "1", "new": "2"}, {"field": "plate", "old": "a", "new": "b"}],
        "health_note": "",
        SEALED: "what somebody sends under our name",
        "deep": {"passport": "B-1", "x": [1, {"email": "a@b"}]},
    }
    kept = seal(document)
    assert isinstance(kept, dict)
    assert kept["driver_id"] == 7
    assert kept["lines"] == document["lines"]
    assert kept["changed"][1] == {"field": "plate", "old": "a", "new": "b"}
    assert not [mark for mark in ('"An"', '"B-1"', "a@b", '"2"', "somebody") if mark in json.dumps(kept)]
    assert unseal(kept) == document
    assert seal({"plate": "a"}) == {"plate": "a"}


def test_closed_trips_are_found_by_a_driver_whose_name_is_encrypted(filled: Filled, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.execute(
            text("UPDATE app.trip SET stage = 'out', stage_since = now() WHERE trip_id = :id"), {"id": filled.trip_id}
        )
    guard = filled.gate.person("border_guard")
    for query, hits in (
        ("quang zyxwanh", 1),
        ("Zyxwanh", 1),
        (NUMBERS[0], 1),
        (NUMBERS[1], 1),
        ("thanh zyxwanh", 1),
        ("zyxw", 0),
        ("wvut", 0),
    ):
        yard = filled.gate.person("yard_operator").get("/api/v1/stations/closed", params={"text": query})
        assert len(yard.json()["items"]) == (hits if query not in NUMBERS else 0), "a search confirms no guess"
        answer = guard.get("/api/v1/stations/closed", params={"text": query})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == hits, query
