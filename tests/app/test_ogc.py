"""OGC API Features and Tiles: what everybody may see, as the board says it, and nothing else by any filter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing

import httpx
import psycopg2
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, text

from app.control.minute import Minute
from app.open_data import ogc, pace
from app.open_data.dictionary import COLLECTIONS
from app.ops.embedded import ServerUrls
from app.platform.runtime import Runtime
from tests.app.boarding import queue_at_huu_nghi
from tests.app.serving import serve
from tests.programs import ROOT, SYSTEM_PYTHON, find_program, has_qgis, require

ITEMS = "/ogc/collections/{}/items"
NOT_THEIRS = (
    "SELECT count(*) FROM app.trip",
    "SELECT count(*) FROM app.public_gate",
    "SELECT count(*) FROM ingest.last_position",
    "SELECT count(*) FROM geo.site",
    "CREATE TABLE open_data.own (n int)",
    "SELECT pg_read_file('/etc/passwd')",
    "SET ROLE cuakhau_app",
    "DELETE FROM open_data.roads",
)


@pytest.fixture
def board(runtime: Runtime) -> Runtime:
    return queue_at_huu_nghi(runtime)


def features(client: TestClient, name: str, **asked: object) -> list[dict[str, object]]:
    answer = client.get(ITEMS.format(name), params={"limit": 1000, **asked})  # type: ignore[dict-item]
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    return list(answer.json()["features"])


def test_the_numbers_are_those_of_the_board(client: TestClient, board: Runtime) -> None:
    shown = {gate["gate_id"]: gate for gate in client.get("/api/v1/board").json()["gates"]}
    queues = {each["id"]: each["properties"] for each in features(client, "queues")}
    assert queues.keys() == shown.keys()
    for gate_id, queue in queues.items():
        gate = shown[gate_id]
        assert (queue["queue_veh"], queue["tail_km"], queue["is_open"], queue["booked_veh"], queue["severity"]) == (
            *(gate["queue_veh"], gate["tail_km"], gate["is_open"], gate["booked_veh"], gate["severity"]),
        )
        assert [queue["wait_low_s"], queue["wait_s"], queue["wait_high_s"]] == (gate["wait_s"] or [None] * 3)
    assert queues["huu-nghi"]["queue_veh"] > 20
    yards = {each["id"]: each["properties"] for each in features(client, "yards")}
    told = {yard["yard_id"]: yard for gate in shown.values() for yard in gate["yards"]}
    assert {name: yard["free_veh"] for name, yard in yards.items()} == {n: yard["free"] for n, yard in told.items()}
    ahead = {each["id"]: each["properties"] for each in features(client, "forecasts", filter="gate_id = 'huu-nghi'")}
    assert {(f["lead_s"], f["queue_veh"]) for f in ahead.values()} == {
        (round(each["lead_s"]), each["queue_veh"][1]) for each in shown["huu-nghi"]["ahead"]
    }
    assert len(features(client, "roads")) == len(board.corridor.roads)
    assert {each["properties"]["kind"] for each in features(client, "sites")} == {
        *("gate", "yard", "temporary_yard", "staging")
    }


def test_a_later_minute_takes_the_place_of_the_earlier(client: TestClient, board: Runtime) -> None:
    first = features(client, "queues")[0]["properties"]["as_of"]  # type: ignore[index]
    board.clock.advance(60)  # type: ignore[attr-defined]
    minute = Minute.of(board)
    assert minute.run().failed == []
    assert features(client, "queues")[0]["properties"]["as_of"] > first  # type: ignore[index]
    board.clock.advance(300)  # type: ignore[attr-defined]
    assert minute.run().failed == []
    assert len(features(client, "queues")) == 2
    with board.sessions() as session:
        assert session.execute(text("SELECT count(DISTINCT slot) FROM app.public_gate")).scalar_one() == 2


def test_nothing_is_served_that_the_dictionary_does_not_name(client: TestClient, engine: Engine) -> None:
    listed = [each["id"] for each in client.get("/ogc/collections").json()["collections"]]
    assert listed == [data.name for data in COLLECTIONS]
    for other in ("trip", "app.trip", "ingest.last_position", "public_gate", "open_data.queues", "pg_roles"):
        assert client.get(f"/ogc/collections/{other}/items").status_code == 404
        assert client.get(f"/ogc/collections/{other}/tiles/WebMercatorQuad/0/0/0").status_code == 404
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON "
                "a.attrelid = c.oid AND attnum > 0 WHERE relnamespace = 'open_data'::regnamespace ORDER BY 1, attnum"
            )
        ).all()
    views = {view: {name: kind for at, name, kind in rows if at == view} for view, _, _ in rows}
    same = {"varchar": "text", "character varying": "text", "double precision": "float8"}
    same |= {"timestamp with time zone": "timestamptz"}
    for data in COLLECTIONS:
        found = {name: same.get(kind, kind) for name, kind in views.pop(data.name).items()}
        assert found.pop("geom") == "geometry"
        assert found == {column.name: column.kind.postgres for column in data.columns}, data.name
    assert views == {}


@pytest.mark.parametrize("statement", NOT_THEIRS)
def test_the_role_behind_it_reads_the_views_and_nothing_else(
    owner_engine: Engine, servers: ServerUrls, statement: str
) -> None:
    with closing(psycopg2.connect(servers.open_database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM open_data.roads")
        assert cursor.fetchone()[0] > 100
        with pytest.raises(psycopg2.Error, match=r"permission denied|read-only"):
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("kind = 'gate'", 2),
        ("kind = 'gate' AND km < 0.58", 1),
        ("site_id LIKE 'huu%' AND NOT kind = 'gate'", 1),
        ("kind IN ('gate', 'staging')", 5),
        ("km BETWEEN 0.5 AND 0.7", 2),
        ("gate_id IS NULL", 3),
        ("name_en = 'x'' OR 1=1 --'", 0),
        ("S_INTERSECTS(geom, POLYGON((106.6 21.9, 106.8 21.9, 106.8 22.1, 106.6 22.1, 106.6 21.9)))", 6),
        ('{"op": "=", "args": [{"property": "kind"}, "gate"]}', 2),
    ],
)
def test_filters_by_the_standard(client: TestClient, board: Runtime, written: str, count: int) -> None:
    assert len(features(client, "sites", filter=written)) == count


@pytest.mark.parametrize(
    "written",
    [
        "pg_sleep(10) = 1",
        "set_config('statement_timeout', '0', false) = '0'",
        "kind = lower(pg_read_file('/etc/passwd'))",
        "query_to_xml('SELECT 1', true, true, '') IS NULL",
        '{"op": "pg_sleep", "args": [10]}',
        '{"op": "1); SELECT pg_sleep(10); --", "args": [1]}',
        '{"op": "=", "args": [{"property": "a\\" OR 1=1 --"}, 1]}',
        '{"op": "in", "args": [{"property": "kind"}, [{"op": "version", "args": []}]]}',
        "password = 'x'",
        "kind = ",
        "kind = 'x'; DROP TABLE x",
        " OR ".join(["kind = 'gate'"] * 60),
        "km > 0 AND " * 300 + "km > 0",
    ],
)
def test_a_filter_that_is_none_is_refused_before_the_database(
    client: TestClient, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> object:
        raise AssertionError("it reached the database")

    monkeypatch.setattr(ogc.ImpatientPool, "acquire", never)
    for path in (ITEMS.format("sites"), "/ogc/collections/sites/tiles/WebMercatorQuad/0/0/0"):
        answer = client.get(path, params={"filter": written})
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "asked",
    [
        {"bbox": "a,b,c,d"},
        {"bbox": "nan,0,1,1"},
        {"bbox": "1,2,3"},
        {"bbox": "500,0,501,1"},
        {"limit": -1},
        {"limit": 100_000},
        {"offset": 10**30},
        {"datetime": "yesterday"},
        {"datetime": "../.."},
        {"sortby": "pg_sleep(1)"},
        {"sortby": "kind; DROP TABLE x"},
        {"geom-column": "x"},
        {"f": "html"},
        {"f": "csv"},
        {"km": "much"},
        {"filter": "km = 'much'"},
        {"filter-lang": "sql"},
    ],
)
def test_what_cannot_be_read_is_the_callers_to_mend(client: TestClient, board: Runtime, asked: dict[str, str]) -> None:
    answer = client.get(ITEMS.format("sites"), params=asked)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_box_a_page_and_an_item(client: TestClient, board: Runtime) -> None:
    gate = board.corridor.sites["huu-nghi"]
    near = f"{gate.lon - 0.001},{gate.lat - 0.001},{gate.lon + 0.001},{gate.lat + 0.001}"
    assert [each["id"] for each in features(client, "queues", bbox=near)] == ["huu-nghi"]
    page = client.get(ITEMS.format("roads"), params={"limit": 3}).json()
    assert (page["numberReturned"], page["numberMatched"]) == (3, len(board.corridor.roads))
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    assert following.startswith("http://testserver/ogc/collections/roads/items?")
    assert {each["id"] for each in client.get(following).json()["features"]}.isdisjoint(
        each["id"] for each in page["features"]
    )
    item = client.get(f"{ITEMS.format('queues')}/huu-nghi").json()
    assert item["geometry"]["coordinates"] == pytest.approx([gate.lon, gate.lat])
    assert client.get(f"{ITEMS.format('queues')}/nowhere").status_code == 404


def test_tiles(client: TestClient, board: Runtime) -> None:
    tile = client.get("/ogc/collections/roads/tiles/WebMercatorQuad/8/203/111")
    assert tile.status_code == 200
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert len(tile.content) > 1000
    for beside in ("99/0/0", "1/2/0", "1/0/-1"):
        assert client.get(f"/ogc/collections/roads/tiles/WebMercatorQuad/{beside}").status_code in (404, 422)
    assert client.get("/ogc/collections/roads/tiles/Mars/0/0/0").status_code == 422


def test_documents_name_each_other_and_anybody_may_read_them(client: TestClient) -> None:
    landing = client.get("/ogc/", headers={"Origin": "https://maps.example", "Accept": "text/html"})
    assert landing.headers["access-control-allow-origin"] == "*"
    assert landing.headers["cache-control"] == "public, max-age=30"
    links = {link["rel"]: link["href"] for link in landing.json()["links"]}
    for rel in ("self", "service-desc", "conformance", "data"):
        assert client.get(links[rel]).status_code == 200, rel
    assert not any("/html" in each for each in client.get(links["conformance"]).json()["conformsTo"])
    for each in client.get(links["data"]).json()["collections"]:
        for link in each["links"]:
            assert client.get(link["href"]).status_code == 200, link
    assert client.post("/ogc/collections").status_code == 405


def test_who_asks_too_often_waits(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "REQUESTS", type(pace.REQUESTS)(2, namespace="open:test"))
    assert [client.get("/ogc/conformance").status_code for _ in range(3)] == [200, 200, 429]


def test_an_installation_without_the_role_says_so(client: TestClient, runtime: Runtime) -> None:
    runtime.settings.open_database_url = SecretStr("")
    answer = client.get("/ogc/collections")
    assert answer.status_code == 404
    assert "OPEN_DATABASE_URL" in answer.json()["detail"]


@pytest.fixture
def url(application: FastAPI, board: Runtime) -> Iterator[str]:
    with serve(uvicorn.Server(uvicorn.Config(application, port=0, log_config=None))) as serving:
        yield serving.url


def test_gdal_lists_the_layers_and_reads_them(url: str, board: Runtime) -> None:
    require("gis")
    ogrinfo = find_program("ogrinfo")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(ogrinfo), "-ro", *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    layers = run("-q", f"OAPIF:{url}/ogc")
    for data in COLLECTIONS:
        assert data.name in layers
    assert f"Feature Count: {len(board.corridor.roads)}" in run("-so", f"OAPIF:{url}/ogc", "roads")
    queues = run(f"OAPIF:{url}/ogc", "queues", "-where", "gate_id = 'huu-nghi'")
    with board.sessions() as session:
        queue_veh = session.execute(text("SELECT queue_veh FROM open_data.queues WHERE gate_id = 'huu-nghi'")).scalar()
    assert f"queue_veh (Real) = {queue_veh:g}" in queues.replace(".0\n", "\n")
    assert "POINT (106.7" in queues
    assert "Cửa khẩu" in queues or "Hữu Nghị" in queues


def test_qgis_reads_every_layer_and_draws_its_tiles(url: str) -> None:
    """By QGIS' own client code, on the Python of the system; no part of `bin/setup test`, for its size."""
    if not has_qgis():
        pytest.skip("needs QGIS' client code: apt-get install --no-install-recommends python3-qgis")
    names = [data.name for data in COLLECTIONS]
    done = subprocess.run(
        [SYSTEM_PYTHON, ROOT / "tests" / "clients" / "qgis_session.py", f"{url}/ogc", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen", "HOME": "/tmp", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    saw = json.loads(done.stdout)
    for data in COLLECTIONS:
        layer = saw["layers"][data.name]
        told = httpx.get(f"{url}{ITEMS.format(data.name)}", params={"limit": 1000}).json()
        assert layer["valid"], layer
        counts = {"counted": layer["counted"], "read": layer["read"], "told": told["numberMatched"]}
        assert len(set(counts.values())) == 1, (data.name, counts)
        assert layer["without_geometry"] == 0
        assert 1 <= layer["in_box"] <= layer["read"]
        assert layer["crs"] in {"EPSG:4326", "OGC:CRS84"}
        assert {column.name for column in data.columns} <= set(layer["fields"])
        assert saw["tiles"][data.name]["drawn_pixels"] > 0, saw["tiles"]
    assert saw["tiles"]["roads"]["tile_bytes"] > 0, saw["tiles"]


def test_the_api_describes_itself(client: TestClient) -> None:
    described = client.get("/ogc/api").json()
    assert "/collections/{collectionId}/items" in described["paths"]
    json.dumps(described)
