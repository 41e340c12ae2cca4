"""Zones as rows of the yard plan: who may stand where, and where booked places are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from app.forecasting.state import ComingTruck
from app.yards.plan_rows import PlanRows, Promised
from app.yards.zone_fill import ZoneFill
from capacity.ledger import YardState
from capacity.vocabulary import ZoneKind as K
from capacity.zones import ZoneAhead
from tests.capacity.test_windows import problem

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
YARD = YardState("cold", "here", "yard", 10, 6, 0, 4, 6, 0, NOW)
PLAIN = replace(YARD, yard_id="plain")
TRUCK = ComingTruck(0, 1, 1, "here", False, "general", "export", None, None, None, None)


def rows_of(*zones: tuple[str, K, int], yards: tuple[YardState, ...] = (YARD, PLAIN)) -> PlanRows:
    ahead = [ZoneAhead("cold", name, kind, [places] * 4) for name, kind, places in zones]
    fills = [ZoneFill(name, kind, places, places, 2, "", None) for name, kind, places in zones]
    return PlanRows.of(yards, {"cold": ahead}, {"cold": fills})


def may_stand(rows: PlanRows, need: K) -> set[str]:
    truck = replace(TRUCK, need=need)
    open_to = rows.open_to([truck], {})
    return {rows.rows[j].key for j in np.flatnonzero(rows.suited([truck], open_to)[0])}


def test_a_truck_stands_on_places_of_its_kind_or_where_its_kind_may() -> None:
    rows = rows_of(("A", K.STANDARD, 4), ("B", K.REEFER, 2), ("C", K.FORTY_FOOT, 2), ("D", K.DANGEROUS, 1))
    assert [row.key for row in rows.rows] == ["cold/A", "cold/B", "cold/C", "cold/D", "plain"]
    assert [row.inside_veh for row in rows.rows] == [2.0, 2.0, 2.0, 2.0, 6.0]
    assert may_stand(rows, K.STANDARD) == {"cold/A", "cold/C", "plain"}
    assert may_stand(rows, K.REEFER) == {"cold/B", "plain"}
    assert may_stand(rows, K.FORTY_FOOT) == {"cold/C", "plain"}
    assert may_stand(rows, K.DANGEROUS) == {"cold/D", "plain"}
    assert may_stand(rows, K.LIVESTOCK) == {"plain"}


def test_a_chilled_truck_without_any_plug_stands_as_others_do_and_livestock_nowhere() -> None:
    rows = rows_of(("A", K.STANDARD, 4), yards=(YARD,))
    assert may_stand(rows, K.REEFER) == {"cold/A"}
    assert may_stand(rows, K.FORTY_FOOT) == {"cold/A"}
    assert may_stand(rows, K.LIVESTOCK) == set()


def test_own_places_are_liked_best_and_never_so_much_that_anybody_is_sent_elsewhere() -> None:
    rows = rows_of(("A", K.STANDARD, 4), ("B", K.DOCK, 2), ("C", K.FORTY_FOOT, 2))
    standard, dock = (rows.liked_s([replace(TRUCK, need=need)])[0] for need in (K.STANDARD, K.DOCK))
    assert standard[0] == standard[3] == 0.0 < standard[2]
    assert dock[1] == 0.0 < dock[0] < dock[2] <= 60.0


@pytest.mark.parametrize(
    ("need", "zones"), [(K.REEFER, ["B", "B", "B"]), (K.STANDARD, ["A", "C", "A"]), (K.FORTY_FOOT, ["C", "C", "C"])]
)
def test_booked_places_are_in_zones_of_their_kind_and_in_the_next_best_when_those_are_full(
    need: K, zones: list[str]
) -> None:
    rows = rows_of(("A", K.STANDARD, 1), ("B", K.REEFER, 1), ("C", K.FORTY_FOOT, 1), yards=(YARD,))
    yard = problem(capacity=[1.0] * 4, stay_steps=4)
    per_row = ("allowed", "arrive_s", "detour_s")
    given = replace(
        yard,
        yard_ids=tuple(row.key for row in rows.rows),
        **{name: np.repeat(getattr(yard, name), 3, axis=1) for name in per_row},
        **{name: np.repeat(getattr(yard, name), 3, axis=0) for name in ("capacity_veh", "remaining_veh", "stay_share")},
        entrance=np.zeros(3, np.int64),
        gate=np.zeros(3, np.int64),
    )
    row, step = rows.seat([Promised("cold", 0.0, need)] * 3, given)
    assert [rows.rows[j].zone_id for j in row] == zones
    assert step.tolist() == [0, 0, 0]
