"""A gate takes the regimes and classes of goods of its profile: what comes in by any door is held to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.gates import service as gates
from app.gates.profile import default_profiles
from app.gates.vocabulary import GoodsClass, Regime
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation, trip_body
from tests.app.test_declaration_import import IMPORTS, as_csv, rows
from tests.app.test_declaration_pages import HTML, as_form

Changes = dict[str, Any]
SignIn = Callable[..., TestClient]

REGIMES = ("export", "transit")
GOODS = ("fresh_fruit", "timber")
REGIME = "Tan Thanh border gate does not take the regime Border transfer, only Export, Transit; choose another gate."
CLASS = "Tan Thanh border gate does not take goods of the class Seafood, only Fresh fruit, Timber; choose another gate."
SEAFOOD = {"hs_code": "0306.17", "description": "Tôm đông lạnh", "goods_class": "seafood"}
TRANSFER = {"regime": "border_transfer", "direction": "export"}


@pytest.fixture
def arrival(runtime: Runtime) -> datetime:
    return runtime.clock.now() + timedelta(hours=5)


@pytest.fixture
def enterprise(runtime: Runtime, sign_in: SignIn, language: str) -> TestClient:
    """An enterprise where Tân Thanh takes two regimes and two classes of goods, and Hữu Nghị everything."""
    now = runtime.clock.now()
    with runtime.sessions() as session:
        procedures.add_shipped(session, now)
        gates.seed_profiles(session, runtime.corridor, now=now)
        values = default_profiles(runtime.corridor)["tan-thanh"].values()
        narrow = values.model_copy(update={"regimes": REGIMES, "goods": GOODS})
        assert gates.publish_simulated(session, "tan-thanh", narrow, now=now)
        session.commit()
    organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    return sign_in("enterprise", organisation_id=organisation_id, locale=language)


@pytest.fixture
def language() -> str:
    """The language of the account; tests that ask for others are parametrised with it."""
    return "en"


def count_trips(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        return int(session.execute(text("SELECT count(*) FROM app.trip")).scalar_one())


def errors_of(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["field"], error["detail"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        (TRANSFER, [("regime", REGIME)]),
        ({"goods_class": "seafood"}, [("goods_class", CLASS)]),
        ({**TRANSFER, "goods_class": "seafood"}, [("regime", REGIME), ("goods_class", CLASS)]),
    ],
)
def test_a_trip_is_entered_only_where_its_gate_takes_it(
    enterprise: TestClient, runtime: Runtime, arrival: datetime, changes: Changes, refused: list[tuple[str, str]]
) -> None:
    body = trip_body("29C-123.45", arrival, gate_id="tan-thanh", **changes)
    answer = enterprise.post("/api/v1/trips", json=body)
    assert errors_of(answer) == refused
    assert answer.json()["field"] == refused[0][0]
    assert count_trips(runtime) == 0
    taken = trip_body("29C-123.45", arrival, gate_id="tan-thanh", regime="transit", direction="export")
    assert enterprise.post("/api/v1/trips", json=taken).status_code == 201


@pytest.mark.parametrize(
    ("regime", "goods_class"),
    [*((regime, "general") for regime in Regime), *(("export", goods_class) for goods_class in GoodsClass)],
)
def test_a_gate_without_limits_takes_everything(
    enterprise: TestClient, arrival: datetime, regime: str, goods_class: str
) -> None:
    direction = Regime.get(regime).directions()[0]
    body = trip_body("29C-123.45", arrival, regime=regime, direction=direction, goods_class=goods_class)
    answer = enterprise.post("/api/v1/trips", json=body)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gate_id": "tan-thanh", **TRANSFER}, "regime"),
        ({"gate_id": "tan-thanh", "goods_class": "seafood"}, "goods_class"),
        ({"gate_id": "tan-thanh", "regime": "import", "direction": "import"}, "regime"),
    ],
)
def test_a_trip_is_not_amended_into_what_its_gate_does_not_take(
    enterprise: TestClient, arrival: datetime, changes: Changes, field: str
) -> None:
    made = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", arrival))
    where, match = f"/api/v1/trips/{made.json()['trip_id']}", {"If-Match": made.headers["ETag"]}
    assert [name for name, _ in errors_of(enterprise.patch(where, json=changes, headers=match))] == [field]
    moved = enterprise.patch(where, json={"gate_id": "tan-thanh", "goods_class": "timber"}, headers=match)
    assert moved.status_code == 200, moved.text


def test_a_trip_from_before_a_gate_was_limited_can_still_change_otherwise(
    enterprise: TestClient, runtime: Runtime, arrival: datetime
) -> None:
    made = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", arrival, goods_class="seafood"))
    with runtime.sessions() as session:
        values = default_profiles(runtime.corridor)["huu-nghi"].values()
        narrow = values.model_copy(update={"goods": GOODS})
        assert gates.publish_simulated(session, "huu-nghi", narrow, now=runtime.clock.now())
        session.commit()
    where, match = f"/api/v1/trips/{made.json()['trip_id']}", {"If-Match": made.headers["ETag"]}
    later = (arrival + timedelta(hours=1)).isoformat()
    answer = enterprise.patch(where, json={"planned_arrival": later}, headers=match)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("submit", [True, False])
def test_a_declaration_names_each_line_that_its_gate_does_not_take(
    enterprise: TestClient, runtime: Runtime, arrival: datetime, submit: bool
) -> None:
    lines = [
        declaration_line(),
        declaration_line(**SEAFOOD, quantity=800.0, gross_weight_kg=900.0, net_weight_kg=800.0),
    ]
    body = declaration_body(arrival, gate_id="tan-thanh", lines=lines, submit=submit, **TRANSFER)
    answer = enterprise.post("/api/v1/declarations", json=body)
    assert errors_of(answer) == [("regime", REGIME), ("lines.2.goods_class", CLASS)]
    assert count_trips(runtime) == 0
    assert enterprise.post("/api/v1/declarations", json={**body, "gate_id": "huu-nghi"}).status_code == 201


@pytest.mark.parametrize("submit", [True, False])
def test_a_draft_does_not_become_what_its_gate_does_not_take(
    enterprise: TestClient, arrival: datetime, submit: bool
) -> None:
    body = declaration_body(arrival, lines=[declaration_line(**SEAFOOD)])
    made = enterprise.post("/api/v1/declarations", json=body)
    where, match = f"/api/v1/declarations/{made.json()['trip_id']}", {"If-Match": made.headers["ETag"]}
    changed = {**body, "gate_id": "tan-thanh", "submit": submit}
    assert errors_of(enterprise.put(where, json=changed, headers=match)) == [("lines.1.goods_class", CLASS)]
    assert enterprise.put(where, json={**body, "submit": submit}, headers=match).status_code == 200


@pytest.mark.parametrize(
    ("language", "message"),
    [
        (
            "vi",
            "Cửa khẩu Tân Thanh không làm loại hình Chuyển khẩu, chỉ làm Xuất khẩu, Quá cảnh; hãy chọn cửa khẩu khác.",
        ),
        ("zh", "新清口岸不办理监管方式"),
        ("en", REGIME),
    ],
)
@pytest.mark.parametrize("act", ["submit", "draft"])
def test_the_form_says_it_in_the_language_of_its_reader(
    enterprise: TestClient, runtime: Runtime, arrival: datetime, message: str, act: str
) -> None:
    body = declaration_body(arrival, gate_id="tan-thanh", **TRANSFER)
    page = enterprise.post("/declarations/new", data=as_form(body, arrival, act), headers=HTML, follow_redirects=False)
    assert page.status_code == 422
    assert message in page.text
    assert 'value="29C-123.45"' in page.text
    assert count_trips(runtime) == 0


def test_a_file_names_the_rows_that_their_gate_does_not_take(
    enterprise: TestClient, runtime: Runtime, arrival: datetime
) -> None:
    table = rows(
        arrival.isoformat(),
        {"reference": "1", "gate_id": "tan-thanh", "plate": "29C-200.01", **TRANSFER},
        {"reference": "2", "gate_id": "Tân Thanh", "plate": "29C-200.02", "trailer_plate": "29R-200.02", **SEAFOOD},
        {"reference": "3", "gate_id": "huu-nghi", "plate": "29C-200.03", "trailer_plate": "29R-200.03", **TRANSFER},
        {"reference": "4", "gate_id": "tan-thanh", "plate": "29C-200.04", "trailer_plate": "29R-200.04"},
    )
    checked = enterprise.post(IMPORTS, files={"file": ("a.csv", as_csv(table), "text/csv")})
    assert checked.status_code == 201, checked.text
    found = [[(problem["field"], problem["detail"]) for problem in row["problems"]] for row in checked.json()["rows"]]
    assert found == [[("regime", REGIME)], [("lines.1.goods_class", CLASS)], [], []]
    apply = f"{IMPORTS}/{checked.json()['import_id']}/apply"
    assert enterprise.post(apply, json={"submit": True}).status_code == 422
    assert count_trips(runtime) == 0
    made = enterprise.post(apply, json={"numbers": [1, 2, 3, 4], "submit": True})
    assert [row["trip_id"] is not None for row in made.json()["rows"]] == [False, False, True, True]
    assert count_trips(runtime) == 2
