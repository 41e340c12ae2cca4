"""An administrator sets how long data are kept: never less than a law wants, and asked first where data would go."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.attachments import service as attachments
from app.attachments.tables import AttachmentRow
from app.control import minute
from app.forecasting import skill_scoring
from app.integrations import service as integrations
from app.notifications import service as notifications
from app.platform import idempotency
from app.platform.runtime import Runtime
from app.privacy import ages, service
from app.privacy.ages import MAX_DAYS, ages_in_force
from app.privacy.retention import ACCOUNTING_DAYS, CUSTOMS_DAYS, by_subject, rules
from app.privacy.vocabulary import RetentionBasis
from app.reporting import statistics
from app.tracking import commands, signals
from app.trips import progress
from app.web.i18n import format_number
from capacity import store as capacity_store
from tests.app.test_retention import PERSON, fill, insert_trip
from tests.conftest import NOW, SignIn

PAGE, DAYS = "/admin/privacy", "/api/v1/privacy/retention/days"


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BUDGET_S", 60.0)


@pytest.fixture
def events(runtime: Runtime) -> Runtime:
    """Events of two vehicles at a site 100 days ago, and one of today; a hold on the first's trip keeps its own."""
    with runtime.sessions.begin() as session:
        fill(session)
        insert_trip(session, 2, days_ago=10)  # of vehicle 1
        insert_trip(session, 3, days_ago=10)  # of vehicle 2
        add = text(
            "INSERT INTO ingest.site_event (vehicle_id, site_id, kind, time, source) "
            "VALUES (:vehicle, 's', 'enter', :at, 'gps')"
        )
        old = NOW - timedelta(days=100)
        session.execute(add, [{"vehicle": 1, "at": old}, {"vehicle": 2, "at": old}, {"vehicle": 2, "at": NOW}])
        session.execute(
            text(
                "INSERT INTO app.legal_hold (subject, subject_id, reason, placed_by, placed_at, until) "
                "VALUES ('trip', 2, 'accident', :by, :now, :until)"
            ),
            {"by": PERSON, "now": NOW, "until": NOW + timedelta(days=1)},
        )
    return runtime


def ask(client: TestClient, table: str, days: int, version: int = 0, **more: str) -> tuple[int, str]:
    form = {"table": table, "days": str(days), "version": str(version)} | more
    answer = client.post(f"{PAGE}/retention", data=form, headers={"accept": "text/html"}, follow_redirects=False)
    return answer.status_code, answer.text


def days_now(client: TestClient) -> dict[str, int | None]:
    return {rule["table"]: rule["days"] for rule in client.get("/api/v1/privacy/retention").json()}


def seen(runtime: Runtime) -> list[int]:
    """The vehicles of the events at sites that are left, after upkeep."""
    with runtime.sessions.begin() as session:
        service.enforce_retention(session, NOW)
        return list(session.scalars(text("SELECT vehicle_id FROM ingest.site_event ORDER BY vehicle_id, time")))


def test_fewer_days_are_asked_about_and_delete_what_no_hold_keeps(sign_in: SignIn, events: Runtime) -> None:
    administrator = sign_in("administrator")
    status, page = ask(administrator, "ingest.site_event", 90)
    assert status == 200
    counts = dict(re.findall(r'<td>([^<]+)</td><td class="ck-num">([^<]+)</td>', page))
    assert counts == {"Lượt xe đến và rời các điểm": "1", "Biển số do camera đọc": "0"}
    assert days_now(administrator)["ingest.site_event"] == 180, "nothing is set before the answer"
    assert seen(events) == [1, 2, 2]
    assert ask(administrator, "ingest.site_event", 90, confirmed="true")[0] == 303
    found = days_now(administrator)
    assert (found["ingest.site_event"], found["app.plate_read"], found["app.undeclared_sighting"]) == (90, 90, 180)
    assert seen(events) == [1, 2], "what is held, and what is of today"


def test_days_that_an_earlier_version_set_are_in_nobodys_way(sign_in: SignIn, runtime: Runtime) -> None:
    """A table that is gone, and one for which a law has come to want more."""
    with runtime.sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO app.policy (key, value, version, updated_at) "
                """VALUES ('retention', '{"keep_days": {"app.gone": 5, "app.trip": 5}}', 1, :now)"""
            ),
            {"now": NOW},
        )
    administrator = sign_in("administrator")
    assert days_now(administrator)["app.trip"] == CUSTOMS_DAYS
    assert ask(administrator, "app.plate_read", 200, 1)[0] == 303
    found = administrator.get(DAYS).json()["value"]["keep_days"]
    assert found.keys() == {"app.trip", "app.plate_read", "ingest.site_event"}
    assert found["app.trip"] == CUSTOMS_DAYS


def test_where_very_much_would_go_it_says_more_than(
    sign_in: SignIn, events: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ages.COUNTED == 1000
    monkeypatch.setattr(ages, "COUNTED", 0)
    monkeypatch.setattr("app.privacy.pages.COUNTED", 0)
    assert "hơn 0" in ask(sign_in("administrator"), "ingest.site_event", 90)[1]


def test_more_days_need_no_question_and_terms_stay_apart(sign_in: SignIn, runtime: Runtime) -> None:
    administrator = sign_in("administrator")
    assert ask(administrator, "ingest.faked_fix", 180)[0] == 303
    assert days_now(administrator)["ingest.faked_fix"] == 180
    assert ask(administrator, "ingest.site_event", 200, 1)[0] == 303
    found = days_now(administrator)
    assert (found["ingest.faked_fix"], found["ingest.site_event"], found["app.plate_read"]) == (180, 200, 200)


def test_what_a_law_wants_kept_is_refused_with_its_least(sign_in: SignIn) -> None:
    administrator = sign_in("administrator")
    status, page = ask(administrator, "app.bank_transfer", 30, confirmed="true")
    assert status == 422
    assert (
        f"Quá ít ngày: 30. Luật yêu cầu lưu dữ liệu này từ {format_number(ACCOUNTING_DAYS, 'vi')} ngày trở lên." in page
    )
    assert 'value="30"' in page, "what was written stays"
    refused = administrator.put(DAYS, json={"keep_days": {"app.trip": 365}}, headers={"If-Match": '"0"'})
    assert refused.status_code == 422
    assert refused.json()["field"] == "keep_days.app.trip"
    assert format_number(CUSTOMS_DAYS, "vi") in refused.json()["detail"]
    for table, days in (("app.plate_read", 0), ("app.plate_read", MAX_DAYS + 1), ("ingest.fix", 5), ("app.no", 5)):
        answer = administrator.put(DAYS, json={"keep_days": {table: days}}, headers={"If-Match": '"0"'})
        assert answer.status_code == 422, table
    assert ask(administrator, "ingest.fix", 5)[0] == 404
    assert ask(administrator, "app.plate_read", 10**30)[0] == 422
    assert days_now(administrator) == {rule.table: rule.days for rule in rules()}


def test_who_may_only_read_sees_no_form(sign_in: SignIn) -> None:
    auditor, form = sign_in("auditor"), 'action="/admin/privacy/retention'
    assert form in sign_in("administrator").get(PAGE).text
    page = auditor.get(PAGE).text
    assert "Biển số do camera đọc" in page
    assert form not in page
    assert auditor.get(DAYS).json()["version"] == 0
    assert ask(auditor, "app.plate_read", 200)[0] == 403
    assert auditor.put(DAYS, json={"keep_days": {}}, headers={"If-Match": '"0"'}).status_code == 403


def test_two_administrators_do_not_overwrite_each_other(sign_in: SignIn) -> None:
    first, second = sign_in("administrator"), sign_in("administrator")
    assert ask(first, "app.plate_read", 200)[0] == 303
    status, page = ask(second, "app.session", 60)
    assert status == 412
    assert 'id="retention-problem"' in page
    assert 'name="version" value="1"' in page, "the new state is shown"
    assert ask(second, "app.session", 10)[0] == 412, "before it is asked about"
    stale = second.put(DAYS, json={"keep_days": {"app.session": 60}}, headers={"If-Match": '"0"'})
    assert stale.status_code == 412
    put = second.put(DAYS, json={"keep_days": {"app.session": 60}}, headers={"If-Match": '"1"'})
    assert (put.status_code, put.headers["ETag"]) == (200, '"2"')
    found = days_now(first)
    assert (found["app.session"], found["app.plate_read"]) == (60, 180), "the whole of it was replaced"


def test_what_people_set_goes_over_the_setting(sign_in: SignIn, runtime: Runtime) -> None:
    administrator = sign_in("administrator")
    setting = {"app.plate_read": 40, "app.alarm": 50, "ingest.site_event": 40}
    administrator.put(DAYS, json={"keep_days": {"app.plate_read": 30}}, headers={"If-Match": '"0"'})
    with runtime.sessions() as session:
        days = ages_in_force(session, setting).days()
    assert (days["app.plate_read"], days["ingest.site_event"], days["app.alarm"]) == (30, 40, 50)


def test_the_audit_log_tells_it_in_words(sign_in: SignIn) -> None:
    administrator = sign_in("administrator")
    ask(administrator, "app.plate_read", 200)
    page = sign_in("auditor").get("/audit").text
    assert "Dữ liệu cá nhân: đổi thời hạn lưu" in page
    assert "Số ngày lưu › Biển số do camera đọc" in page
    assert "app.plate_read" not in page


def test_what_can_be_set_has_a_name_of_its_own() -> None:
    assert [rule.table for rule in rules() if not rule.called] == []
    names = [rule.called for rule in rules() if rule.has_days_to_set]
    assert len(names) == len(set(names)) > 40
    terms = [term for kept in by_subject(rules()) for term in kept.terms]
    assert sorted(rule.table for term in terms for rule in term.rules) == sorted(rule.table for rule in rules())


def test_every_line_of_the_page_says_of_what_it_is() -> None:
    assert [term for kept in by_subject(rules()) for term in kept.terms if not all(term.called)] == []


def test_the_days_that_features_keep_are_those_that_are_told() -> None:
    told = {rule.table: timedelta(days=rule.days or 0) for rule in rules() if rule.basis is RetentionBasis.FEATURE}
    kept = {
        "app.trip_sight": progress.KEEP_SIGHTS,
        "app.device_event": signals.KEPT,
        "app.device_command": commands.KEPT,
        "capacity.presence": capacity_store.KEEP_STAYS,
        "capacity.plan": capacity_store.KEEP_PLANS,
        "app.stay": statistics.KEPT,
        "app.notification": notifications.KEPT,
        "routing.forecast": minute.KEEP_FORECASTS,
        "app.forecast_skill": skill_scoring.KEEP_SCORES,
        "app.neighbour_outbox": integrations.KEEP,
        "app.neighbour_inbox": integrations.KEEP,
        "app.idempotency": idempotency.KEPT,
    }
    assert {table: told[table] for table in kept} == kept
    assert timedelta(0) <= told["app.forecast_check"] - skill_scoring.KEEP_CHECKS < timedelta(days=1)
    assert told["app.attachment"].days == attachments.AttachmentPolicy().kept_days


def test_positions_are_told_as_the_installation_keeps_them(sign_in: SignIn, runtime: Runtime) -> None:
    runtime.settings.fix_retention_days = 45
    administrator = sign_in("administrator")
    found = days_now(administrator)
    assert {found[table] for table in ("ingest.fix", "ingest.last_position", "ingest.device_trait")} == {45}
    assert found["app.trip_sight"] == 30
    assert "CUAKHAU_FIX_RETENTION_DAYS" in administrator.get(PAGE).text
    assert "thời gian chờ: 45 ngày." in administrator.get("/privacy").text


def test_files_are_kept_as_the_page_says_and_as_long_as_a_hold_wants(sign_in: SignIn, events: Runtime) -> None:
    with events.sessions.begin() as session:
        for trip_id in (2, 3):
            about = {"kind": "photo", "name": "a", "media_type": "image/png", "size_bytes": 1, "content": b"a"}
            by = {"uploaded_at": NOW, "uploaded_by": PERSON, "uploaded_role": "driver"}
            session.add(AttachmentRow(trip_id=trip_id, sha256=bytes([trip_id]) * 32, **about, **by))
    administrator = sign_in("administrator")
    status, page = ask(administrator, "app.attachment", 9)
    assert status == 200
    assert dict(re.findall(r'<td>([^<]+)</td><td class="ck-num">([^<]+)</td>', page)) == {"Tệp đính kèm": "1"}
    assert ask(administrator, "app.attachment", 9, confirmed="true")[0] == 303
    assert days_now(administrator)["app.attachment"] == 9
    with events.sessions.begin() as session:
        assert attachments.forget(session, NOW, service.held_trips(session, NOW)) == 1
        left = session.scalars(text("SELECT trip_id FROM app.attachment WHERE removed_at IS NULL")).all()
    assert left == [2], "a hold keeps the files of its trip"
