"""Files of open data: the same numbers in every form, by a dictionary that holds, for spreadsheets too."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from fastapi.testclient import TestClient

from app.control.minute import Minute
from app.forecasting.space_time_store import CellSpeed
from app.open_data.dictionary import COLLECTIONS, HISTORIES, Kind
from app.open_data.figures import slot_of
from app.open_data.travel import SLOWEST_MPS, measure_approach
from app.platform.runtime import Runtime
from app.platform.tables_out import write_csv
from geo.corridor import Corridor
from tests.app.boarding import queue_at_huu_nghi
from tests.conftest import SignIn

DOCS = Path(__file__).parents[2] / "docs" / "open-data.md"
STABLE = {
    "queues": "slot gate_id as_of is_open queue_veh tail_km measured_at booked_veh free_veh wait_low_s wait_s "
    "wait_high_s forecast_made_at reach_s severity approach_km measured_share travel_s free_travel_s simulated",
    "yards": "slot yard_id gate_id kind as_of is_open capacity_veh free_veh next_free_at simulated",
    "forecasts": "slot gate_id lead_s as_of target_at queue_low_veh queue_veh queue_high_veh wait_low_s wait_s "
    "wait_high_s simulated",
}
"""The columns that others' spreadsheets and programs rely on: only ever add to the end."""


@pytest.fixture
def board(runtime: Runtime) -> Runtime:
    return queue_at_huu_nghi(runtime)


def table(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding"
    assert content.count(b"\r\n") == content.count(b"\n")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("data", HISTORIES, ids=lambda data: data.name)
def test_a_day_is_the_same_in_every_form(client: TestClient, board: Runtime, data) -> None:
    board.clock.advance(300)  # type: ignore[attr-defined]
    assert Minute.of(board).run().failed == []
    path = f"/api/v1/open-data/{data.name}/days/2026-03-02"
    answers = {form: client.get(path, params={"format": form}) for form in ("csv", "geojson", "parquet")}
    assert {answer.status_code for answer in answers.values()} == {200}
    rows = table(answers["csv"].content)
    names = [column.name for column in data.columns]
    assert list(rows[0]) == names
    features = [each["properties"] for each in answers["geojson"].json()["features"]]
    parquet = pyarrow.parquet.read_table(io.BytesIO(answers["parquet"].content))
    assert parquet.column_names == names
    assert parquet.schema.field(0).metadata[b"description"]
    records = parquet.to_pylist()
    assert len(rows) == len(features) == len(records) > 1
    assert len({row["slot"] for row in rows}) == 2
    for row, feature, record in zip(rows, features, records, strict=True):
        for column in data.columns:
            written, told, kept = row[column.name], feature[column.name], record[column.name]
            if kept is None:
                assert (written, told, column.required) == ("", None, False)
            elif column.kind is Kind.TIME:
                assert written == told == kept.isoformat().replace("+00:00", "Z")
            elif column.kind is Kind.BOOLEAN:
                assert (written, told) == (str(kept).lower(), kept)
            elif column.kind in (Kind.NUMBER, Kind.INTEGER):
                assert float(written) == told == kept
            else:
                assert written == told == kept


def test_columns_stay() -> None:
    for data in HISTORIES:
        assert [column.name for column in data.columns][: len(STABLE[data.name].split())] == STABLE[data.name].split()


def test_accept_chooses_as_well(client: TestClient, board: Runtime) -> None:
    path = "/api/v1/open-data/queues/latest"
    for accept, form in (("application/geo+json", "geojson"), ("*/*", "csv"), ("text/csv", "csv")):
        answer = client.get(path, headers={"Accept": accept})
        assert f"queues-latest.{form}" in answer.headers["content-disposition"]
        assert answer.headers["access-control-allow-origin"] == "*"
    assert client.get(path, params={"format": "xlsx"}).status_code == 422


def test_days_are_those_of_lang_son(client: TestClient, board: Runtime) -> None:
    """10:00 there is still the day before in the west; 17:00 UTC is the next day here."""
    path = "/api/v1/open-data/queues/days/{}"
    assert client.get(path.format("2026-03-02")).headers["cache-control"] == "public, max-age=60"
    assert client.get(path.format("2026-03-03")).status_code == 404
    assert client.get(path.format("0001-01-01")).status_code == 404
    board.clock.advance(14 * 3600 + 60)  # type: ignore[attr-defined]
    assert Minute.of(board).run().failed == []
    assert len(table(client.get(path.format("2026-03-03")).content)) == 2
    assert client.get(path.format("2026-03-02")).headers["cache-control"] == "public, max-age=86400"


def test_the_dictionary_says_what_every_column_is(client: TestClient) -> None:
    described = client.get("/api/v1/open-data").json()["resources"]
    assert [each["name"] for each in described] == [
        *(f"{data.name}-by-day" for data in HISTORIES),
        *(data.name for data in COLLECTIONS),
    ]
    for each in described:
        fields = {field["name"]: field for field in each["schema"]["fields"]}
        assert set(each["schema"]["primaryKey"]) <= fields.keys()
        for name, field in fields.items():
            assert len(field["description"]) > 5
            for ending, unit in (("_km", "km"), ("_s", "s"), ("_m", "m"), ("_veh", "vehicles"), ("_mps", "m/s")):
                if name.endswith(ending):
                    assert field["unit"] == unit, name


def test_the_documentation_has_every_column() -> None:
    text = DOCS.read_text()
    for data in HISTORIES:
        for column in data.columns:
            assert f"`{column.name}`" in text, column.name


def test_what_a_spreadsheet_would_take_for_a_formula_is_text() -> None:
    written = write_csv(["a", "b"], [["=1+1", None], ["@x", -1.5], ["Hữu Nghị", True]])
    assert written.decode("utf-8-sig").split("\r\n") == ["a,b", "'=1+1,", "'@x,-1.5", "Hữu Nghị,true", ""]


def test_slots_are_five_minutes() -> None:
    moment = datetime(2026, 3, 2, 3, 4, 59, tzinfo=UTC)
    assert slot_of(moment) == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    assert slot_of(moment + timedelta(seconds=1)) == datetime(2026, 3, 2, 3, 5, tzinfo=UTC)


def test_an_empty_road_takes_its_free_time(corridor: Corridor) -> None:
    found = measure_approach(corridor, corridor.sites["huu-nghi"], [])
    assert found is not None
    assert found.length_km == pytest.approx(20.0, abs=1e-6)
    assert (found.travel_s, found.measured_share) == (found.free_s, 0.0)


def test_a_slow_stretch_takes_its_time_and_no_more_than_it_may(corridor: Corridor) -> None:
    """Two kilometres at 2 m/s by eight positions a cell, half a kilometre where all stand, one too fast for a truck."""
    (road_id,), _ = corridor.place_at("QL1A", [2.0])
    speeds = [CellSpeed(0, int(road_id), cell, 16.0, 8) for cell in (4, 5, 6, 7)]
    speeds += [CellSpeed(0, int(road_id), 8, 0.0, 3), CellSpeed(0, int(road_id), 12, 500.0, 5)]
    gate = corridor.sites["huu-nghi"]
    empty, found = measure_approach(corridor, gate, []), measure_approach(corridor, gate, speeds)
    assert found is not None
    assert empty is not None
    assert found.measured_share == pytest.approx(3.0 / 20.0)
    free = corridor.roads[int(road_id)].free_speed_mps
    expected = empty.free_s + 2000.0 / 2.0 + 500.0 / SLOWEST_MPS - 2500.0 / free
    assert found.travel_s == pytest.approx(expected, rel=0.02)  # free speeds differ a little by piece


STABLE_STATISTICS = {
    "steps": "gate_id kind name agency trips mean_s median_s p90_s longest_s hour_trips hour_mean_s",
    "bulletins": "day gate_id fruit_exports other_exports empty_exports cargo_imports new_vehicle_imports "
    "empty_imports turned_back home_empty standing_queue standing_yard simulated final made_at",
    "days": "day gate_id goods_class standing_before arrivals went_in went_out turned_back sent_on standing outside "
    "simulated is_final",
}


@pytest.mark.parametrize("name", STABLE_STATISTICS)
def test_statistics_are_tables_as_well(sign_in: SignIn, client: TestClient, name: str) -> None:
    planner, path = sign_in("planner"), f"/api/v1/statistics/{name}"
    content = planner.get(path, params={"format": "csv"}).content
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines()[0].split(",") == STABLE_STATISTICS[name].split()
    answer = planner.get(path, headers={"Accept": "text/csv"})
    assert answer.content == content
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(table(content)) == len(planner.get(path).json()["items"])
    assert client.get(path, params={"format": "csv"}).status_code == 401
