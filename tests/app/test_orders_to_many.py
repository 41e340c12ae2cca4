"""Orders to many trucks take two persons, are told in groups and stop at one press; a recall is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.dispatch import orders
from app.dispatch.order_policy import OrderPolicy
from app.platform import policy_store
from app.platform.runtime import Runtime
from app.trips.places import Places
from tests.app.dispatching import Stage, put_truck, set_stage
from tests.app.test_orders import events, own

SignIn = Callable[..., TestClient]


@dataclass
class Many:
    """A stage with four trucks on the road, the nearest first, their drivers, and two officers; one alone may call two,
    which are a group too."""

    stage: Stage
    vehicles: list[int]
    drivers: list[TestClient]
    second: TestClient

    def body(self, **changes: Any) -> dict[str, Any]:
        """An order to all trucks to go on."""
        order = {"kind": "proceed", "parameters": {}, "selection": {"vehicle_ids": self.vehicles}}
        return self.stage.order(**{**order, **changes})

    def propose(self, **changes: Any) -> dict[str, Any]:
        """Propose an order; its answer."""
        answer = self.stage.police.post("/api/v1/orders", json=self.body(**changes))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def act(self, client: TestClient, order: dict[str, Any], act: str) -> Any:
        """Approve or cancel an order as it was answered."""
        address, version = f"/api/v1/orders/{order['order_id']}/{act}", f'"{order["version"]}"'
        return client.post(address, headers={"If-Match": version})

    def tick(self, after_s: float = 0.0) -> int:
        """Let time pass, then what control does; how many trucks were told."""
        self.stage.runtime.clock.advance(after_s)  # type: ignore[attr-defined]
        now, places = self.stage.runtime.clock.now(), Places.of(self.stage.runtime.corridor)
        with self.stage.runtime.sessions() as session:
            told = orders.tell_groups(session, now)
            orders.expire_orders(session, now, places=places)
            session.commit()
        return told

    def told(self) -> list[bool]:
        """Of each driver, whether an order is shown to them."""
        return [bool(own(driver)) for driver in self.drivers]


@pytest.fixture
def many(runtime: Runtime, sign_in: SignIn) -> Many:
    stage = set_stage(runtime, sign_in)
    vehicles, drivers = [stage.vehicle_id], [stage.driver]
    with runtime.sessions() as session:
        now = runtime.clock.now()
        for i in range(3):
            vehicles.append(put_truck(session, runtime.corridor, f"29C-200.0{i}", time=now, km=31.0 + i))
        policy = OrderPolicy(max_alone_veh=2, group_veh=2, group_every_s=600).model_dump()
        policy_store.save_value(session, "orders", policy, 0, by=stage.police.account_id, now=now)  # type: ignore[attr-defined]
        session.commit()
    drivers += [sign_in("driver", vehicle_id=vehicle_id) for vehicle_id in vehicles[1:]]
    return Many(stage, vehicles, drivers, sign_in("traffic_police"))


def test_few_trucks_are_ordered_by_one_person(many: Many) -> None:
    order = many.propose(selection={"vehicle_ids": many.vehicles[:2]})
    assert order["status"] == "active"
    assert many.told() == [True, True, False, False]


def test_the_composer_is_told_before(many: Many) -> None:
    preview = many.stage.police.post("/api/v1/orders/preview", json=many.body()).json()
    assert (preview["needs_second"], preview["groups"], preview["group_veh"]) == (True, 2, 2)
    hold = many.body(kind="hold", parameters={"site_id": "staging-lang-son"})
    preview = many.stage.police.post("/api/v1/orders/preview", json=hold).json()
    assert (preview["needs_second"], preview["groups"]) == (True, 1), "who stays is told at once"
    few = many.body(selection={"vehicle_ids": many.vehicles[:2]})
    assert not many.stage.police.post("/api/v1/orders/preview", json=few).json()["needs_second"]


def test_many_wait_for_a_second_person_and_are_told_in_groups(many: Many) -> None:
    order = many.propose()
    assert (order["status"], order["counts"]["waiting"]) == ("proposed", 4)
    assert many.told() == [False] * 4
    assert many.stage.driver.post(f"/api/v1/orders/{order['order_id']}/acknowledge").status_code == 404
    assert own(many.stage.enterprise) == []
    assert many.act(many.stage.police, order, "approve").status_code == 403, "the same person"
    approved = many.act(many.second, order, "approve")
    assert approved.status_code == 200, approved.text
    assert (approved.json()["status"], approved.json()["approved_by"]) == ("active", "traffic_police-7")
    assert many.told() == [True, True, False, False]
    assert many.tick(300) == 0
    assert many.tick(300) == 2
    assert many.told() == [True] * 4
    assert many.act(many.second, approved.json(), "approve").status_code == 409
    with many.stage.runtime.sessions() as session:
        actions = session.execute(text("SELECT action FROM app.audit WHERE object_type = 'order' ORDER BY audit_id"))
        assert list(actions.scalars()) == ["orders.propose", "orders.approve"]


def test_two_accounts_of_one_person_are_not_two(many: Many, runtime: Runtime) -> None:
    order = many.propose()
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE app.account SET person_id = :first WHERE account_id = :second"),
            {"first": many.stage.police.account_id, "second": many.second.account_id},  # type: ignore[attr-defined]
        )
        session.commit()
    assert many.act(many.second, order, "approve").status_code == 403


def test_one_press_stops_a_release(many: Many) -> None:
    order = many.propose()
    order = many.act(many.second, order, "approve").json()
    assert many.told() == [True, True, False, False]
    many.stage.driver.post(f"/api/v1/orders/{order['order_id']}/acknowledge")
    order = many.stage.police.get(f"/api/v1/orders/{order['order_id']}").json()
    stopped = many.act(many.stage.police, order, "cancel")
    assert stopped.status_code == 200, stopped.text
    assert many.tick(3600) == 0
    assert many.told() == [False] * 4
    assert stopped.json()["recall"] == {"reached": 2, "confirmed": 1, "read": 0}
    told = [driver.get("/api/v1/orders/recalls").json()["items"] for driver in many.drivers]
    assert [len(items) for items in told] == [1, 1, 0, 0], "who was never told is not called back"
    assert [items[0]["had_confirmed"] for items in told[:2]] == [True, False]


def test_a_recall_is_read(many: Many) -> None:
    order_id = many.stage.issue()
    own(many.stage.driver)
    many.stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    order = many.stage.police.get(f"/api/v1/orders/{order_id}").json()
    address = f"/api/v1/orders/{order_id}/recall-read"
    assert many.stage.driver.post(address).status_code == 409, "it stands"
    assert many.act(many.stage.police, order, "cancel").status_code == 200
    (recall,) = many.stage.driver.get("/api/v1/orders/recalls").json()["items"]
    assert recall["order_text"]["vi"].startswith("Dừng chờ tại")
    assert many.drivers[1].post(address).status_code == 404
    for _ in range(2):
        answer = many.stage.driver.post(address)
        assert answer.status_code == 200, answer.text
    assert many.stage.driver.get("/api/v1/orders/recalls").json()["items"] == []
    found = many.stage.police.get(f"/api/v1/orders/{order_id}").json()
    assert found["recall"] == {"reached": 1, "confirmed": 1, "read": 1}
    assert found["recipients"][0]["recall_read_at"] is not None
    assert [event["status"] for event in events(many.stage.runtime, "order_response")][-1] == "recall_read"


def test_a_proposal_that_nobody_releases_is_over(many: Many) -> None:
    order = many.propose()
    many.tick(1700)
    assert many.stage.police.get(f"/api/v1/orders/{order['order_id']}").json()["status"] == "proposed"
    many.tick(200)
    late = many.stage.police.get(f"/api/v1/orders/{order['order_id']}").json()
    assert late["status"] == "expired"
    assert many.act(many.second, late, "approve").status_code == 409
    assert many.told() == [False] * 4


def test_a_proposal_can_be_rejected(many: Many) -> None:
    order = many.propose()
    assert many.act(many.second, order, "cancel").json()["status"] == "cancelled"
    assert [driver.get("/api/v1/orders/recalls").json()["items"] for driver in many.drivers] == [[]] * 4


def test_groups_that_do_not_fit_are_refused(many: Many, runtime: Runtime) -> None:
    body = many.body(valid_to=(runtime.clock.now() + timedelta(minutes=9)).isoformat())
    answer = many.stage.police.post("/api/v1/orders", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "valid_to")


def test_a_proposal_replaces_nothing_before_it_is_released(many: Many) -> None:
    hold = many.stage.issue()
    order = many.propose()
    assert many.stage.police.get(f"/api/v1/orders/{hold}").json()["status"] == "active"
    many.act(many.second, order, "approve")
    assert many.stage.police.get(f"/api/v1/orders/{hold}").json()["status"] == "superseded"


def test_planners_set_from_how_many_on(sign_in: SignIn) -> None:
    page = sign_in("planner").get("/planner/settings", headers={"accept": "text/html"})
    assert 'name="max_alone_veh"' in page.text
