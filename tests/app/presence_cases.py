"""Places, trips and witnesses for the tests of presence, and strategies that draw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.trips.presence import Presence, judge
from app.trips.presence_rules import Place, PresenceRules, Roads, Source, Spot, TripFrame, Trust, Witness
from app.trips.presence_witnesses import (
    Fix,
    Sight,
    act_witness,
    fix_witness,
    gate_event_witness,
    registration_witness,
    road_read_witness,
    station_witness,
    turned_back_witness,
    yard_witness,
)
from app.trips.vocabulary import Direction, PlaceKind, StepPlace
from tests import drawing

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
BEGIN = NOW - timedelta(hours=20)
HUU_NGHI, TAN_THANH = "huu-nghi", "tan-thanh"
GATE_SPOTS = {
    HUU_NGHI: Spot(106.70651, 21.97205, 500.0, "QL1A", 0.55),
    TAN_THANH: Spot(106.67818, 22.00665, 500.0, "QL4A", 0.6),
}
YARD_SPOTS = {
    "xuan-cuong": Spot(106.70678, 21.96929, 200.0, "QL1A", 0.83),
    "bao-nguyen": Spot(106.67572, 22.00819, 200.0, "QL4A", 0.88),
}
CHI_LANG = Spot(106.57532, 21.6459, 30.0, "QL1A", 53.64)
DONG_DANG = Spot(106.70259, 21.94027, 30.0, "QL1A", 4.545)
HOME = Spot(106.19, 21.28, 20.0)
SPOTS = (*GATE_SPOTS.values(), *YARD_SPOTS.values(), CHI_LANG, DONG_DANG, HOME)
XUAN_CUONG = Place(PlaceKind.YARD, HUU_NGHI, "xuan-cuong")
BAO_NGUYEN = Place(PlaceKind.YARD, TAN_THANH, "bao-nguyen")
TEMPORARY = Place(PlaceKind.TEMPORARY_YARD, HUU_NGHI, "huu-nghi-temporary")
QUEUED = Place(PlaceKind.QUEUED, HUU_NGHI)
GATE_AREA = Place(PlaceKind.GATE_AREA, HUU_NGHI)
RULES = PresenceRules(roads=Roads({("QL1A", "QL4A"): (4.0452, 13.13801)}))
EXPORT = TripFrame(Direction.EXPORT, HUU_NGHI, BEGIN, NOW)
IMPORT = TripFrame(Direction.IMPORT, HUU_NGHI, BEGIN, NOW)
FRAMES = {Direction.EXPORT: EXPORT, Direction.IMPORT: IMPORT}


def sight(minutes: float, spot: Spot | None = None, ref: str = "", *, late: float = 0.0) -> Sight:
    """Something `minutes` after `BEGIN`, known `late` minutes later."""
    time = BEGIN + timedelta(minutes=minutes)
    return Sight(time, time + timedelta(minutes=late), ref or f"row:{minutes}", spot)


def moment(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def act(
    minutes: float,
    where: StepPlace,
    *,
    frame: TripFrame = EXPORT,
    is_exit: bool = False,
    is_confirmed: bool = True,
    yard_id: str | None = "xuan-cuong",
    late: float = 0.0,
) -> Witness:
    """An officer's act at a step of the trip's gate."""
    seen = sight(minutes, GATE_SPOTS[frame.gate_id], f"act:{where}:{is_exit}:{minutes}", late=late)
    made = act_witness(frame, seen, where, is_exit=is_exit, is_confirmed=is_confirmed, yard_id=yard_id)
    assert made is not None
    return made


def exit_act(minutes: float, frame: TripFrame = EXPORT) -> Witness:
    return act(minutes, StepPlace.BARRIER, frame=frame, is_exit=True)


def camera(
    minutes: float,
    gate_id: str = HUU_NGHI,
    where: StepPlace = StepPlace.BARRIER,
    *,
    is_exit: bool = False,
    is_sure: bool = True,
    late: float = 0.0,
) -> Witness:
    """A plate read at a station."""
    seen = sight(minutes, GATE_SPOTS[gate_id], f"read:{gate_id}:{minutes}", late=late)
    return station_witness(
        Source.CAMERA, seen, gate_id, where, is_exit=is_exit, probability=0.97 if is_sure else 0.5, is_sure=is_sure
    )


def road_camera(minutes: float, spot: Spot = CHI_LANG, *, is_away: bool = False) -> Witness:
    seen = sight(minutes, spot, f"road:{spot.km}:{minutes}")
    return road_read_witness(seen, is_away=is_away, probability=0.97, is_sure=True, by_person=False)


def yard(minutes: float, place: Place = XUAN_CUONG, *, source: Source = Source.GPS, is_entry: bool = True) -> Witness:
    spot = YARD_SPOTS.get(str(place.site_id))
    return yard_witness(source, sight(minutes, spot, f"move:{source}:{minutes}"), place, is_entry=is_entry)


def gate_event(minutes: float, gate_id: str = HUU_NGHI, *, is_entry: bool = True) -> Witness:
    return gate_event_witness(sight(minutes, GATE_SPOTS[gate_id], f"event:{minutes}"), gate_id, is_entry=is_entry)


def road_fix(minutes: float, km: float, *, toward: bool | None = True, frame: TripFrame = EXPORT) -> Witness:
    """A position on QL1A, driving; its spot lies on the line from the gate to Chi Lăng."""
    share = km / 53.64
    lon = 106.70651 + share * (106.57532 - 106.70651)
    lat = 21.97205 + share * (21.6459 - 21.97205)
    seen = sight(minutes, Spot(lon, lat, 20.0, "QL1A", km), f"fix:{minutes}")
    fix = Fix(seen, distance_km=km, is_on_gate_road=True, toward=toward, is_free=True, is_moving=True)
    return fix_witness(frame, fix, rules=RULES)


def home_fix(minutes: float) -> Witness:
    """A phone that lies at home, far off the corridor."""
    return fix_witness(EXPORT, Fix(sight(minutes, HOME, f"fix:{minutes}"), is_moving=False), rules=RULES)


def judged(*witnesses: Witness, frame: TripFrame = EXPORT, minutes: float = 1200.0) -> Presence:
    return judge(frame, witnesses, moment(minutes), RULES)


# What a property test draws: bytes, read as witnesses and choices. Drawing one text of bytes costs a fifth of drawing
# each thing by itself, and it shrinks to few, early and plain ones just so.

MAX_MINUTES = 1200
BYTES_A_WITNESS = 4
Maker = Callable[[int, int], Witness]
"""Makes a witness of a minute and a number from 0 to 255, from which it takes its choices."""

_GATES, _YARDS = (HUU_NGHI, TAN_THANH), (XUAN_CUONG, BAO_NGUYEN)
_STEPS = (StepPlace.BARRIER, StepPlace.ENTRANCE, StepPlace.YARD, StepPlace.GATE_AREA)
GPS: tuple[Maker, ...] = (
    lambda at, n: gate_event(at, _GATES[n % 2], is_entry=n % 4 < 2),
    lambda at, n: yard(at, _YARDS[n % 2], is_entry=n % 4 < 2),
    lambda at, n: road_fix(at, 1.5 + n / 5, toward=(True, False, None)[n % 3]),
    lambda at, _: home_fix(at),
)
DEVICES: tuple[Maker, ...] = (
    *GPS,
    lambda at, n: camera(at, _GATES[n % 2], _STEPS[n // 2 % 4], is_exit=n >= 128),
    lambda at, n: road_camera(at, (CHI_LANG, DONG_DANG)[n % 2], is_away=n % 4 < 2),
    lambda at, n: yard(at, _YARDS[n % 2], source=(Source.CAMERA, Source.HAND)[n // 2 % 2], is_entry=n % 8 < 4),
)
ACTS: tuple[Maker, ...] = (
    lambda at, n: act(at, _STEPS[n % 4], is_confirmed=n % 8 < 4),
    lambda at, _: exit_act(at),
    lambda at, _: registration_witness(sight(at, None, f"arrival:{at}"), TEMPORARY),
    lambda at, _: turned_back_witness(sight(at, GATE_SPOTS[HUU_NGHI], f"back:{at}"), HUU_NGHI),
)


class Drawn(drawing.Drawn):
    """Directions, minutes and witnesses out of bytes."""

    def direction(self) -> Direction:
        return Direction.EXPORT if self.number(2) == 0 else Direction.IMPORT

    def minutes(self) -> int:
        return self.number(MAX_MINUTES + 1)

    def witnesses(self, makers: Sequence[Maker], *, min_size: int = 0, max_size: int = 9) -> list[Witness]:
        """Some witnesses, no two of one row."""
        found = []
        spread = max_size - min_size + 1
        size = min_size + min(self.number(spread), self.number(spread))  # few are quicker to judge, and shrink better
        for number in range(size):
            which, high, low, choice = (*self.raw[self.at : self.at + BYTES_A_WITNESS], 0, 0, 0, 0)[:BYTES_A_WITNESS]
            self.at += BYTES_A_WITNESS
            made = makers[which % len(makers)]((256 * high + low) % (MAX_MINUTES + 1), choice)
            found.append(replace(made, ref=f"{number}:{made.ref}"))
        return found

    def anything(self) -> list[Witness]:
        return self.witnesses((*DEVICES, *ACTS))


BYTES = 76
"""What `Drawn` reads: enough for two lists of witnesses and some choices."""


def later(witness: Witness, by: timedelta) -> Witness:
    """The same witness, told later."""
    return replace(witness, known_at=witness.known_at + by)


def trusted(witness: Witness, trust: Trust) -> Witness:
    """The same witness with another trust."""
    return replace(witness, trust=trust)
