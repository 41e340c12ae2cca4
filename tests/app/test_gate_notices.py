"""Intake bans and outages: declarations and orders ask them, trips on their way are told, they end with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.control.minute import Minute
from app.control.tick import Tick
from app.gates.notice import GateNotice, find_ban
from app.gates.service import profiles
from app.gates.vocabulary import GoodsClass, NoticeState
from app.platform.runtime import Runtime
from app.trips.vocabulary import Regime
from geo.clock import FixedClock
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import put_truck
from tests.app.stationing import Gate
from tests.conftest import NOW

HOUR = timedelta(hours=1)
TEXTILES = declaration_line(goods_class="textiles", hs_code="6109.10")
CAUSE = "Cửa khẩu bạn dừng tiếp nhận"


def notice(**changes: Any) -> GateNotice:
    values: dict[str, Any] = {
        "notice_id": 1,
        "kind": "ban",
        "gate_id": "huu-nghi",
        "cause": CAUSE,
        "starts_at": NOW,
        "ends_at": NOW + 4 * HOUR,
        "over_at": None,
        "over_reason": "",
        **changes,
    }
    return GateNotice(**values)


@pytest.fixture
def gate(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Gate:
    return Gate.open(runtime, sign_in)


def ban(client: TestClient, gate_id: str = "huu-nghi", **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/gates/{gate_id}/bans", json={"cause": CAUSE, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def control(runtime: Runtime) -> None:
    minute = Minute.of(runtime)
    assert not Tick(runtime, minute.places, minute.tails_km).run().failed


def bell(client: TestClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/v1/notifications").json()["items"]
    return [item for item in items if item["kind"].startswith("notice.")]


# The rule, pure


@pytest.mark.parametrize(
    ("changes", "at", "state"),
    [
        ({}, NOW - HOUR, NoticeState.PLANNED),
        ({}, NOW, NoticeState.IN_FORCE),
        ({}, NOW + 4 * HOUR, NoticeState.OVER),
        ({"ends_at": None}, NOW + timedelta(days=300), NoticeState.IN_FORCE),
        ({"over_at": NOW + HOUR}, NOW + HOUR, NoticeState.OVER),
        ({"over_at": NOW - HOUR}, NOW - 2 * HOUR, NoticeState.OVER),  # called off before it began
        ({"kind": "outage", "system": "power"}, NOW + 9 * HOUR, NoticeState.IN_FORCE),  # over when somebody says so
        ({"kind": "outage", "system": "power", "over_at": NOW + 5 * HOUR}, NOW + 5 * HOUR, NoticeState.OVER),
    ],
)
def test_how_an_announcement_stands(changes: dict[str, Any], at: datetime, state: NoticeState) -> None:
    assert notice(**changes).state(at) is state


@given(
    goods=st.lists(st.sampled_from(GoodsClass), unique=True, max_size=3),
    regimes=st.lists(st.sampled_from(Regime), unique=True, max_size=2),
    load=st.lists(st.sampled_from(GoodsClass), unique=True, max_size=3),
    regime=st.none() | st.sampled_from(Regime),
    hours=st.floats(-10, 10, allow_nan=False),
    lasts_h=st.none() | st.floats(0.1, 8),
)
def test_a_ban_stops_what_it_names_while_it_holds(
    goods: list[GoodsClass],
    regimes: list[Regime],
    load: list[GoodsClass],
    regime: Regime | None,
    hours: float,
    lasts_h: float | None,
) -> None:
    ends_at = None if lasts_h is None else NOW + lasts_h * HOUR
    made = notice(goods=tuple(goods), regimes=tuple(regimes), ends_at=ends_at)
    at = NOW + hours * HOUR
    wanted = (
        at >= NOW
        and (ends_at is None or at < ends_at)
        and (not goods or any(name in goods for name in load))
        and (not regimes or regime in regimes)
    )
    assert (find_ban([made], regime, load, at) is not None) is wanted
    assert GateNotice.from_record(made.to_record()) == made


def test_the_ban_that_ends_last_is_named() -> None:
    short, long, open_ended = notice(), notice(ends_at=NOW + 9 * HOUR), notice(ends_at=None)
    assert find_ban([short, long], "export", ["ore"], NOW) is long
    assert find_ban([open_ended, long], "export", ["ore"], NOW) is open_ended


# Declarations, plan and orders ask it


def test_a_declaration_for_the_time_of_a_ban_is_refused(gate: Gate) -> None:
    planner, enterprise = gate.person("planner"), gate.person("enterprise")
    ban(planner, goods=["fresh_fruit"], ends_at=(NOW + 6 * HOUR).isoformat())

    def declare(hours: float, **changes: Any) -> Any:
        body = declaration_body(NOW + hours * HOUR, **{"trailer_plate": "", **changes})
        return enterprise.post("/api/v1/declarations", json={**body, "submit": True})

    refused = declare(2)
    assert refused.status_code == 422
    problem = next(error for error in refused.json()["errors"] if error["field"] == "lines.1.goods_class")
    assert CAUSE in problem["detail"]
    assert "16:00 02/03" in problem["detail"]  # when it ends, local time
    assert declare(2, plate="29C-555.01", lines=[TEXTILES]).is_success
    assert declare(2, plate="29C-555.02", gate_id="tan-thanh").is_success
    assert declare(7).is_success


def test_a_ban_of_everything_and_one_by_regime(gate: Gate) -> None:
    enterprise = gate.person("enterprise")
    everything = ban(gate.person("planner"))
    body = declaration_body(NOW + 2 * HOUR, trailer_plate="")
    answer = enterprise.post("/api/v1/declarations", json={**body, "submit": True})
    assert [error["field"] for error in answer.json()["errors"]] == ["planned_arrival"]
    ended = gate.person("planner").post(
        f"/api/v1/bans/{everything['notice_id']}/end", json={"reason": "Mở lại"}, headers={"If-Match": '"1"'}
    )
    assert ended.json()["state"] == "over"
    ban(gate.person("planner"), regimes=["transit"])
    assert enterprise.post("/api/v1/declarations", json={**body, "submit": True}).status_code == 201


def test_what_was_declared_before_a_ban_can_still_be_mended_but_not_moved_into_it(gate: Gate) -> None:
    trip_id = gate.declare("29C-123.45")
    ban(gate.person("planner"), goods=["fresh_fruit"], ends_at=(NOW + 6 * HOUR).isoformat())
    enterprise = gate.person("enterprise")
    found = enterprise.get(f"/api/v1/declarations/{trip_id}")
    headers = {"If-Match": found.headers["ETag"]}
    mended = declaration_body(NOW + 2 * HOUR, trailer_plate="", driver_name="Trần Văn Bình")
    answer = enterprise.put(f"/api/v1/declarations/{trip_id}", json={**mended, "submit": True}, headers=headers)
    assert answer.status_code == 200, answer.text
    moved = declaration_body(NOW + 3 * HOUR, trailer_plate="")
    headers = {"If-Match": answer.headers["ETag"]}
    answer = enterprise.put(f"/api/v1/declarations/{trip_id}", json={**moved, "submit": True}, headers=headers)
    assert answer.status_code == 422


def test_every_caller_of_the_profile_asks_the_ban(gate: Gate, runtime: Runtime) -> None:
    with runtime.sessions() as session:
        before = profiles(session, NOW, runtime.corridor)["huu-nghi"]
    assert before.takes("export", "fresh_fruit")
    ban(gate.person("planner"), goods=["fresh_fruit"], ends_at=(NOW + HOUR).isoformat())
    with runtime.sessions() as session:
        now = profiles(session, NOW, runtime.corridor)
        later = profiles(session, NOW + 2 * HOUR, runtime.corridor)
    assert not now["huu-nghi"].takes("export", "fresh_fruit")
    assert now["huu-nghi"].takes("export", "ore")
    assert now["tan-thanh"].takes("export", "fresh_fruit")
    assert now["huu-nghi"].takes("export", "fresh_fruit", NOW + 2 * HOUR)
    assert later["huu-nghi"].takes("export", "fresh_fruit")


# Telling


def test_a_ban_reaches_drivers_enterprise_and_police(
    gate: Gate, runtime: Runtime, sign_in: Callable[..., TestClient]
) -> None:
    fruit = gate.declare("29C-123.45")
    gate.declare("29C-555.55", lines=[TEXTILES])
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=NOW, km=40.0, speed_mps=15.0)
        vehicle_id = put_truck(session, runtime.corridor, "29C-555.55", time=NOW, km=41.0, speed_mps=15.0)
        session.commit()
    other = sign_in("driver", vehicle_id=vehicle_id)
    concerned = sign_in("driver", locale="en", vehicle_id=gate.sheet(fruit)["trip"]["vehicle_id"])
    made = ban(gate.person("planner"), goods=["fresh_fruit"], ends_at=(NOW + 5 * HOUR).isoformat())
    control(runtime)

    told = bell(gate.person("enterprise"))
    assert [notification["kind"] for notification in told] == ["notice.begun"]
    assert "29C-123.45" in told[0]["text"]
    assert "29C-555.55" not in told[0]["text"]
    assert CAUSE in told[0]["text"]
    assert told[0]["urgent"]
    assert [notification["trip_id"] for notification in bell(concerned)] == [fruit]
    assert bell(other) == []
    assert CAUSE in concerned.get("/driver").text
    assert CAUSE not in other.get("/driver").text
    police = sign_in("traffic_police", locale="en")
    assert CAUSE in police.get("/police").text
    listed = police.get(f"/api/v1/gate-notices/{made['notice_id']}/trips").json()["items"]
    assert [trip["plate"] for trip in listed] == ["29C-123.45"]
    assert "29C-123.45" in police.get("/gate-notices").text
    assert CAUSE in gate.person("enterprise").get("/enterprise").text
    assert CAUSE in gate.person("enterprise").get(f"/enterprise/trips/{fruit}").text

    ended = gate.person("planner").post(
        f"/api/v1/bans/{made['notice_id']}/end", json={"reason": "Cửa khẩu bạn mở lại"}, headers={"If-Match": '"1"'}
    )
    assert ended.status_code == 200, ended.text
    control(runtime)
    assert [notification["kind"] for notification in bell(concerned)] == ["notice.over", "notice.begun"]
    assert "Cửa khẩu bạn mở lại" in bell(concerned)[0]["text"]
    assert CAUSE not in concerned.get("/driver").text


def test_the_event_of_a_ban_reaches_the_truck_on_the_road_at_once(gate: Gate, runtime: Runtime) -> None:
    trip_id = gate.declare("29C-123.45")
    vehicle_id = gate.sheet(trip_id)["trip"]["vehicle_id"]
    ban(gate.person("planner"), goods=["fresh_fruit"])
    streamed = [fields for _, fields in runtime.redis.xrange("ck:events") if fields[b"type"] == b"gate_notice"]
    audiences = [orjson.loads(fields[b"audience"]) for fields in streamed]
    assert sorted(vehicle for audience in audiences for vehicle in audience["vehicles"]) == [vehicle_id]
    assert [audience["organisations"] for audience in audiences if audience["organisations"]] == [
        [gate.organisation_id]
    ]
    watching = next(audience for audience in audiences if audience["roles"])
    assert {"traffic_police", "border_guard", "planner"} <= set(watching["roles"])
    assert watching["gates"] == ["huu-nghi"]


def test_a_planned_ban_is_told_when_announced_and_when_it_begins_and_ends(
    gate: Gate, runtime: Runtime, clock: FixedClock
) -> None:
    gate.declare("29C-123.45")
    ban(
        gate.person("planner"),
        starts_at=(NOW + HOUR).isoformat(),
        ends_at=(NOW + 3 * HOUR).isoformat(),
    )
    kinds = []
    for moment in (NOW, NOW + timedelta(minutes=30), NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 4 * HOUR):
        clock.moment = moment
        control(runtime)
        control(runtime)
        kinds.append([notification["kind"] for notification in bell(gate.person("enterprise"))])
    assert kinds[0] == kinds[1] == ["notice.planned"]
    assert kinds[2] == kinds[3] == ["notice.begun", "notice.planned"]
    assert kinds[4] == kinds[5] == ["notice.over", "notice.begun", "notice.planned"]


def test_a_truck_without_a_signal_that_is_late_is_told_too(gate: Gate, clock: FixedClock) -> None:
    late, later = gate.declare("29C-123.45"), gate.declare("29C-555.55", planned_arrival=(NOW + 50 * HOUR).isoformat())
    clock.advance(5 * 3600)  # the first should have come three hours ago and nothing was seen of it
    planner = gate.person("planner")
    made = ban(planner, ends_at=(clock.now() + 6 * HOUR).isoformat())
    ahead = ban(planner, starts_at=(clock.now() + 30 * HOUR).isoformat(), ends_at=(NOW + 90 * HOUR).isoformat())

    def concerned(notice_id: int) -> list[int]:
        items = planner.get(f"/api/v1/gate-notices/{notice_id}/trips").json()["items"]
        return [trip["trip_id"] for trip in items]

    assert concerned(made["notice_id"]) == [late]
    assert concerned(ahead["notice_id"]) == [later]


def test_the_public_page_says_cause_and_expected_end(gate: Gate, client: TestClient) -> None:
    trip_id = gate.declare("29C-123.45")
    code = gate.sheet(trip_id)["trip"]["code"]
    body = {"system": "customs_system", "cause": "VNACCS dừng", "ends_at": (NOW + 2 * HOUR).isoformat()}
    answer = gate.person("customs").post("/api/v1/gates/huu-nghi/outages", json=body)
    assert answer.status_code == 201, answer.text
    page = client.get(f"/t/{code}", headers={"accept-language": "vi"}).text
    assert "VNACCS dừng" in page
    assert "12:00 02/03" in page


# Who may, and what is refused


@pytest.mark.parametrize(
    ("role", "gate_id", "goods", "status"),
    [
        ("administrator", "huu-nghi", [], 201),
        ("planner", "tan-thanh", ["ore"], 201),
        ("customs", "huu-nghi", ["ore"], 201),
        ("customs", "tan-thanh", ["ore"], 403),
        ("plant_quarantine", "huu-nghi", ["fresh_fruit"], 201),
        ("plant_quarantine", "huu-nghi", ["meat"], 403),
        ("animal_quarantine", "huu-nghi", [], 403),
        ("border_guard", "huu-nghi", ["ore"], 403),
        ("enterprise", "huu-nghi", ["ore"], 403),
        ("planner", "nowhere", [], 404),
    ],
)
def test_who_may_ban(gate: Gate, role: str, gate_id: str, goods: list[str], status: int) -> None:
    answer = gate.person(role).post(f"/api/v1/gates/{gate_id}/bans", json={"cause": CAUSE, "goods": goods})
    assert answer.status_code == status, answer.text


def test_an_agency_of_some_goods_neither_changes_nor_ends_a_ban_of_all(gate: Gate) -> None:
    planner, plants = gate.person("planner"), gate.person("plant_quarantine")
    for goods, regimes, status in (([], [], 403), ([], ["export"], 403), (["ore"], [], 403), (["flowers"], [], 200)):
        ban = {"cause": CAUSE, "goods": goods, "regimes": regimes}
        made = planner.post("/api/v1/gates/huu-nghi/bans", json=ban)
        where, tag = f"/api/v1/bans/{made.json()['notice_id']}", {"If-Match": '"1"'}
        other = {"cause": "Cấm khác", "ends_at": (NOW + HOUR).isoformat()}
        assert plants.put(where, json=other, headers=tag).status_code == status
        tag = {"If-Match": f'"{2 if status == 200 else 1}"'}
        assert plants.post(f"{where}/end", json={"reason": "Xong"}, headers=tag).status_code == status


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cause": " "}, "cause"),
        ({"cause": "x" * 301}, "cause"),
        ({"ends_at": (NOW - HOUR).isoformat()}, "ends_at"),
        ({"starts_at": (NOW + 2 * HOUR).isoformat(), "ends_at": (NOW + HOUR).isoformat()}, "ends_at"),
        ({"starts_at": (NOW - HOUR).isoformat()}, "starts_at"),
        ({"starts_at": (NOW + timedelta(days=900)).isoformat()}, "starts_at"),
    ],
)
def test_a_ban_that_cannot_be_is_refused_with_its_field(gate: Gate, changes: dict[str, Any], field: str) -> None:
    answer = gate.person("planner").post("/api/v1/gates/huu-nghi/bans", json={"cause": CAUSE, **changes})
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_a_ban_is_announced_once_changed_by_version_and_audited(gate: Gate, sign_in: Callable[..., TestClient]) -> None:
    planner = gate.person("planner")
    body, headers = {"cause": CAUSE, "goods": ["ore"]}, {"Idempotency-Key": "k1"}
    first = planner.post("/api/v1/gates/huu-nghi/bans", json=body, headers=headers)
    second = planner.post("/api/v1/gates/huu-nghi/bans", json=body, headers=headers)
    assert first.json()["notice_id"] == second.json()["notice_id"]
    assert len(planner.get("/api/v1/gate-notices").json()["items"]) == 1
    address = f"/api/v1/bans/{first.json()['notice_id']}"
    longer = {"cause": CAUSE, "ends_at": (NOW + 9 * HOUR).isoformat()}
    assert planner.put(address, json=longer).status_code == 428
    assert planner.put(address, json=longer, headers={"If-Match": '"1"'}).json()["version"] == 2
    assert planner.put(address, json=longer, headers={"If-Match": '"1"'}).status_code == 412
    assert planner.post(f"{address}/end", json={"reason": ""}, headers={"If-Match": '"2"'}).status_code == 422
    assert planner.post(f"{address}/end", json={"reason": "Xong"}, headers={"If-Match": '"2"'}).json()["version"] == 3
    assert planner.post(f"{address}/end", json={"reason": "Xong"}, headers={"If-Match": '"3"'}).status_code == 409
    acts = [line["action"] for line in sign_in("auditor").get("/api/v1/audit").json()]
    assert [act for act in acts if act.startswith("bans.")] == ["bans.end", "bans.change", "bans.create"]


def test_the_page_announces_and_keeps_what_was_refused(gate: Gate) -> None:
    planner = gate.person("planner")
    token = planner.get("/gate-notices")
    assert token.status_code == 200
    form = {"gate_id": "huu-nghi", "cause": "", "goods": ["fresh_fruit", "meat"], "ends_at": "2026-03-02T15:00"}
    refused = planner.post("/gate-notices/bans", data=form)
    assert refused.status_code == 422
    assert 'value="2026-03-02T15:00"' in refused.text
    assert planner.post("/gate-notices/bans", data={**form, "cause": CAUSE}, follow_redirects=False).status_code == 303
    made = planner.get("/api/v1/gate-notices").json()["items"][0]
    assert made["goods"] == ["fresh_fruit", "meat"]
    assert datetime.fromisoformat(made["ends_at"]) == datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    end = {"act": "end", "version": str(made["version"]), "reason": "Hết"}
    answer = planner.post(f"/gate-notices/bans/{made['notice_id']}", data=end, follow_redirects=False)
    assert answer.status_code == 303
    assert planner.get("/api/v1/gate-notices").json()["items"] == []
