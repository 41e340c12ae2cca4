"""The corridor as GeoJSON and as a style."""

from __future__ import annotations

from fastapi.testclient import TestClient

from geo.corridor import Corridor
from tests.conftest import SignIn


def test_corridor_is_geojson_with_its_sources(sign_in: SignIn, corridor: Corridor) -> None:
    answer = sign_in("driver").get("/api/v1/corridor")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert body["type"] == "FeatureCollection"
    assert "CC BY-SA 4.0" in body["attribution"]
    roads = [f for f in body["features"] if f["properties"]["feature"] == "road"]
    assert {f["properties"]["edge_id"] for f in roads} == {road.edge_id for road in corridor.roads}
    assert all(f["properties"]["provenance"]["lanes"] == "assumed" for f in roads)
    assert all("km_from" in f["properties"] for f in roads)
    assert Corridor.from_geojson(body).sites.keys() == corridor.sites.keys()


def test_corridor_is_not_sent_twice(sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    tag = police.get("/api/v1/corridor").headers["etag"]
    again = police.get("/api/v1/corridor", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert not again.content


def test_nobody_sees_it_without_signing_in(client: TestClient) -> None:
    for path in ("/api/v1/corridor", "/api/v1/corridor/style", "/tiles/roads/9/408/225"):
        assert client.get(path).status_code == 401


def test_style_in_the_caller_s_language(sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    dark = police.get("/api/v1/corridor/style?theme=dark&locale=zh").json()
    assert dark["metadata"]["cuakhau:theme"] == "dark"
    assert "name_zh" in str(dark["layers"])
    own = police.get("/api/v1/corridor/style").json()
    assert "name_vi" in str(own["layers"])
    assert dark["layers"][0] != own["layers"][0]


def test_unknown_theme_is_a_problem(sign_in: SignIn) -> None:
    answer = sign_in("planner").get("/api/v1/corridor/style?theme=sepia")
    assert answer.status_code == 422
    assert answer.json()["field"] == "theme"
