"""The public board: the numbers of the other pages, nothing about anybody, and it lasts."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from app.control.minute import Minute
from app.gates.service import seed_profiles
from app.gates.vocabulary import GoodsClass
from app.platform.runtime import Runtime
from app.public.board import Board
from app.public.board_keeper import FRESH_S, MAX_AGE_S, BoardKeeper, KeptBody
from capacity import store as capacity_store
from geo.clock import LOCAL_ZONE, parse_time
from geo.errors import UnavailableError
from tests.app.dispatching import add_organisation, trip_body
from tests.app.test_control import put_trucks
from tests.conftest import SignIn

NOTHING = Board(made_at=None, simulated=False, notice="", gates=())  # type: ignore[arg-type]
BODY = KeptBody.of("text/plain", b"nothing")


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    """With yards and gates that have profiles."""
    runtime.settings.forecast_runs = 16
    with runtime.sessions.begin() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
    return runtime


def keep_fresh(client: TestClient) -> None:
    """Forget the kept boards, as time does."""
    state = client.app.state  # type: ignore[attr-defined]
    if hasattr(state, "board_keeper"):
        del state.board_keeper


def test_nobody_signs_in_and_the_start_page_is_the_board(client: TestClient) -> None:
    keep_fresh(client)
    page = client.get("/")
    assert page.status_code == 200
    assert "Hữu Nghị" in page.text
    assert 'data-testid="board-tan-thanh"' in page.text
    assert 'href="/signin"' in page.text
    board = client.get("/api/v1/board")
    assert [gate["gate_id"] for gate in board.json()["gates"]] == ["huu-nghi", "tan-thanh"]
    assert board.headers["cache-control"] == "public, max-age=5"


def test_who_has_signed_in_is_led_to_the_own_page_and_may_look(sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    assert police.get("/", follow_redirects=False).headers["location"] == "/police"
    assert 'data-testid="board"' in police.get("/board").text


def test_the_numbers_are_those_of_the_other_pages(client: TestClient, ready: Runtime, sign_in: SignIn) -> None:
    put_trucks(ready, list(np.arange(1.2, 6.0, 0.03)), speed_mps=0.8)
    assert Minute.of(ready).run().failed == []
    keep_fresh(client)
    gate = client.get("/api/v1/board").json()["gates"][0]
    police = sign_in("traffic_police")
    forecast = police.get("/api/v1/forecasts/latest?gate=huu-nghi").json()
    assert gate["queue_veh"] == forecast["now"]["queue_veh"] > 100
    assert gate["tail_km"] == forecast["now"]["tail_km"]
    assert gate["wait_s"] == [row[0] for row in forecast["wait_s"]]
    assert [ahead["lead_s"] for ahead in gate["ahead"]] == [3600, 10_800, 21_600]
    for ahead in gate["ahead"]:
        step = round(ahead["lead_s"] / forecast["step_s"])
        assert ahead["queue_veh"] == [row[step] for row in forecast["queue_veh"]]
        assert ahead["wait_s"] == [row[step] for row in forecast["wait_s"]]
    assert gate["severity"] == max(filter(None, forecast["severity"]), key=["notice", "warning", "alarm"].index)
    yards = {yard["yard_id"]: yard for yard in police.get("/api/v1/yards").json()["items"]}
    assert {yard["yard_id"] for yard in gate["yards"]} == {"xuan-cuong", "huu-nghi-temporary"}
    for yard in gate["yards"]:
        assert (yard["free"], yard["capacity"]) == (yards[yard["yard_id"]]["free"], yards[yard["yard_id"]]["capacity"])
    page = client.get("/board").text.split('data-testid="board-huu-nghi"', 1)[1]
    assert re.search(rf'data-testid="board-queue">{gate["queue_veh"]:.0f}<', page)
    screen = client.get("/board/huu-nghi").text
    assert gate["queue_veh"] == pytest.approx(figure(screen), abs=0.5)
    for shown in (page, screen):  # how bad it is is told in words, not by the colour of an edge alone
        assert f"ck-severity-{gate['severity']} ck-board-severity" in shown
        assert "trong 6 giờ tới" in shown
    ready.clock.advance(600)  # everybody looks ahead from now, not from when the forecast was made
    keep_fresh(client)
    board = client.get("/api/v1/board").json()["gates"][0]
    station = sign_in("customs").get("/station/gates").text
    for ahead in board["ahead"][:2]:
        at = datetime.fromisoformat(ahead["at"]).astimezone(LOCAL_ZONE)
        told = station.split(f"Dự báo lúc {at:%H:%M}", 1)[1].split('class="ck-figure">', 1)[1]
        assert re.match(rf"{ahead['queue_veh'][1]:.0f} ", told), at


def figure(page: str) -> float:
    found = re.search(r'data-testid="board-queue">(\d+)<', page)
    assert found
    return float(found[1])


def test_a_wait_beyond_the_forecast_is_said_to_be_longer_than_it_reaches(client: TestClient, ready: Runtime) -> None:
    put_trucks(ready, list(np.arange(1.2, 6.0, 0.03)), speed_mps=0.8)
    assert Minute.of(ready).run().failed == []
    with ready.engine.begin() as connection:
        endless = "array_fill('Infinity'::float8, ARRAY[array_length(wait_s, 1), array_length(wait_s, 2)])"
        connection.execute(text(f"UPDATE routing.forecast_gate SET wait_s = {endless}"))
    keep_fresh(client)
    gate = client.get("/api/v1/board").json()["gates"][0]
    assert gate["wait_s"] == [None, None, None]
    assert "hơn 6 giờ" in client.get("/board", headers={"Accept-Language": "vi"}).text


def test_a_closed_gate_says_when_it_opens(client: TestClient, ready: Runtime) -> None:
    keep_fresh(client)
    assert client.get("/api/v1/board").json()["gates"][0]["is_open"] is True
    ready.clock.advance(12 * 3600)  # type: ignore[attr-defined]
    keep_fresh(client)
    gate = client.get("/api/v1/board").json()["gates"][0]
    assert gate["is_open"] is False
    assert parse_time(gate["changes_at"]) > ready.clock.now()
    assert "Đang đóng cửa" in client.get("/board/huu-nghi", headers={"Accept-Language": "vi"}).text


def test_a_ban_is_told_with_its_cause(client: TestClient, sign_in: SignIn, runtime: Runtime) -> None:
    body = {
        "cause": "Cửa khẩu bạn dừng tiếp nhận thanh long",
        "goods": [GoodsClass.FRESH_FRUIT],
        "ends_at": (runtime.clock.now() + timedelta(hours=6)).isoformat(),
    }
    assert sign_in("planner").post("/api/v1/gates/huu-nghi/bans", json=body).status_code == 201
    keep_fresh(client)
    huu_nghi, tan_thanh = client.get("/api/v1/board").json()["gates"]
    (notice,) = huu_nghi["notices"]
    assert (notice["kind"], notice["state"], notice["cause"]) == ("ban", "in_force", body["cause"])
    assert tan_thanh["notices"] == []
    assert body["cause"] in client.get("/board/huu-nghi").text
    assert body["cause"] not in client.get("/board/tan-thanh").text


def test_nothing_of_a_trip_is_on_it(client: TestClient, sign_in: SignIn, runtime: Runtime) -> None:
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "Nông sản Lạng Sơn"))
    trip = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5)))
    keep_fresh(client)
    for path in ("/", "/board", "/board/huu-nghi", "/api/v1/board"):
        text = client.get(path).text
        for secret in ("29C", "123.45", "Nông sản", trip.json()["code"]):
            assert secret not in text, (path, secret)


def test_an_unknown_gate_is_not_found(client: TestClient) -> None:
    assert client.get("/board/nowhere").status_code == 404


def test_however_many_look_the_database_is_asked_once(client: TestClient, runtime: Runtime) -> None:
    keep_fresh(client)
    asked: list[str] = []
    event.listen(runtime.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    first = client.get("/api/v1/board", headers={"Accept-Language": "vi"})
    after_first = len(asked)
    for path in ("/", "/board", "/board/huu-nghi", "/api/v1/board"):
        pages = [client.get(path, headers={"Accept-Language": "vi"}) for _ in range(5)]
        assert len({page.content for page in pages}) == 1
    assert client.get("/api/v1/board", headers={"Accept-Language": "vi"}).content == first.content
    assert len(asked) == after_first


def test_who_has_it_is_told_so_and_it_is_packed_for_who_can_unpack(client: TestClient) -> None:
    keep_fresh(client)
    for path in ("/", "/board/huu-nghi", "/api/v1/board"):
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert packed.content == plain.content
        assert packed.headers["vary"] == "Accept-Encoding, Accept-Language, Sec-Fetch-Dest, Cookie"
        known = client.get(path, headers={"If-None-Match": f'W/"other", {plain.headers["etag"]}'})
        assert (known.status_code, known.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
        assert plain.headers["content-security-policy"] == client.get("/signin").headers["content-security-policy"]


def test_who_has_a_session_gets_nothing_that_is_kept(client: TestClient, sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    answer = police.get("/board")
    assert answer.headers["cache-control"] == "no-store"
    assert police.get("/api/v1/board").headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    keep_fresh(client)
    strange = {"User-Agent": "<b>me</b>", "X-Forwarded-For": "203.0.113.9", "Cookie": "theme=mine"}
    first = client.get("/board?who=me", headers=strange)
    assert first.text == client.get("/board").text
    for mine in ("me</b>", "who=me", "203.0.113.9", "mine"):
        assert mine not in first.text


def test_a_closed_yard_says_why_and_until_when(client: TestClient, ready: Runtime, sign_in: SignIn) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    until = ready.clock.now() + timedelta(hours=2)
    body = {"reason": "Ngập nước", "until": until.isoformat()}
    assert operator.post("/api/v1/yards/xuan-cuong/closures", json=body).status_code == 201
    keep_fresh(client)
    yard = next(yard for yard in client.get("/api/v1/board").json()["gates"][0]["yards"] if yard["kind"] == "yard")
    assert (yard["is_open"], yard["free"], yard["closures"][0]["cause"]) == (False, 0, "Ngập nước")
    page = client.get("/board", headers={"Accept-Language": "en"}).text
    assert re.search(r"Ngập nước\s+· expected to end 12:00 02/03", page.replace("\n", " "))
    assert "Ngập nước" in client.get("/board/huu-nghi").text
    assert "Ngập nước" not in client.get("/board/tan-thanh").text
    assert "no places while it is closed" in page  # not "0 of 0 free"

    enterprise = sign_in("enterprise", organisation_id=add_organisation(ready, "Nông sản Lạng Sơn"))
    trip = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", ready.clock.now() + timedelta(hours=5))).json()
    for address in (f"/t/{trip['code']}", f"/enterprise/trips/{trip['trip_id']}"):
        assert "Ngập nước" in enterprise.get(address, headers={"Accept": "text/html"}).text, address
    assert "Ngập nước" in sign_in("customs").get("/station/gates").text


def test_the_next_free_place_is_the_plans(client: TestClient, ready: Runtime, sign_in: SignIn) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    until = ready.clock.now() + timedelta(hours=2)
    body = {"reason": "Ngập nước", "until": until.isoformat()}
    operator.post("/api/v1/yards/xuan-cuong/closures", json=body)
    keep_fresh(client)
    assert client.get("/api/v1/board").json()["gates"][0]["yards"][0]["is_planned"] is False
    assert Minute.of(ready).run().failed == []
    keep_fresh(client)
    huu_nghi, tan_thanh = client.get("/api/v1/board").json()["gates"]
    closed = next(yard for yard in huu_nghi["yards"] if yard["yard_id"] == "xuan-cuong")
    assert parse_time(closed["next_free"]["since"]) == until
    free = next(yard for yard in tan_thanh["yards"] if yard["yard_id"] == "bao-nguyen")
    assert parse_time(free["next_free"]["since"]) == ready.clock.now()
    longer = {"reason": "Sạt lở", "until": (until + timedelta(hours=4)).isoformat()}
    assert operator.post("/api/v1/yards/xuan-cuong/closures", json=longer).status_code == 201
    keep_fresh(client)
    told = client.get("/api/v1/board").json()["gates"][0]["yards"][0]
    assert (told["is_planned"], told["next_free"]) == (False, None), "the plan knew of no such closure"
    ready.clock.advance(31 * 60)  # type: ignore[attr-defined]
    keep_fresh(client)
    assert client.get("/api/v1/board").json()["gates"][0]["yards"][0]["is_planned"] is False


def test_todays_notice_is_told_on_its_day_in_each_language(client: TestClient, ready: Runtime, sign_in: SignIn) -> None:
    planner = sign_in("planner")
    sent = {"version": "0", "vi": "Mở thêm làn số 3", "en": "", "zh": "增开三号通道", "day": "2026-03-02"}
    assert planner.post("/planner/settings/board-notice", data=sent | {"day": "tomorrow"}).status_code == 422
    answer = planner.post("/planner/settings/board-notice", data=sent, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    keep_fresh(client)
    for language, told in (("vi", "Mở thêm làn số 3"), ("en", "Mở thêm làn số 3"), ("zh", "增开三号通道")):
        assert told in client.get("/board", headers={"Accept-Language": language}).text
        assert told in client.get("/board/huu-nghi", headers={"Accept-Language": language}).text
    ready.clock.advance(24 * 3600)  # type: ignore[attr-defined]
    keep_fresh(client)
    assert client.get("/api/v1/board", headers={"Accept-Language": "vi"}).json()["notice"] == ""


def test_languages_do_not_mix(client: TestClient) -> None:
    keep_fresh(client)
    assert "Cửa khẩu lúc này" in client.get("/board", headers={"Accept-Language": "vi"}).text
    assert "Gates now" in client.get("/board", headers={"Accept-Language": "en"}).text
    assert "口岸现况" in client.get("/board", headers={"Accept-Language": "zh"}).text


def test_while_the_database_is_away_the_last_board_stays_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, is_away = [1000.0], [False]
    monkeypatch.setattr("app.public.board_keeper.time.monotonic", lambda: now_s[0])

    def make(_language: str) -> Board:
        if is_away[0]:
            raise UnavailableError("The database is away.")
        return NOTHING

    async def run() -> None:
        keeper = BoardKeeper(make, lambda _board, _language, _path: BODY)
        first = await keeper.get("vi")
        is_away[0] = True
        now_s[0] += FRESH_S + 1
        assert await keeper.get("vi") is first
        now_s[0] += MAX_AGE_S
        with pytest.raises(UnavailableError):
            await keeper.body("vi", "/")

    asyncio.run(run())


def test_many_at_once_make_one_board_and_each_page_of_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("app.public.board_keeper.time.monotonic", lambda: now_s[0])
    made: list[str] = []

    def write(_board: Board, language: str, path: str) -> KeptBody:
        made.append(f"{language} {path}")
        return BODY

    def make(language: str) -> Board:
        made.append(language)
        return NOTHING

    async def run() -> None:
        keeper = BoardKeeper(make, write)
        await asyncio.gather(*(keeper.body("vi", "/") for _ in range(50)), keeper.body("en", "/board"))
        assert sorted(made) == ["en", "en /board", "vi", "vi /"]
        made.clear()
        now_s[0] += FRESH_S
        await keeper.get("vi")
        assert made == ["vi", "vi /"]

    asyncio.run(run())
