"""Where a truck is, its trip's stage and the ledger of yards never contradict each other, whatever is told when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from app.trips.presence import SheetState, judge, stage_of
from app.trips.presence_rules import TripFrame, Witness
from app.trips.presence_store import TripSeen
from app.trips.vocabulary import PlaceKind, Stage
from app.trips.yard_ledger import placement_of
from capacity import ledger
from capacity.ledger import LedgerTruck, Movement, Stay, YardBalance
from capacity.placing import Placement, moves_of
from tests.app.presence_cases import (
    ACTS,
    BEGIN,
    BYTES,
    DEVICES,
    FRAMES,
    HUU_NGHI,
    MAX_MINUTES,
    RULES,
    Drawn,
    later,
    moment,
)
from tests.drawing import cases

UNTIL = moment(MAX_MINUTES)
YARDS = {"xuan-cuong": HUU_NGHI, "bao-nguyen": "tan-thanh", "huu-nghi-temporary": HUU_NGHI}


@dataclass
class Yards:
    """The ledger of some yards, in memory."""

    stays: dict[tuple[str, str], Stay] = field(default_factory=dict)
    balance: dict[str, YardBalance] = field(default_factory=lambda: {yard_id: YardBalance() for yard_id in YARDS})
    movements: list[Movement] = field(default_factory=list)

    def inside(self) -> set[str]:
        return {yard_id for (yard_id, _), stay in self.stays.items() if stay.is_open}

    def enter(self, yard_id: str, key: str, movement: Movement) -> None:
        before = self.stays.get((yard_id, key))
        self.stays[yard_id, key], self.balance[yard_id] = ledger.apply_movement(before, self.balance[yard_id], movement)
        self.movements.append(movement)


def trip_of(frame: TripFrame) -> TripSeen:
    return TripSeen(
        trip_id=1,
        vehicle_id=7,
        plate_norm="29C12345",
        organisation_id=1,
        driver_id=None,
        gate_id=frame.gate_id,
        direction=frame.direction.value,
        planned_arrival=frame.planned_arrival,
        stage=Stage.PLANNED,
        stage_since=frame.begin,
        arrived_at=None,
        begin=frame.begin,
        until=None,
        has_other_open=False,
    )


def told_in_order(read: Drawn) -> list[Witness]:
    """Witnesses in the order in which they become known, some of them late."""
    witnesses = read.witnesses((*DEVICES, *ACTS), min_size=1, max_size=8)
    delays = [timedelta(minutes=read.number(4) * 90) for _ in witnesses]
    told = [later(witness, delay) for witness, delay in zip(witnesses, delays, strict=True)]
    return sorted(told, key=lambda witness: witness.known_at)


@cases(10_000, BYTES)
def test_place_stage_and_ledger_agree_after_everything_that_is_told(raw: bytes) -> None:
    read = Drawn(raw)
    frame = FRAMES[read.direction()]
    told, yards, trip = told_in_order(read), Yards(), trip_of(frame)
    for number, newest in enumerate(told, start=1):
        presence = judge(frame, told[:number], max(newest.known_at, BEGIN), RULES)
        placement = placement_of(trip, presence)
        for yard_id, key, movement in () if placement is None else moves_of(placement, yards.stays, YARDS):
            yards.enter(yard_id, key, movement)
        place, inside = presence.place, yards.inside()
        assert len(inside) <= 1
        if place.site_id is not None:
            assert inside == {place.site_id}
        elif place.kind is PlaceKind.GATE_AREA:
            assert {YARDS[yard_id] for yard_id in inside} <= {place.gate_id}
        elif place.kind not in {PlaceKind.PLANNED, PlaceKind.UNKNOWN} and not place.is_over:
            assert not inside
        stage = stage_of(presence, SheetState(HUU_NGHI))
        is_own = place.gate_id == HUU_NGHI
        assert (stage is Stage.IN_THE_YARD) == (place.is_inside and is_own)
        assert (stage is Stage.OUT) == place.is_over
        if stage is Stage.IN_THE_YARD:
            assert inside <= {"xuan-cuong"}
        if placement is not None:
            assert moves_of(placement, yards.stays, YARDS) == [], "twice is once"


def test_a_truck_known_to_be_at_another_gate_left_the_yards_here() -> None:
    yards = Yards()
    yards.enter("xuan-cuong", "v7", truck_enters("act", 100.0))
    elsewhere = Placement(LedgerTruck(7, "29C12345"), None, moment(200.0), "act", only_from=(), gate_id="tan-thanh")
    for yard_id, key, movement in moves_of(elsewhere, yards.stays, YARDS):
        yards.enter(yard_id, key, movement)
    assert yards.inside() == set()
    same_gate = replace(elsewhere, gate_id=HUU_NGHI)
    yards.enter("xuan-cuong", "v7", truck_enters("act", 300.0))
    assert moves_of(same_gate, yards.stays, YARDS) == []


def truck_enters(source: str, minutes: float) -> Movement:
    return Movement(LedgerTruck(7, "29C12345"), "enter", moment(minutes), source)


def test_an_act_and_the_gps_of_one_visit_are_one_entry() -> None:
    for first, second in (("act", "gps"), ("gps", "act"), ("act", "camera"), ("manual", "act")):
        for gap in (1.0, 29.0, 31.0, 300.0):
            yards = Yards()
            yards.enter("xuan-cuong", "v7", truck_enters(first, 100.0))
            yards.enter("xuan-cuong", "v7", truck_enters(second, 100.0 + gap))
            stay = yards.stays["xuan-cuong", "v7"]
            assert (stay.entered_at, stay.flag) == (moment(100.0), None), (first, second, gap)


def test_devices_that_see_one_truck_enter_twice_still_contradict_each_other() -> None:
    yards = Yards()
    yards.enter("xuan-cuong", "v7", truck_enters("camera", 100.0))
    yards.enter("xuan-cuong", "v7", truck_enters("camera", 300.0))
    assert yards.stays["xuan-cuong", "v7"].flag is ledger.Flag.ENTERED_TWICE
