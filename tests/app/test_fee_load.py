"""What a fee is asked with: the class of goods from HS codes, and services that lower the fee once they are proven."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.fees import tariffs
from app.fees.assessment import Fee, assess
from app.fees.evidence import lowers_fee
from app.fees.load import KnownLoad
from app.fees.tariff import Load
from app.fees.tariff_definition import read_tariff
from app.gates.vocabulary import GoodsClass
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from app.trips.hs_classes import classes_of, classify, suggest_class
from capacity import store as yards
from capacity.ledger import LedgerTruck, Movement
from geo.corridor import Corridor
from tests.app.collecting import Counter, goods, open_counter
from tests.app.equipping import bearer, set_up

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


# The rule


@pytest.mark.parametrize(
    ("hs_code", "declared", "holds", "is_contradicted"),
    [
        ("0810.90", "fresh_fruit", "fresh_fruit", False),
        ("0810.90", "textiles", "fresh_fruit", True),
        ("0810.90.92.00", "", "fresh_fruit", False),
        ("0803.90", "dry_food", "dry_food", False),
        ("0803.90", "ore", "", True),
        ("2601", "general", "ore", True),
        ("2601.11", "empty", "ore", True),
        ("9999", "machinery", "machinery", False),
        ("", "empty", "empty", False),
        ("", "", "", False),
        ("0803", "no such class", "", False),
        ("6109.10", "fresh_fruit", "textiles", True),
    ],
)
def test_the_hs_code_decides_and_the_word_only_where_it_is_open(
    hs_code: str, declared: str, holds: str, is_contradicted: bool
) -> None:
    known = classify(hs_code, declared)
    assert (known.goods_class, known.is_contradicted) == (holds, is_contradicted)


def test_every_chapter_has_a_class_and_the_longest_prefix_holds() -> None:
    for chapter in range(1, 98):
        if chapter != 77:
            assert set(classes_of(f"{chapter:02}01")) <= set(GoodsClass)
            assert suggest_class(f"{chapter:02}") in set(GoodsClass)
    assert classes_of("08") == classes_of("0803") == ("fresh_fruit", "dry_food")
    assert classes_of("080620") == ("dry_food",)
    assert classes_of("77") == classes_of("00") == classes_of("8") == ()


# On a trip


def test_the_fee_follows_the_hs_code_and_the_collector_sees_the_difference(counter: Counter) -> None:
    trip_id = counter.declare(lines=[goods(goods_class="textiles")])
    fee = counter.fee(trip_id)
    assert (fee["status"], fee["amount_vnd"]) == ("due", 100_000)  # fresh fruit, whatever the declarant says
    assert fee["load"]["parts"] == [{"goods_class": "fresh_fruit"}]
    (note,) = fee["load"]["goods"]
    assert (note["line"], note["declared"], note["by_hs"], note["goods_class"]) == (
        1,
        "textiles",
        ["fresh_fruit"],
        "fresh_fruit",
    )
    shown = counter.cashier.get(f"/fees/{fee['fee_id']}").text
    assert "Phí tính theo mã HS." in shown
    assert "goods-note" not in counter.enterprise.get(f"/fees/{fee['fee_id']}").text


def test_a_cheap_word_does_not_make_ore_cheap(counter: Counter) -> None:
    lines = [goods(hs_code="2601.11", goods_class="fresh_fruit", description="Quặng sắt")]
    fee = counter.fee(counter.declare(lines=lines))
    assert (fee["status"], fee["load"]["parts"]) == ("open_question", [{"goods_class": "ore"}])


def test_where_the_code_is_open_the_word_holds_and_a_word_it_rules_out_is_asked(counter: Counter) -> None:
    bananas = counter.fee(counter.declare(lines=[goods(hs_code="0803.90", goods_class="fresh_fruit")]))
    assert (bananas["amount_vnd"], bananas["load"]["goods"][0]["by_hs"]) == (100_000, ["fresh_fruit", "dry_food"])
    lines = [goods(hs_code="0803.90", goods_class="electronics")]
    trip_id = counter.declare("29C-222.22", lines=lines)
    asked = counter.fee(trip_id)
    assert (asked["question"]["kind"], asked["question"]["facts"]) == ("missing_fact", ["goods_class"])
    assert counter.act(trip_id, "answers", facts={"goods_class": "jewels"}).status_code == 422
    answered = counter.act(trip_id, "answers", facts={"goods_class": "fresh_fruit"})
    assert (answered.status_code, answered.json()["amount_vnd"]) == (200, 100_000), answered.text


# Services that lower the fee


def definition(**changes: object) -> dict[str, object]:
    return dict(tariffs.shipped_definitions()[0] | changes)


def known_load(service: str, **facts: object) -> KnownLoad:
    given = {"regime": "export", "direction": "export", "payload_kg": 1500, "service": service, **facts}
    return KnownLoad(Load(given, ({"goods_class": "fresh_fruit"},)))  # type: ignore[arg-type]


def test_a_service_lowers_the_fee_by_a_share_or_by_a_rate_of_its_own() -> None:
    shipped = read_tariff(definition())
    assert [lowers_fee(shipped, known_load(name)) for name in ("standard", "inland_delivery", "wharf_only")] == [
        False,
        False,
        True,
    ]
    label = {"vi": "a", "en": "a", "zh": "a"}

    def with_rates(inland_vnd: int) -> bool:
        rates = [
            {"rate": name, "label": label, "amount_vnd": amount_vnd, "when": {"service": [name]}}
            for name, amount_vnd in (("standard", 200_000), ("inland_delivery", inland_vnd))
        ]
        return lowers_fee(read_tariff(definition(rates=rates, factors=[])), known_load("inland_delivery"))

    assert [with_rates(199_999), with_rates(200_000), with_rates(250_000)] == [True, False, False]


def test_the_ordinary_fee_holds_until_the_yard_saw_the_truck(counter: Counter, corridor: Corridor) -> None:
    trip_id = counter.declare(service="wharf_only")
    fee = counter.fee(trip_id)
    assert (fee["status"], fee["amount_vnd"], fee["load"]["facts"]["service"]) == ("due", 100_000, "standard")
    assert fee["load"]["proof"] == {"service": "wharf_only", "kind": "", "at": "", "place": ""}
    assert "service-unproven" in counter.cashier.get(f"/fees/{fee['fee_id']}").text
    assert counter.act(trip_id, "proof", reason="").status_code == 409
    now = counter.runtime.clock.now()
    with counter.runtime.sessions.begin() as session:
        yards.seed_yards(session, corridor, now=now)
        vehicle_id = counter.rows("SELECT vehicle_id FROM app.trip")[0][0]
        own = Movement(LedgerTruck(vehicle_id, "29C12345"), "enter", now, "gps", source_ref="a")
        earlier = Movement(LedgerTruck(None, "29C12345"), "enter", now - timedelta(days=2), "manual")
        other = Movement(LedgerTruck(None, "29C12346"), "enter", now, "camera", source_ref="b")
        elsewhere = Movement(LedgerTruck(None, "29C12345"), "enter", now, "camera", source_ref="c")
        here = [("xuan-cuong", movement) for movement in (own, earlier, other)]
        yards.record_movements(session, [*here, ("bao-nguyen", elsewhere)])
    assert (
        counter.act(trip_id, "proof", reason="").status_code == 409
    )  # its own GPS, an older trip, another truck, another gate
    with counter.runtime.sessions.begin() as session:
        seen = Movement(LedgerTruck(None, "29C12345"), "enter", now, "camera", source_ref="d")
        yards.record_movements(session, [("xuan-cuong", seen)])
    proven = counter.act(trip_id, "proof", reason="")
    assert proven.status_code == 200, proven.text
    assert (proven.json()["amount_vnd"], proven.json()["load"]["proof"]["kind"]) == (30_000, "movement")
    assert counter.act(trip_id, "proof", reason="").status_code == 409


def test_an_officers_act_proves_it_by_itself(counter: Counter) -> None:
    trip_id = counter.declare(service="wharf_only")
    for step in ("health", "barrier_1"):
        with counter.runtime.sessions.begin() as session:
            action = ActionContext(session, None, counter.runtime.clock.now())
            counter.sheets.confirm_step(action, trip_id, step, expected_version=None)
    assert counter.fee(trip_id)["amount_vnd"] == 100_000
    operator = counter.sign_in("yard_operator", gate_id="huu-nghi")
    version = operator.get(f"/api/v1/trips/{trip_id}/sheet").json()["version"]
    done = operator.post(f"/api/v1/trips/{trip_id}/steps/yard/confirm", json={}, headers={"If-Match": f'"{version}"'})
    assert done.status_code == 200, done.text
    fee = counter.fee(trip_id)
    assert (fee["amount_vnd"], fee["load"]["proof"]["kind"], fee["load"]["proof"]["place"]) == (30_000, "act", "yard")


@pytest.mark.parametrize(("role", "gate_id"), [("border_guard", "huu-nghi"), ("yard_operator", "tan-thanh")])
def test_no_other_officers_act_and_no_other_gates_proves_it(counter: Counter, role: str, gate_id: str) -> None:
    trip_id = counter.declare(service="wharf_only")
    for step in ("health", "barrier_1", "yard"):
        with counter.runtime.sessions.begin() as session:
            action = ActionContext(session, None, counter.runtime.clock.now())
            counter.sheets.confirm_step(action, trip_id, step, expected_version=None)
    counter.sign_in(role, gate_id=gate_id)
    with counter.runtime.sessions.begin() as session:
        officer = "SELECT account_id FROM app.account WHERE role = :role"
        done = f"UPDATE app.trip_step SET done_by = ({officer}) WHERE step = 'yard'"
        session.execute(text(done), {"role": role})
    refused = counter.act(trip_id, "proof", reason="")
    assert (refused.status_code, counter.fee(trip_id)["amount_vnd"]) == (409, 100_000)


def test_the_yard_of_another_trip_proves_nothing(counter: Counter) -> None:
    other = counter.declare("29C-222.22", service="wharf_only")
    trip_id = counter.declare(service="wharf_only")
    operator = counter.sign_in("yard_operator", gate_id="huu-nghi")
    for step in ("health", "barrier_1"):
        with counter.runtime.sessions.begin() as session:
            action = ActionContext(session, None, counter.runtime.clock.now())
            counter.sheets.confirm_step(action, other, step, expected_version=None)
    version = operator.get(f"/api/v1/trips/{other}/sheet").json()["version"]
    done = operator.post(f"/api/v1/trips/{other}/steps/yard/confirm", json={}, headers={"If-Match": f'"{version}"'})
    assert done.status_code == 200, done.text
    assert (counter.fee(other)["amount_vnd"], counter.fee(trip_id)["amount_vnd"]) == (30_000, 100_000)
    assert counter.act(trip_id, "proof", reason="").status_code == 409


@pytest.mark.parametrize(("yard_id", "source"), [("xuan-cuong", "act"), ("temporary-yard", "manual")])
def test_an_entry_that_is_no_use_of_the_yard_proves_nothing(
    counter: Counter, corridor: Corridor, yard_id: str, source: str
) -> None:
    trip_id = counter.declare(service="wharf_only")
    now = counter.runtime.clock.now()
    with counter.runtime.sessions.begin() as session:
        yards.seed_yards(session, corridor, now=now)
        if source == "manual":
            query = "SELECT yard_id FROM capacity.yard WHERE kind = 'temporary_yard' AND gate_id = 'huu-nghi'"
            yard_id = str(session.scalar(text(query)))
        seen = Movement(LedgerTruck(None, "29C12345"), "enter", now, source)
        yards.record_movements(session, [(yard_id, seen)])
    assert counter.act(trip_id, "proof", reason="").status_code == 409


def weigh(counter: Counter, gross_kg: int, tare_kg: int | None = 2000) -> None:
    """A scale of the gate weighs the truck of these tests."""
    scale = set_up(counter.sign_in("administrator"), "scale", site_id="huu-nghi")
    time = counter.runtime.clock.now().isoformat()
    weighing = {"ref": f"{gross_kg}", "plate": "29C-123.45", "gross_kg": gross_kg, "time": time}
    body = weighing if tare_kg is None else weighing | {"tare_kg": tare_kg}
    sent = TestClient(counter.cashier.app).post("/equipment/weighings", json=body, headers=bearer(scale))
    assert sent.status_code < 300, sent.text
    counter.runtime.clock.advance(60.0)  # type: ignore[attr-defined]


def test_a_weighing_at_the_gate_proves_it(counter: Counter) -> None:
    trip_id = counter.declare(service="wharf_only")
    weigh(counter, 3200, None)
    fee = counter.fee(trip_id)  # without anybody asking
    assert (fee["amount_vnd"], fee["load"]["proof"]["kind"]) == (30_000, "weighing")


# A tariff that goes by weight


@pytest.fixture
def by_weight(counter: Counter) -> Counter:
    """A tariff under which two tonnes of fresh goods and more cost thrice as much."""
    light = definition()["rates"][0]  # type: ignore[index]
    when = {"goods_class": ["fresh_fruit"], "regime": ["export"]}
    heavy = light | {"rate": "heavy", "amount_vnd": 300_000, "when": when | {"weight_kg": {"from": 2000}}}
    rules = definition(version=2, valid_from="2026-03-01", factors=[])
    rules["rates"] = [light | {"when": when | {"weight_kg": {"below": 2000}}}, heavy]
    admin = counter.sign_in("administrator")
    made = admin.post("/api/v1/tariffs", json={"rules": rules})
    assert made.status_code == 201, made.text
    published = admin.post(f"{made.headers['Location']}/publish", headers={"If-Match": made.headers["ETag"]})
    assert published.status_code == 200, published.text
    return counter


def test_a_weighing_assesses_the_fee_again(by_weight: Counter) -> None:
    trip_id = by_weight.declare()
    fee = by_weight.fee(trip_id)
    assert (fee["amount_vnd"], fee["load"]["facts"]["weight_kg"]) == (100_000, 1300)
    weigh(by_weight, 3350)
    assert by_weight.fee(trip_id)["amount_vnd"] == 100_000, "within the tolerance the declaration holds"
    weigh(by_weight, 4500)
    fee = by_weight.fee(trip_id)
    assert (fee["status"], fee["amount_vnd"], fee["load"]["facts"]["weight_kg"]) == ("due", 300_000, 2500)
    weigh(by_weight, 9000, None)
    assert by_weight.fee(trip_id)["amount_vnd"] == 100_000, "what cannot be compared says nothing of the goods"
    weigh(by_weight, 4600)
    weigh(by_weight, 3310)
    assert by_weight.fee(trip_id)["amount_vnd"] == 100_000, "the last one counts"


def test_after_payment_the_collector_sees_what_the_scale_changes(by_weight: Counter) -> None:
    trip_id = by_weight.declare()
    by_weight.pay(100_000, by_weight.fee(trip_id)["reference"])
    paid = by_weight.act(trip_id, "confirm")
    assert (paid.status_code, paid.json()["status"]) == (200, "paid"), paid.text
    weigh(by_weight, 3310)
    assert by_weight.fee(trip_id)["status"] == "paid"
    weigh(by_weight, 4500)
    fee = by_weight.fee(trip_id)
    assert (fee["status"], fee["question"]["values"]) == (
        "open_question",
        {"before": "100.000", "after": "300.000", "weight": "2.500"},
    )
    assert "2.500 kg" in by_weight.cashier.get(f"/fees/{fee['fee_id']}").text
    decided = by_weight.act(trip_id, "decision", amount_vnd=300_000, reason="Theo phiếu cân")
    assert (decided.status_code, decided.json()["outstanding_vnd"]) == (200, 200_000), decided.text


def test_a_tariff_that_does_not_go_by_weight_is_left_alone(counter: Counter) -> None:
    trip_id = counter.declare()
    before = counter.fee(trip_id)
    weigh(counter, 9000)
    assert counter.fee(trip_id) == before


def test_a_collector_vouches_with_a_reason_and_not_after_the_money_came(counter: Counter) -> None:
    trip_id = counter.declare(service="wharf_only")
    vouched = counter.act(trip_id, "proof", reason="Thấy xe dỡ hàng ở bến")
    assert (vouched.status_code, vouched.json()["amount_vnd"]) == (200, 30_000), vouched.text
    (line,) = counter.rows("SELECT actor_id, after FROM app.audit WHERE action = 'fees.prove'")
    assert line.after["reason"] == "Thấy xe dỡ hàng ở bến"
    late = counter.declare("29C-222.22", service="wharf_only")
    counter.pay(40_000, counter.fee(late)["reference"])
    assert counter.act(late, "proof", reason="Thấy xe dỡ hàng ở bến").status_code == 409
    assert counter.fee(late)["amount_vnd"] == 100_000


def test_a_service_that_raises_the_fee_needs_no_proof(counter: Counter) -> None:
    fee = counter.fee(counter.declare(service="inland_delivery"))
    assert (fee["amount_vnd"], "proof" in fee["load"]) == (130_000, False)


def test_an_ordinary_load_without_a_rate_stays_a_question() -> None:
    tariff = read_tariff(definition())
    ordinary = known_load("wharf_only", payload_kg=9000).with_ordinary_service()
    assert not isinstance(assess(tariff, ordinary.load), Fee)
