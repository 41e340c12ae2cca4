"""The planner's pages on a real database: form, runs, downloads, settings."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from html import unescape

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import text

from app.control.minute import Minute
from app.gates.service import get_setting, seed_profiles
from app.planning import scenario_child
from app.platform.runtime import Runtime
from app.web.i18n import load_catalogues
from capacity import store as capacity_store
from maps.report import scenario_report
from routing import store as routing_store
from routing.scenario import parse_scenario, run_scenario
from tests.app.test_control import put_trucks

SignIn = Callable[..., TestClient]
PAGES = {"accept": "text/html"}
GUARDED = ("/planner", "/planner/library/december-2021")
FILES = ("report", "series.csv", "series.parquet", "totals.csv", "variants.png", "sumo.zip")

FORM = {
    "name": "Thêm làn, đóng đường",
    "basis": "",
    "start": "06:00",
    "horizon_h": "2",
    "step_s": "600",
    "runs": "3",
    "seed": "7",
    "world.perishable_share": "60",
    "world.gates.huu-nghi.exports_veh_per_day": "300",
    "world.gates.huu-nghi.standing_veh": "600",
    "world.gates.tan-thanh.exports_veh_per_day": "150",
    "change.gates.huu-nghi.lanes": "6",
    "change.gates.huu-nghi.opens": "05:30",
    "change.gates.tan-thanh.lanes": "",
    "change.yards.xuan-cuong.capacity_veh": "700",
    "change.demand.0.factor": "",
    "change.demand.0.gate": "",
    "change.demand.1.factor": "1.5",
    "change.demand.1.goods": "perishable",
    "change.closures.0.road": "QL1A",
    "change.closures.0.km_from": "40",
    "change.closures.0.km_to": "42",
    "change.closures.0.direction": "to_border",
    "change.closures.0.to_h": "1",
    "change.diversions.0.from_gate": "huu-nghi",
    "change.diversions.0.to_gate": "tan-thanh",
    "change.diversions.0.share": "30",
    "change.holds.0.staging": "staging-chi-lang",
    "change.holds.0.until_h": "",
}


@pytest.fixture
def planner(runtime: Runtime, sign_in: SignIn) -> TestClient:
    with runtime.sessions() as session:
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    client = sign_in("planner")
    client.headers.update(PAGES)
    return client


def queue(planner: TestClient, **changes: str) -> str:
    answer = planner.post("/planner", data=FORM | changes, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def finish(runtime: Runtime, address: str) -> None:
    run_id = uuid.UUID(address.rsplit("/", 1)[1])
    with runtime.sessions() as session:
        row = routing_store.get_scenario_run(session, run_id)
        scenario = parse_scenario(row.inputs["scenario"])
        result = run_scenario(runtime.corridor, scenario, seed=row.seed, runs=row.inputs["runs"], threads=1)
        assert result is not None
        now = runtime.clock.now()
        assert routing_store.claim_scenario_run(session, now=now) is not None
        routing_store.finish_scenario_run(session, run_id, now=now, result=result.to_record())
        session.commit()


def value_of(html: str, name: str) -> str | None:
    tag = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*>', html)
    found = re.search(r'value="([^"]*)"', tag[0]) if tag else None
    return found[1] if found else None


def sent_again(html: str) -> dict[str, str]:
    """What a browser would send of the study's form."""
    study = html.split('id="study"', 1)[1].split("</form>", 1)[0]
    fields = {name: value_of(study, name) or "" for name in re.findall(r'<input[^>]*name="([^"]+)"', study)}
    for select in re.findall(r"<select.*?</select>", study, re.DOTALL):
        name, chosen = re.search(r'name="([^"]+)"', select), re.search(r'value="([^"]*)" selected', select)
        if name:
            fields[name[1]] = chosen[1] if chosen else ""
    area = re.search(r'<textarea[^>]*name="additions"[^>]*>(.*?)</textarea>', study, re.DOTALL)
    return fields | {"additions": unescape(area[1]) if area else ""}


def test_a_form_becomes_a_run_and_a_run_a_form(planner: TestClient) -> None:
    address = queue(planner)
    scenario = planner.get(f"/api/v1/scenarios/{address.rsplit('/', 1)[1]}").json()
    assert (scenario["seed"], scenario["runs"], scenario["status"]) == (7, 3, "queued")
    inputs = scenario["scenario"]
    assert inputs["world"]["gates"]["huu-nghi"] == {"exports_veh_per_day": 300.0, "standing_veh": 600}
    change = inputs["change"]
    assert change["gates"] == {"huu-nghi": {"lanes": 6, "opens": "05:30"}}
    assert change["demand"] == [{"factor": 1.5, "goods": "perishable"}]
    assert change["closures"] == [{"road": "QL1A", "km_from": 40.0, "km_to": 42.0, "to_h": 1.0}]
    assert change["diversions"] == [{"from_gate": "huu-nghi", "to_gate": "tan-thanh", "share": 0.3}]
    assert change["yards"] == {"xuan-cuong": {"capacity_veh": 700}}
    assert "holds" not in change

    waiting = planner.get(address).text
    assert 'data-testid="progress"' in waiting
    again = planner.get(f"/planner?repeat={address.rsplit('/', 1)[1]}").text
    for name in ("change.diversions.0.share", "change.gates.huu-nghi.opens", "seed", "world.perishable_share", "name"):
        assert value_of(again, name) == FORM[name], name
    assert value_of(again, "change.demand.0.factor") == "1.5"
    assert FORM["name"] in planner.get("/planner/runs").text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("change.gates.huu-nghi.lanes", "99", "Hãy nhập không quá 64."),
        ("change.gates.huu-nghi.lanes", "2.5", "Hãy nhập số nguyên."),
        ("change.gates.huu-nghi.opens", "25:00", "Hãy ghi giờ như 07:30."),
        ("change.demand.1.factor", "-1", "Hãy nhập từ 0 trở lên."),
        ("change.diversions.0.share", "130", "Hãy nhập không quá 100."),
        ("change.diversions.0.share", "một nửa", "Hãy nhập số."),
        ("change.closures.0.to_h", "0", "Hãy nhập lớn hơn 0."),
        ("change.closures.0.from_h", "3", "Thời điểm hết cấm phải sau"),
        ("change.closures.0.km_to", "500", "QL1A không có km 500,00"),
        ("change.gates.huu-nghi.cleared_exports_veh_per_day", "nhiều", "Hãy nhập số."),
        ("name", "", "Hãy nhập giá trị."),
        ("runs", "0", "Hãy nhập từ 1 trở lên."),
    ],
)
def test_a_value_that_cannot_be_is_said_at_its_field(planner: TestClient, name: str, value: str, message: str) -> None:
    answer = planner.post("/planner", data=FORM | {name: value}, follow_redirects=False)
    assert answer.status_code == 422
    assert message in answer.text
    assert "is-invalid" in answer.text
    assert value_of(answer.text, "change.yards.xuan-cuong.capacity_veh") == "700"
    assert planner.get("/api/v1/scenarios").json()["items"] == []


def test_a_base_from_the_library_that_was_changed_says_so(planner: TestClient) -> None:
    fields = sent_again(planner.get("/planner?start=december-2021").text)
    fields |= {"basis": "december-2021", "runs": "1"}
    for standing, expected in ((fields["world.gates.huu-nghi.standing_veh"], False), ("10", True)):
        sent = fields | {"world.gates.huu-nghi.standing_veh": standing}
        answer = planner.post("/planner", data=sent, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        run = planner.get(f"/api/v1{answer.headers['location'].replace('/planner/runs', '/scenarios')}").json()
        assert len(run["scenario"]["sources"]) == (5 if expected else 4)
        assert run["scenario"]["change"]["demand"] == [{"factor": 0.5}]


def test_a_finished_run_is_shown_and_taken_away(planner: TestClient, runtime: Runtime) -> None:
    address = queue(planner)
    too_early = planner.get(f"{address}/report")
    assert too_early.status_code == 409
    finish(runtime, address)
    page = planner.get(address).text
    assert 'data-status="done"' in page
    assert "Giờ xe trên hành lang" in page
    assert '<comparison-chart place="huu-nghi" measure="tail_km">' in page
    assert "hạt giống 7" in page

    series = planner.get(f"{address}/series.csv")
    assert "attachment" in series.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(series.text)))
    assert len(lines) == 13 * 2 * (2 * 3 + 2)
    assert {line["world"] for line in lines} == {"base", "variant"}
    assert all(float(line["p10"]) <= float(line["p50"]) <= float(line["p90"]) for line in lines)

    report = planner.get(f"{address}/report")
    assert "attachment" in report.headers["content-disposition"]
    assert "Báo cáo kịch bản" in report.text

    table = pq.read_table(io.BytesIO(planner.get(f"{address}/series.parquet").content))
    assert table.num_rows == len(lines)
    assert [str(value) for value in table["p50"].to_pylist()[:50]] == [line["p50"] for line in lines[:50]]
    assert table.schema.metadata[b"seed"] == b"7"
    totals = list(csv.DictReader(io.StringIO(planner.get(f"{address}/totals.csv").text)))
    assert {"truck_hours", "spoiled_t", "cost_vnd"} <= {line["total"] for line in totals}
    assert all(float(line["range80_low"]) <= float(line["range80_high"]) for line in totals)
    picture = Image.open(io.BytesIO(planner.get(f"{address}/variants.png").content))
    assert picture.format == "PNG"
    assert len(picture.convert("L").getcolors(256) or ()) > 20  # bars, curves and letters, not an empty sheet
    with zipfile.ZipFile(io.BytesIO(planner.get(f"{address}/sumo.zip").content)) as archive:
        assert {f"world-{world}/trucks.rou.xml" for world in (0, 1)} <= set(archive.namelist())


def test_the_report_is_wholly_translated(planner: TestClient, runtime: Runtime) -> None:
    address = queue(planner)
    finish(runtime, address)
    with runtime.sessions() as session:
        record = routing_store.get_scenario_run(session, uuid.UUID(address.rsplit("/", 1)[1])).result
    assert record is not None
    catalogues = load_catalogues()
    own = {FORM["name"]}
    for locale in ("vi", "zh"):
        missing = set()

        def translate(message: str, locale: str = locale, missing: set[str] = missing) -> str:
            found = str(catalogues[locale].gettext(message))
            if found == message and message not in own | {"km"}:
                missing.add(message)
            return found

        scenario_report(runtime.corridor, record, locale=locale, translate=translate)
        assert missing == set()


def test_a_run_is_cancelled(planner: TestClient) -> None:
    address = queue(planner)
    assert planner.post(f"{address}/cancel", follow_redirects=False).status_code == 303
    assert 'data-status="cancelled"' in planner.get(address).text
    assert planner.post(f"{address}/cancel").status_code == 409


def test_a_base_that_begins_now_begins_with_the_queue_that_everybody_sees(
    planner: TestClient, runtime: Runtime
) -> None:
    runtime.settings.forecast_runs = 24
    put_trucks(runtime, list(np.arange(1.2, 6.0, 0.03)), speed_mps=0.8)
    put_trucks(runtime, list(np.linspace(10, 60, 30)), first=1000)
    assert Minute.of(runtime).run().failed == []
    live = planner.get("/api/v1/forecasts/latest?gate=huu-nghi").json()
    measured = live["now"]["queue_veh"]
    assert measured > 100
    page = planner.get("/planner?start=now").text.split('id="study"', 1)[1].partition("</form>")[0]
    assert f"{measured:.0f} xe trong hàng chờ" in page
    fields = {name: value_of(page, name) or "" for name in re.findall(r'<input[^>]*name="([^"]+)"', page)}
    assert "world.gates.huu-nghi.standing_veh" not in fields
    changes = {"runs": "12", "seed": "5", "horizon_h": "2", "change.demand.0.factor": "1"}
    answer = planner.post("/planner", data=fields | changes, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    runtime.clock.advance(3600)  # type: ignore[attr-defined]  # what it begins with was taken when it was asked for
    run_id = uuid.UUID(answer.headers["location"].rsplit("/", 1)[1])
    with runtime.sessions() as session:
        assert routing_store.claim_scenario_run(session, now=runtime.clock.now()) is not None
        session.commit()
    scenario_child.work(runtime, run_id)
    run = planner.get(f"/api/v1/scenarios/{run_id}").json()
    assert (run["status"], run["scenario"]["start"]) == ("done", "10:00"), run["error"]
    assert run["scenario"]["world"] == {"begins": "now"}
    series = run["result"]["gates"]["huu-nghi"]["queue_veh"]
    assert series["base"] == series["variant"], "nothing is changed"
    low, middle, high = (quantile[0] for quantile in series["base"])
    assert middle == measured
    assert 0 <= measured - low <= 0.05 * measured, "who joined and left since the positions came"
    assert 0 <= high - measured <= 0.05 * measured
    for step in (3, 6, 12):
        assert series["base"][1][step] == pytest.approx(live["queue_veh"][1][step], abs=0.1 * measured)


def test_a_base_that_begins_now_takes_no_demand_of_its_own(planner: TestClient) -> None:
    scenario = {"name": "x", "world": {"begins": "now", "gates": {"huu-nghi": {"standing_veh": 600}}}}
    answer = planner.post("/api/v1/scenarios", json={"scenario": scenario})
    assert answer.status_code == 422
    assert planner.post("/api/v1/scenarios", json={"scenario": {"name": "x", "world": {}}}).status_code == 422


OTHERS = ("traffic_police", "driver", "enterprise", "yard_operator", "administrator")


@pytest.mark.parametrize("role", OTHERS)
def test_other_roles_stay_out(sign_in: SignIn, planner: TestClient, role: str) -> None:
    run = queue(planner)
    other = sign_in(role)
    assert planner.get(f"{run}/sumo.zip").status_code == 409  # not done yet
    for path in (
        "/planner",
        "/planner/runs",
        "/planner/library/december-2021",
        run,
        *(f"{run}/{name}" for name in FILES),
        "/planner/settings",
    ):
        assert other.get(path).status_code == 403, path
    for path in (
        "/planner",
        "/planner/library/december-2021",
        f"{run}/cancel",
        "/planner/settings/policy",
        "/planner/settings/yards/xuan-cuong",
    ):
        assert other.post(path, data=FORM).status_code == 403, path


def test_the_auditor_reads_studies_and_changes_nothing(sign_in: SignIn, planner: TestClient) -> None:
    run = queue(planner)
    auditor = sign_in("auditor")
    for path in ("/planner", "/planner/runs", run):
        assert auditor.get(path).status_code == 200, path
    for path in ("/planner", f"{run}/cancel", "/planner/settings/policy"):
        assert auditor.post(path, data=FORM).status_code == 403, path


def test_who_is_not_signed_in_is_sent_to_sign_in(client: TestClient) -> None:
    answer = client.get("/planner", headers=PAGES, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/planner")


GATE = "/planner/settings/gates/huu-nghi/export"


def test_a_gate_is_set_and_says_by_whom(planner: TestClient, runtime: Runtime) -> None:
    assert "giả định; chưa ai đặt" in planner.get("/planner/settings").text
    sent = {"version": "1", "lanes": "3", "open_from": "08:00", "service_mean_s": "150.5"}
    answer = planner.post(GATE, data=sent, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].endswith("#gate-huu-nghi-export")
    page = planner.get("/planner/settings?saved=gate-huu-nghi-export").text
    assert "do planner-1 đặt" in page
    with runtime.sessions() as session:
        stored = get_setting(session, "huu-nghi", "export", runtime.clock.now())
        actions = session.scalars(
            text("SELECT action FROM app.audit WHERE object_type = 'gate' ORDER BY audit_id")
        ).all()
    assert (stored.lanes, f"{stored.open_from:%H:%M}", stored.service_mean_s, stored.version) == (3, "08:00", 150.5, 2)
    assert actions == ["gate.setting"]


def test_who_edits_what_changed_since_sees_the_new_state(planner: TestClient) -> None:
    planner.post(GATE, data={"version": "1", "lanes": "3"})
    late = planner.post(GATE, data={"version": "1", "lanes": "7"})
    assert late.status_code == 412
    card = late.text.split('id="gate-huu-nghi-export"')[1].split("</form>")[0]
    assert "vừa được người khác sửa" in card
    assert (value_of(card, "lanes"), value_of(card, "version")) == ("3", "2")


@pytest.mark.parametrize(
    ("path", "sent", "message"),
    [
        (GATE, {"lanes": "0"}, "Hãy nhập từ 1 trở lên."),
        (GATE, {"open_from": "morning"}, "Hãy ghi giờ như 07:30."),
        ("/planner/settings/yards/xuan-cuong", {"capacity": "-5"}, "Hãy nhập từ 0 trở lên."),
        ("/planner/settings/policy", {"likely": "140"}, "Hãy nhập nhỏ hơn 100."),
        ("/planner/settings/policy", {"queue_notice_km": "50"}, "không được giảm dần"),
        ("/planner/settings/trip-expiry", {"after_h": "0"}, "Hãy nhập từ 1 trở lên."),
    ],
)
def test_settings_that_cannot_be_are_refused(
    planner: TestClient, path: str, sent: dict[str, str], message: str
) -> None:
    answer = planner.post(path, data={"version": "0" if path.endswith(("policy", "expiry")) else "1"} | sent)
    assert answer.status_code == 422
    assert message in answer.text


def test_yards_and_thresholds_are_set(planner: TestClient) -> None:
    capacity = {"version": "1", "capacity": "480"}
    assert planner.post("/planner/settings/yards/xuan-cuong", data=capacity).status_code == 200
    assert planner.get("/api/v1/yards/xuan-cuong").json()["capacity"] == 480
    sent = {"version": "0", "queue_notice_km": "2", "yard_warning_share": "85"}
    assert planner.post("/planner/settings/policy", data=sent).status_code == 200
    stored = planner.get("/api/v1/settings/policy").json()["value"]
    assert (stored["queue_notice_km"], stored["yard_warning_share"], stored["likely"]) == (2.0, 0.85, 0.5)
    assert planner.post("/planner/settings/policy", data=sent).status_code == 412
    assert planner.post("/planner/settings/trip-expiry", data={"version": "0", "after_h": "48"}).status_code == 200
    assert planner.get("/api/v1/settings/trip-expiry").json()["value"] == {"after_h": 48.0}


# A study of the library in one page


def test_december_2021_answers_in_one_page(planner: TestClient, runtime: Runtime) -> None:
    page = "/planner/library/december-2021"
    assert f'href="{page}"' in planner.get("/planner?start=december-2021").text
    assert "chưa được chạy" in planner.get(page).text
    for _ in range(2):  # a second click queues nothing more
        assert planner.post(page, follow_redirects=False).headers["location"] == page
    with runtime.sessions() as session:
        (row,) = routing_store.scenario_runs(session)
        row.inputs = {**row.inputs, "runs": 6}
        session.commit()
        address = f"/planner/runs/{row.run_id}"
    assert f'href="{address}"' in planner.get(page).text
    finish(runtime, address)

    html = planner.get(page).text
    headline = html[html.index('data-testid="headline"') :]
    assert "Giảm được nhiều nhất: Một nửa số xe ở lại và thông quan gấp đôi" in headline
    rows = re.findall(r'<th scope="row"><a [^>]+>([^<]+)</a>\s*<svg', html)
    assert len(rows) == 8
    assert rows[-1] == "Nửa số xe mới đi Tân Thanh sang Hữu Nghị"  # both gates are full
    assert html.count("chắc chắn: tốt hơn") == 7
    assert html.count("không khác<") == 1
    assert "1.263 xe chờ tại Hữu Nghị và 2.601 xe tại Tân Thanh" in html
    assert planner.get("/planner/library/moon").status_code == 404
    whole = planner.get(address).text
    assert whole[whole.index('data-testid="answers"') :].count('<svg class="pl-saving') == 8
    assert "Trong 8 phương án, tốt nhất là Một nửa số xe ở lại và thông quan gấp đôi: " in whole
    assert re.search(r'<h2 class="pl-heading" id="shown">.*Một nửa số xe ở lại và thông quan gấp đôi</h2>', whole)
    other = planner.get(f"{address}?variant=1").text
    assert "Cửa khẩu thông quan gấp đôi</h2>" in other
    drawn = [json.loads(html.split('id="result">')[1].split("</script>")[0])["gates"] for html in (whole, other)]
    assert drawn[0]["huu-nghi"]["queue_veh"]["base"] == drawn[1]["huu-nghi"]["queue_veh"]["base"]
    assert drawn[0]["huu-nghi"]["queue_veh"]["variant"] != drawn[1]["huu-nghi"]["queue_veh"]["variant"]
    assert planner.get(f"{address}?variant=8").status_code == 404


def test_a_study_with_variants_is_repeated_with_them(planner: TestClient) -> None:
    form = planner.get("/planner?start=december-2021").text
    variants = {name: value for name, value in sent_again(form).items() if name.startswith("variants.")}
    assert variants["variants.4.change.bans.0.goods"] == "perishable"
    sent = FORM | variants
    address = planner.post("/planner", data=sent, follow_redirects=False).headers["location"]
    scenario = planner.get("/api/v1/scenarios/" + address.rsplit("/", 1)[1]).json()["scenario"]
    assert [variant["name"] for variant in scenario["variants"]][:2] == [
        "Cửa khẩu thông quan gấp đôi",
        "Mở cửa đến 22 giờ",
    ]
    assert scenario["variants"][1]["change"]["gates"]["huu-nghi"]["closes"] == "22:00"
