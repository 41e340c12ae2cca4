"""The pages of gates: the form of a profile, its reasons in the reader's language, and the file of a new gate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.gates.form import GATE_FORM, GateForm
from app.gates.pages import day_strip
from app.gates.profile import GateProfile, default_profiles
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from geo.store import load_corridor, save_corridor
from tests.app.test_third_gate import ADDITION

PAGE = "/admin/gates/huu-nghi"


@pytest.fixture
def profile(corridor: Corridor) -> GateProfile:
    return default_profiles(corridor)["huu-nghi"]


@pytest.fixture
def administrator(runtime: Runtime, corridor: Corridor, sign_in: Any) -> TestClient:
    """Of an installation whose gates have their first profiles."""
    with runtime.sessions() as session:
        seed_profiles(session, corridor, now=runtime.clock.now())
        session.commit()
    client: TestClient = sign_in("administrator", locale="vi")
    return client


def pairs_of(form: GateForm, **changes: str) -> list[tuple[str, str]]:
    """What a browser sends of a form; `__` stands for the dot in a field's name."""
    texts = form.texts | {name.replace("__", "."): value for name, value in changes.items()}
    return [*texts.items(), *((name, value) for name, values in form.chosen.items() for value in values)]


def send(client: TestClient, profile: GateProfile, act: str = "draft", **changes: str) -> Response:
    """Send the form of a profile with changes."""
    page = client.get(PAGE).text
    token, version = (re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("csrf_token", "version"))  # type: ignore[index]
    pairs = pairs_of(GateForm.of(profile), **{"version": version, **changes})
    data: dict[str, Any] = {"csrf_token": token, "act": act}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    return client.post(PAGE, data=data, follow_redirects=False)


def test_a_profile_stands_in_its_form_and_comes_back_from_it(profile: GateProfile) -> None:
    hours = {
        "intervals": "22:00–05:00, 07:00–19:00",
        "breaks": "11:30–13:00",
        "holidays": {"2027-02-06": "", "2027-02-07": "08:00–11:00, 13:00–15:00"},
    }
    exports = profile.exports.model_dump() | {"hours": hours, "service_cv": 0.35, "dwell_mean_s": 10_801.5}
    values = profile.values().model_validate(profile.values().model_dump() | {"exports": exports, "goods": ("ore",)})
    form = GateForm.of(values)
    assert form.texts["exports.hours.holidays.1.open"] == "08:00–11:00, 13:00–15:00"
    assert list(form.rows("exports")) == [0, 1, 2, 3]
    reading = GateForm.sent(pairs_of(form)).read()
    assert reading.problems == ()
    assert reading.record == values


def test_rows_of_holidays_may_be_left_empty_and_stand_in_any_order(profile: GateProfile) -> None:
    form = GateForm.of(profile)
    sent = pairs_of(
        form,
        imports__hours__holidays__7__day="2027-01-01",
        imports__hours__holidays__7__open="",
        imports__hours__holidays__3__day="",
        imports__hours__holidays__3__open="",
        imports__hours__holidays__12__day="2026-12-31",
        imports__hours__holidays__12__open="08:00-11:00",
    )
    read = GateForm.sent(sent)
    assert read.texts["imports.hours.holidays.0.day"] == "2027-01-01"
    record = read.read().record
    assert record is not None
    assert record.imports.hours.holidays == {"2026-12-31": "08:00–11:00", "2027-01-01": ""}


REASONS = {
    "exports.lanes": [("0", "1"), ("99", "64"), ("2.5", "số nguyên"), ("", "số nguyên")],
    "imports.service_mean_s": [("0", "0"), ("abc", "số"), ("nan", "số"), ("90000", "86400")],
    "exports.hours.intervals": [
        ("7-19", "7"),
        ("06:00–12:00, 11:00–20:00", "chồng lên nhau"),
        ("25:00–26:00", "25:00"),
        ("x" * 201, "200"),
    ],
    "imports.hours.breaks": [("11:30", "khoảng giờ"), ("11:00–12:00, 11:30–13:00", "chồng lên nhau")],
    "exports.hours.holidays.0.day": [("", "Hãy chọn ngày"), ("31/12/2026", "31/12/2026")],
    "exports.hours.holidays.0.open": [("8 giờ", "8 giờ"), ("08:00–11:00, 10:00–12:00", "chồng lên nhau")],
    "effective_from": [("hôm nay", "hôm nay"), ("2001-01-01T00:00", "2001")],
}


@pytest.mark.parametrize("name", list(REASONS))
def test_a_reason_stands_at_its_field_in_the_language_and_loses_nothing(
    administrator: TestClient, profile: GateProfile, name: str
) -> None:
    client, base = administrator, {}
    if ".holidays." in name:
        base = {"exports.hours.holidays.0.day": "2027-02-06", "exports.hours.holidays.0.open": "08:00–11:00"}
    for value, reason in REASONS[name]:
        changes = {**base, "imports.lanes": "7", name: value}
        answer = send(client, profile, "publish", **changes)
        assert answer.status_code == 422, value
        found = re.search(rf'id="{re.escape(name)}-problem-1">([^<]*)<', answer.text)
        assert found is not None, (name, value)
        assert reason in unescape(found[1])
        assert not re.search(r"\b(should|input|valid|value)\b", found[1], re.IGNORECASE), found[1]
        assert re.search(r'name="imports\.lanes" value="7"', answer.text)
        assert f'value="{value}"' in unescape(answer.text) or not value
    assert client.get("/api/v1/gates/huu-nghi/profile").json()["version"] == 1


def test_a_date_that_stands_twice_is_refused(profile: GateProfile) -> None:
    twice = {f"exports__hours__holidays__{number}__day": "2027-02-06" for number in (0, 1)}
    (problem,) = GateForm.sent(pairs_of(GateForm.of(profile), **twice)).read().problems
    assert problem.field == "exports.hours.holidays.1.day"


def test_every_value_of_a_direction_has_a_field() -> None:
    assert set(GATE_FORM.fields) == {
        *("lanes", "service_mean_s", "service_cv", "entrance_lanes", "entrance_service_mean_s", "entrance_service_cv"),
        *("dwell_mean_s", "dwell_cv", "intervals", "breaks", "served_km"),
    }


def test_a_form_of_another_version_or_of_none_is_refused(administrator: TestClient, profile: GateProfile) -> None:
    client = administrator
    assert send(client, profile, **{"exports.lanes": "3"}).status_code == 303
    assert send(client, profile, version="1").status_code == 412
    assert send(client, profile, version="x").status_code == 428
    assert 'name="exports.lanes" value="3"' in client.get(PAGE).text


def test_the_strip_shows_nights_and_breaks_and_no_holiday() -> None:
    hours = OpeningHours.parse("22:00–05:00, 07:00–19:00", breaks="11:30–13:00", holidays={"2000-01-03": ""})
    assert day_strip(hours) == [(0.0, 5.0), (7.0, 11.5), (13.0, 19.0), (22.0, 24.0)]
    assert day_strip(OpeningHours.always()) == [(0.0, 24.0)]
    assert day_strip(OpeningHours()) == []


@pytest.fixture
def kept(runtime: Runtime, corridor: Corridor) -> Iterator[Runtime]:
    """The corridor is put back afterwards."""
    yield runtime
    with runtime.sessions() as session:
        save_corridor(session, corridor)
        session.commit()


def upload(client: TestClient, content: bytes) -> Response:
    """Send a corridor file as the page does."""
    token = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/admin/gates").text)[1]  # type: ignore[index]
    return client.post("/admin/gates", data={"csrf_token": token}, files={"file": ("a.geojson", content)})


def test_a_gate_comes_with_its_file_once(kept: Runtime, sign_in: Any) -> None:
    client, content = sign_in("administrator", locale="en"), ADDITION.read_bytes()
    assert "Coc Nam" not in client.get("/admin/gates").text
    page = upload(client, content)
    assert page.status_code == 200
    assert "Coc Nam" in page.text
    profile = client.get("/api/v1/gates/coc-nam/profile").json()
    assert {yard["yard_id"] for yard in profile["yards"]} == {"coc-nam-1", "coc-nam-2", "coc-nam-temporary"}
    again = upload(client, content)
    assert again.status_code == 422
    with kept.sessions() as session:
        assert [gate.site_id for gate in load_corridor(session).gates()].count("coc-nam") == 1
    acts = [entry["action"] for entry in sign_in("auditor").get("/api/v1/audit?action=gate.add").json()]
    assert acts == ["gate.add"]


def without(kind: str) -> bytes:
    """The file without its features of a kind."""
    collection = json.loads(ADDITION.read_text(encoding="utf-8"))
    kept = [feature for feature in collection["features"] if feature["properties"].get("kind") != kind]
    return json.dumps({**collection, "features": kept}).encode()


def test_a_file_that_cannot_be_is_refused_in_words_and_changes_nothing(kept: Runtime, sign_in: Any) -> None:
    client = sign_in("administrator", locale="vi")
    wrong = (b"", b"{", b"[]", b'{"type": "FeatureCollection"}', b"\xff\xfe", without("gate"), b"x" * (8 * 2**20 + 1))
    for content in wrong:
        answer = upload(client, content)
        assert answer.status_code in {400, 422}, content[:20]
        assert "Chưa thêm gì." in answer.text
    with kept.sessions() as session:
        assert "coc-nam" not in load_corridor(session).sites
    assert sign_in("customs", gate_id="huu-nghi").post("/admin/gates", files={"file": ("a", b"{}")}).status_code == 403


MAP = "/admin/gates/map"
BESIDE_QL1A = {"lon": "106.7030", "lat": "21.9420"}
NAMES = {"name_vi": "Bãi Đồng Đăng", "name_en": "Dong Dang yard", "name_zh": "同登停车场"}


def token_of(client: TestClient) -> str:
    """What forms of the page of the map carry."""
    return str(re.search(r'name="csrf_token" value="([^"]*)"', client.get(MAP).text)[1])  # type: ignore[index]


def test_a_yard_and_a_gate_are_placed_on_the_map_and_moved(kept: Runtime, sign_in: Any) -> None:
    client = sign_in("administrator", locale="en")
    token = {"csrf_token": token_of(client)}
    yard = token | NAMES | BESIDE_QL1A | {"kind": "yard", "gate_id": "huu-nghi", "capacity_veh": "120"}
    page = client.post(MAP, data=yard)
    assert "Dong Dang yard stands at QL1A" in unescape(page.text)
    assert "everywhere within seconds" in page.text
    assert client.post(MAP, data=yard).status_code == 422, "there already"
    profile = client.get("/api/v1/gates/huu-nghi/profile").json()
    assert "dong-dang-yard" in {each["yard_id"] for each in profile["yards"]}
    gate = token | BESIDE_QL1A | {"kind": "gate", "name_vi": "Cửa Mới", "name_en": "New gate", "name_zh": "新口岸"}
    assert client.post(MAP, data=gate).status_code == 200
    with kept.sessions() as session:
        before = load_corridor(session)
        placed = before.sites["dong-dang-yard"]
        assert (placed.road, placed.gate_id, placed.capacity_veh) == ("QL1A", "huu-nghi", 120)
        assert len(before.barriers("new-gate")) == 2
        assert default_profiles(before)["new-gate"].exports.lanes == 2
    moved = client.post(f"{MAP}/dong-dang-yard", data=token | {"lon": "106.7048", "lat": "21.9676"})
    assert moved.status_code == 200
    with kept.sessions() as session:
        after = load_corridor(session)
    assert after.sites["dong-dang-yard"].km < placed.km - 1
    assert after.sites["dong-dang-yard"].geofence.area == pytest.approx(placed.geofence.area, rel=0.01)
    assert after.sites["new-gate"] == before.sites["new-gate"]
    apart_km = [barrier.km - before.sites["new-gate"].km for barrier in before.barriers("new-gate")]
    assert client.post(f"{MAP}/new-gate", data=token | {"lon": "106.7048", "lat": "21.9676"}).status_code == 200
    with kept.sessions() as session:
        after = load_corridor(session)
    gate_km = after.sites["new-gate"].km
    assert gate_km < placed.km - 1
    assert [barrier.km - gate_km for barrier in after.barriers("new-gate")] == pytest.approx(apart_km)
    assert after.barriers("huu-nghi") == before.barriers("huu-nghi")
    auditor = sign_in("auditor")
    for act, number in (("gate.place", 2), ("gate.move_site", 2)):
        assert len(auditor.get(f"/api/v1/audit?action={act}").json()) == number


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"lon": "105.0", "lat": "21.0"}, "from the nearest road"),
        ({"lon": "nan"}, "is no place"),
        ({"gate_id": "nowhere"}, "Choose the gate"),
        ({"capacity_veh": "0"}, "how many trucks"),
        ({"name_zh": " "}, "all three languages"),
        ({"name_en": "Xuan Cuong"}, "already"),
    ],
)
def test_what_cannot_be_placed_is_refused_in_words(
    kept: Runtime, sign_in: Any, corridor: Corridor, wrong: dict[str, str], why: str
) -> None:
    client = sign_in("administrator", locale="en")
    yard = NAMES | BESIDE_QL1A | {"kind": "yard", "gate_id": "huu-nghi", "capacity_veh": "120"}
    answer = client.post(MAP, data={"csrf_token": token_of(client)} | yard | wrong)
    assert answer.status_code == 422
    assert why in answer.text
    with kept.sessions() as session:
        assert set(load_corridor(session).sites) == set(corridor.sites)


def test_a_camera_is_not_moved_and_the_auditor_only_looks(kept: Runtime, sign_in: Any) -> None:
    client = sign_in("administrator", locale="en")
    place = {"csrf_token": token_of(client)} | BESIDE_QL1A
    assert client.post(f"{MAP}/camera-dong-dang", data=place).status_code == 422
    assert client.post(f"{MAP}/nowhere", data=place).status_code == 404
    auditor = sign_in("auditor")
    page = auditor.get(MAP)
    assert page.status_code == 200
    assert "data-places" not in page.text
    assert auditor.post(f"{MAP}/huu-nghi", data=place).status_code == 403
