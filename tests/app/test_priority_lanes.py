"""Priority lanes: a part of the gate profile, decided by what was declared, shown on sheet and list."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.gates.priority import Priority, PriorityFacts, PriorityLanes, classes_of
from app.gates.vocabulary import Channel, GoodsClass, PriorityClass, Regime
from app.platform.runtime import Runtime
from tests.app.declaring import declaration_line
from tests.app.stationing import Gate

SEALED = {"regime": "transit", "is_sealed": True}


@pytest.mark.parametrize(
    ("lanes", "truck", "reason"),
    [
        ({"lanes": 0, "conditions": ["perishable"]}, {}, None),
        ({"lanes": 1, "conditions": ["perishable"]}, {}, "Perishable goods"),
        ({"lanes": 1, "conditions": ["perishable"]}, {"perishable": False}, None),
        ({"lanes": 1, "conditions": ["live"]}, {"goods": ["ore", "live_animals"]}, "Live animals"),
        (
            {"lanes": 1, "conditions": ["sealed_transit"]},
            {"regime": "transit", "is_sealed": True},
            "Transit under seal",
        ),
        ({"lanes": 1, "conditions": ["sealed_transit"]}, {"regime": "transit"}, None),
        ({"lanes": 1, "conditions": ["transit"]}, SEALED, "Transit under seal"),
        ({"lanes": 1, "conditions": ["authorised_operator"]}, {"is_authorised": True}, "Authorised economic operator"),
        ({"lanes": 1, "conditions": ["by_hand"]}, {"by_hand": True}, "Given by hand"),
        ({"lanes": 1, "conditions": ["green"]}, {"channel": "green"}, "Green channel"),
        ({"lanes": 1, "conditions": ["green"]}, {"channel": "red"}, None),
        ({"lanes": 1, "conditions": ["empty"]}, {"goods": ["empty"]}, "Empty truck"),
        ({"lanes": 1, "conditions": ["empty"]}, {"goods": ["empty", "ore"]}, None),
        ({"lanes": 1, "goods": ["seafood"]}, {"goods": ["ore", "seafood"]}, "Seafood"),
        ({"lanes": 1, "goods": ["seafood"]}, {"goods": ["ore"]}, None),
    ],
)
def test_who_may_use_the_lanes(lanes: dict[str, Any], truck: dict[str, Any], reason: str | None) -> None:
    known: dict[str, Any] = {"goods": ["fresh_fruit"], "regime": "export", "perishable": True, "channel": None}
    assert Priority.of(PriorityFacts(**known | truck), PriorityLanes(**lanes)).lane == reason


def test_lanes_are_set_by_version_and_shown_where_trucks_are_handled(
    runtime: Runtime, sign_in: Callable[..., TestClient]
) -> None:
    gate = Gate.open(runtime, sign_in)
    from app.ops.install import seed_profiles

    with runtime.sessions() as session:
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    planner = gate.person("planner")
    address = "/admin/gates/huu-nghi/priority"
    form = {"version": "1", "lanes": "2", "conditions": ["perishable"]}
    assert planner.post(address, data={**form, "lanes": "99"}).status_code == 422
    assert planner.post(address, data=form, follow_redirects=False).status_code == 303
    assert planner.post(address, data=form).status_code == 422  # written on an older version
    profile = planner.get("/api/v1/gates/huu-nghi/profile").json()
    assert profile["profile"]["priority"] == {"lanes": 2, "goods": [], "conditions": ["perishable"]}
    assert profile["profile"]["sources"]["priority"] == "set"
    values = {name: profile["profile"][name] for name in ("exports", "imports", "regimes", "goods", "collectors")}
    etag = planner.get("/api/v1/gates/huu-nghi/profile").headers["ETag"]
    draft = planner.put("/api/v1/gates/huu-nghi/profile", json=values, headers={"If-Match": etag})
    assert draft.json()["profile"]["priority"]["lanes"] == 2  # a form that does not know the lanes leaves them

    fruit = gate.declare("29C-123.45")
    ore = gate.declare(
        "29C-555.55", lines=[declaration_line(goods_class="textiles", hs_code="6109.10", perishable=False)]
    )
    for plate in ("29C-123.45", "29C-555.55"):
        gate.arrive(plate)
    officer = gate.person("health_quarantine")
    assert officer.get("/station?at=health").text.count("Priority lane: Perishable goods") == 1
    assert marks(officer.get(f"/station/sheet/{fruit}?at=health").text) == MARKS
    assert marks(officer.get(f"/station/sheet/{ore}?at=health").text) == []
    listed = officer.get("/api/v1/inspections", params={"station": "health"}).json()["here"]
    assert [(each["trip_id"], each["priority"], each["priority_lane"]) for each in listed] == [
        (fruit, ["perishable"], "Perishable goods"),
        (ore, [], None),
    ]
    sheet = gate.person("border_guard").get(f"/api/v1/trips/{fruit}/sheet").json()["checkpoint"]
    assert (sheet["priority"], sheet["priority_lane"]) == (["perishable"], "Perishable goods")

    # The same on list, sheet and the driver's page, in the same words.
    with runtime.sessions() as session:
        query = text("SELECT vehicle_id FROM app.trip WHERE trip_id = :id")
        driver = sign_in("driver", vehicle_id=session.scalar(query, {"id": fruit}), locale="en")
    assert marks(officer.get("/station?at=health").text) == marks(driver.get("/driver").text) == MARKS


MARKS = ["Priority: Perishable goods", "Priority lane: Perishable goods"]


def marks(page: str) -> list[str]:
    """What a page says of priority, the first truck's."""
    return re.findall(r'<span class="ck-priority.*?</i>([^<]*)</span>', page)


def test_a_lane_takes_the_classes_of_priority_that_are_computed() -> None:
    facts = st.builds(
        PriorityFacts,
        goods=st.sets(st.sampled_from(list(GoodsClass))),
        regime=st.sampled_from(list(Regime)),
        channel=st.sampled_from([None, *Channel]),
        perishable=st.booleans(),
        is_authorised=st.booleans(),
        is_sealed=st.booleans(),
        by_hand=st.booleans(),
    )

    @given(facts, st.sets(st.sampled_from(list(PriorityClass))))
    def holds(truck: PriorityFacts, taken: set[PriorityClass]) -> None:
        lanes = PriorityLanes(lanes=1, conditions=tuple(taken))
        found = Priority.of(truck, lanes)
        assert (found.lane is not None) == bool(taken & set(classes_of(truck)))
        assert set(found.first) == {each for each in classes_of(truck) if each.goes_first}

    holds()
