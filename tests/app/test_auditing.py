"""The audit log in words: what is recorded has words in every language, and plate, code, person and act find it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from app.accounts.service import Account, describe
from app.auditing.changes import tell_changes
from app.auditing.field_names import NAMES
from app.auditing.vocabulary import OBJECTS, POLICIES, SUBJECTS, VERBS
from app.equipment.schemas import EquipmentOut
from app.fees.schemas import TariffOut
from app.fees.vocabulary import ReleaseKind, ReleaseStatus
from app.gates.placing import tell_site
from app.gates.priority import PriorityLanes
from app.gates.profile import DirectionProfile, GateProfile, Hours
from app.platform.permissions import PERMISSIONS, Role
from app.platform.runtime import Runtime
from app.platform.tables import AuditRow
from app.web.i18n import load_catalogues
from capacity.store import seed_yards
from geo.elements import Site
from tests.app.dispatching import add_organisation, trip_body
from tests.conftest import SignIn

APP = Path(__file__).parents[2] / "app"
VIETNAMESE = {"Accept-Language": "vi"}


def recorded() -> Iterator[tuple[str, str]]:
    """The names of acts written out where acts are recorded, and the types of their objects."""
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if called == "record" and len(texts) >= 2 and "." in texts[0]:
                yield texts[0], texts[1]
            elif called == "Policy" and len(texts) == 2:
                yield texts[1], "policy"
            elif called == "write_act" and texts:  # recorded by the sheet's service
                yield f"sheets.{texts[0]}", "trip"


def test_what_is_recorded_has_words() -> None:
    found = set(recorded())
    assert len(found) > 80
    assert {action for action, _ in found if action.partition(".")[0] not in SUBJECTS} == set()
    assert {action for action, _ in found if action.partition(".")[2] not in VERBS} == set()
    assert {kind for _, kind in found if kind not in OBJECTS} == set()


def test_policies_and_releases_have_words() -> None:
    policies = {
        node.args[0].value
        for path in APP.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Policy" and node.args
        if isinstance(node.args[0], ast.Constant)
    }
    assert policies == set(POLICIES)
    assert {f"{kind}.{status}" for kind in ReleaseKind for status in ReleaseStatus} <= set(VERBS)


def act(before: object, after: object) -> AuditRow:
    """A row of the log as `tell_changes` reads it."""
    return AuditRow(before=before, after=after)


NAMED: Mapping[str, Mapping[object, str]] = {
    "site_id": {"huu-nghi": "Hữu Nghị"},
    "organisation_id": {5: "Nông sản Lạng Sơn"},
    "account_id": {7: "lan"},
}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            {"exports": {"lanes": 3, "hours": {"intervals": "07:00–19:00"}}, "served_km": None},
            {"exports": {"lanes": 4, "hours": {"intervals": "07:00–19:00"}}, "served_km": 1.25},
            [("Xuất khẩu › Số làn", "3", "4"), ("Nơi làm thủ tục cho xe, km", "–", "1,25")],
        ),
        (
            {"lines": [{"net_weight_kg": 16750, "hazard_class": "3", "packages": "3"}], "hazards": ["1", "3"]},
            {"lines": [{"net_weight_kg": 16250, "hazard_class": "1", "packages": "2"}], "hazards": ["1"]},
            [
                ("Các dòng › 1. › Trọng lượng tịnh (kg)", "16.750", "16.250"),
                ("Các dòng › 1. › Loại hàng nguy hiểm", "Chất lỏng dễ cháy", "Chất nổ"),
                ("Các dòng › 1. › Số kiện", "3", "2"),
                ("Hàng nguy hiểm", "Chất nổ, Chất lỏng dễ cháy", "Chất nổ"),
            ],
        ),
        (
            None,
            {"name": {"vi": "Bãi mới"}, "gate_id": "huu-nghi", "note": "", "refrigerated": True},
            [("Tên › Tiếng Việt", "–", "Bãi mới"), ("Cửa khẩu", "–", "Hữu Nghị"), ("Có làm lạnh", "–", "Có")],
        ),
        (
            {"role": "customs", "organisation_id": 5, "created_by": 7, "regimes": ["export", "transit"]},
            {"role": "tax", "organisation_id": 6, "created_by": 7, "regimes": ["export"]},
            [
                ("Vai trò", "Hải quan", "Cơ quan thuế"),
                ("Tổ chức", "Nông sản Lạng Sơn", "6"),
                ("Loại hình", "Xuất khẩu, Quá cảnh", "Xuất khẩu"),
            ],
        ),
        (
            {"disabled_at": "2026-11-30T14:00:00+00:00", "amount_vnd": 1200000},
            None,
            [("Tắt lúc", "21:00:00 30/11/2026", "–"), ("Số tiền, đồng", "1.200.000", "–")],
        ),
        (
            {
                "question": {
                    "kind": "no_rate",
                    "message": "The tariff has no rate for this load ({facts}). Look it up in the decision and enter "
                    "the amount.",
                    "values": {"facts": "regime = export, refrigerated = True"},
                    "facts": [],
                    "rules": [],
                    "given": {"regime": "export", "refrigerated": True},
                }
            },
            {"question": None},
            [
                (
                    "Câu hỏi",
                    "Biểu phí không có mức cho chuyến này (Loại hình: Xuất khẩu; Có làm lạnh: Có). Hãy tra quyết định "
                    "và nhập số tiền.",
                    "–",
                )
            ],
        ),
        ({"exports.lanes": 3}, {"exports.lanes": 4}, [("Xuất khẩu › Số làn", "3", "4")]),
        ({"lanes": 3}, {"lanes": 3}, []),
    ],
)
def test_a_change_is_told_in_words(before: object, after: object, told: list[tuple[str, str, str]]) -> None:
    say = load_catalogues()["vi"].gettext
    found = [
        (change.where, change.before, change.after) for change in tell_changes(act(before, after), say, "vi", NAMED)
    ]
    assert found == told


def test_the_fields_that_administrators_change_have_names() -> None:
    fields = {
        *GateProfile.model_fields,
        *DirectionProfile.model_fields,
        *Hours.model_fields,
        *PriorityLanes.model_fields,
        *EquipmentOut.model_fields,
        *TariffOut.model_fields,
        *describe(Account()),
        *tell_site(Site("a", "yard", None, {}, "QL.1", 1.0, 0.0, 0.0, {}, "", {})),
    }
    assert fields - set(NAMES) == set()


@pytest.fixture
def trip(sign_in: SignIn, runtime: Runtime) -> dict[str, str]:
    """A trip that an enterprise has declared."""
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "Nông sản Lạng Sơn"))
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    found: dict[str, str] = enterprise.post("/api/v1/trips", json=body).json()
    return found


@pytest.mark.parametrize("wanted", ["29C-123.45", "29c12345", "123.45", "{code}", "chuyến tạo", "chuyen tao", "trip"])
def test_an_act_is_found_by_plate_code_and_words(sign_in: SignIn, trip: dict[str, str], wanted: str) -> None:
    page = sign_in("auditor").get("/audit", params={"q": wanted.format(**trip)}, headers=VIETNAMESE).text
    assert "Chuyến: tạo" in page
    assert f"Chuyến 29C-123.45 · {trip['code']}" in page


@pytest.mark.parametrize("wanted", ["29C-999.99", "biểu phí công bố"])
def test_what_nobody_did_is_not_found(sign_in: SignIn, trip: dict[str, str], wanted: str) -> None:
    assert trip["code"] not in sign_in("auditor").get("/audit", params={"q": wanted}, headers=VIETNAMESE).text


def test_a_person_is_found_by_the_full_name(sign_in: SignIn, trip: dict[str, str]) -> None:
    auditor = sign_in("auditor")
    rows = auditor.get("/api/v1/audit", params={"action": "trips.create"}).json()
    named = auditor.get("/api/v1/audit", params={"q": rows[0]["actor"], "action": "trips."}).json()
    assert [row["action"] for row in named] == ["trips.create"]


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_acts_have_words_in_every_language(language: str) -> None:
    catalogue = load_catalogues()[language]
    texts = {*SUBJECTS.values(), *VERBS.values(), *OBJECTS.values()} - {"Webhook", "Webhooks", "Container"}
    assert {text for text in texts if catalogue.gettext(text) == text} == set()


PAGES_OF_OTHERS = (
    *("/police", "/police/wall", "/planner", "/planner/settings", "/yard", "/support", "/enterprise", "/station"),
    *("/station/gates", "/station/closed", "/driver", "/claims", "/appeals"),
)
OWN = {"account.own", "session.own", "factors.own"}


def test_an_auditor_changes_nothing() -> None:
    """Every act of the role is one of reading, or about the own account."""
    acts = {act for act, roles in PERMISSIONS.items() if Role.AUDITOR in roles} - OWN
    changing = {act for act in acts if not act.startswith("pages.") and not act.partition(".")[2].startswith("read")}
    assert changing == set()


def test_an_auditor_reads_the_pages_of_others_without_what_acts(
    sign_in: SignIn, trip: dict[str, str], runtime: Runtime
) -> None:
    auditor = sign_in("auditor", locale="en")
    for path in (*PAGES_OF_OTHERS, f"/enterprise/trips/{trip['trip_id']}", "/declarations"):
        page = auditor.get(path, headers={"accept": "text/html"})
        assert page.status_code == 200, path
        assert "ck-reading" in page.text, path
    with runtime.sessions.begin() as session:
        seed_yards(session, runtime.corridor, now=runtime.clock.now())
    yards = re.findall(r'data-yard="([\w-]+)"', auditor.get("/yard").text)
    assert {"xuan-cuong", "bao-nguyen"} <= set(yards), "of every gate"
    assert all(auditor.get(f"/yard/{yard}/board").status_code == 200 for yard in yards)
    assert 'data-tab="composer"' not in auditor.get("/police").text
    found = auditor.get("/audit", params={"q": trip["code"]}, headers={"accept": "text/html"}).text
    assert f'href="/enterprise/trips/{trip["trip_id"]}"' in found


def test_what_is_measured_of_a_person_is_not_told_as_of_goods() -> None:
    say = load_catalogues()["vi"].gettext
    after = {"steps": {"health": "done"}, "data": {"temperature_c": "hmac:0123"}, "lines": [{"temperature_c": 5.0}]}
    told = tell_changes(act({"steps": {"health": "ready"}}, after), say, "vi", NAMED)
    assert {change.where: (change.before, change.after) for change in told} == {
        "Các bước › Kiểm tra y tế": ("Cần làm", "Xong"),
        "Dữ liệu › Thân nhiệt (°C)": ("–", "dữ liệu cá nhân, chỉ giữ dấu (0123)"),
        "Các dòng": ("–", "Nhiệt độ vận chuyển (°C): 5"),
    }
