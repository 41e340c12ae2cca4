"""The pace of each gate's entrance, from the trucks that went in, left and wait. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from app.forecasting.state_store import STOP_ERROR_KM, GateExit, GatePassage
from app.gates.profile import DeclaredLanes
from app.gates.served_place import ServedPlace
from routing.arrays import FloatArray
from routing.gates import GateSetting
from routing.pace import MAX_RATE_VEH_PER_H, GatePace, LaneChange, learn_pace, usual_rate
from routing.pace_evidence import Passages, lanes_taken

MIN_WAIT_S: Final = 180.0
MAX_ALONE_S: Final = 900.0
"""A truck that nobody waits before or behind has a free lane, or soon; if it still stands after this, there is none."""
LOOK_BACK: Final = timedelta(hours=24)
"""Passages that the filter sees; a day holds the closing hours as well."""
LATENCY_S: Final = 120.0
"""So long a passage may take to become known: trackers' reports are relayed within 2 min (TT 09/2015, article 4)."""
SETTLING_S: Final = 1800.0
"""So long after closing those leave that were at the crossing already."""
SILENT_S: Final = 1020.0
"""A truck that was not heard of for longer is silent: those that stand report each 15 min (TT 09/2015, article 4),
relayed within 2 min. It may have gone on at any time since."""
MAX_CHECK: Final = timedelta(hours=1)
"""Who has not been heard of for so long since it was checked has gone on unseen."""
MIN_EXITS, MIN_EXITS_PER_H = 5, 2.0


def gate_paces(
    passages: Sequence[GatePassage],
    exits: Sequence[GateExit],
    waiting: Mapping[str, Iterable[datetime]],
    settings: Sequence[GateSetting],
    now: datetime,
    *,
    gps_share: float = 1.0,
    with_lines: Collection[str] = (),
    places: Mapping[str, ServedPlace] | None = None,
    declared: Iterable[DeclaredLanes] = (),
    silent: Mapping[str, Sequence[datetime]] | None = None,
) -> dict[str, GatePace]:
    """How fast each gate lets exports in; gates at which nothing was seen are left out.

    Arguments: `waiting`, gate → since when the trucks that stand in its queue now have been waiting;
    `gps_share`, the share of undeclared trucks that send their position; `with_lines`, gates at which trucks go on to
    stand behind the barrier (`app.forecasting.state_line`): they have passed when they stand there no more; `places`,
    where they are served, if that is known: they have waited until they came to that place, and passed when they went
    on from it; `declared`, changes of lanes by profiles, before now and later; `silent`, gate → since when those of
    the trucks in its queue have not been heard of that are silent now.
    """
    found = {}
    changes = tuple(declared)
    lanes = served_at_a_time(settings)
    for setting in settings:
        if setting.direction != "export":
            continue
        own = [passage for passage in passages if passage.gate_id == setting.gate_id]
        queue = list(waiting.get(setting.gate_id, ()))
        if not own and not queue:
            continue
        closed_s = _closed(setting, now)
        place = (places or {}).get(setting.gate_id)
        has_line = place is None and setting.gate_id in with_lines
        begun = own if place is None else [_begun_at(place, each) for each in own]
        if has_line:
            begun = [replace(each, time=max(each.time, each.stood_until or each.time)) for each in begun]
        over = (
            begun if place is None else [each for passage in own if (each := _over_at(place, passage, now)) is not None]
        )
        spans = [
            (_seconds(since, now), _seconds(end, now))
            for since, end in (*((each.waited_since, each.time) for each in begun), *((since, now) for since in queue))
            if since is not None
        ]
        share = noticed_share(over, gps_share)
        between = [None if (since := _silent_since(each)) is None else (since, each.time) for each in over]
        pace = learn_pace(
            Passages.of(
                (_seconds(each.time, now) for each, unsure in zip(over, between, strict=True) if unsure is None),
                _crowded(spans, lanes[setting.gate_id] * share) if has_line else _waited(spans),
                () if place is None else _lanes_taken(place, own, queue, lanes[setting.gate_id], share, now),
                [(_seconds(unsure[0], now), _seconds(unsure[1], now)) for unsure in between if unsure is not None],
                [_seconds(since, now) for since in (silent or {}).get(setting.gate_id, ())],
                len(queue),
            ),
            usual_veh_per_h=usual_rate(setting),
            service_cv=setting.entrance.service.cv,
            seen_share=share,
            closed_s=closed_s,
            window_s=LOOK_BACK.total_seconds(),
            latency_s=LATENCY_S,
            declared=[LaneChange(_seconds(e.at, now), e.factor) for e in changes if e.gate_id == setting.gate_id],
        )
        left_s = [_seconds(each.time, now) for each in exits if each.gate_id == setting.gate_id]
        found[setting.gate_id] = replace(
            pace,
            crossing_veh_per_h=_crossing_veh_per_h(left_s, setting),
            crosses_closed=_crosses_closed(left_s, closed_s),
        )
    return found


def import_paces(
    passages: Sequence[GatePassage], settings: Sequence[GateSetting], now: datetime
) -> dict[str, GatePace]:
    """How fast each gate lets imports in; gates at which none was seen are left out.

    Nobody sees imports wait on the other side, so those that came only show that the gate is no slower.
    """
    found = {}
    for setting in settings:
        own = [passage for passage in passages if passage.gate_id == setting.gate_id]
        if setting.direction != "import" or not own:
            continue
        found[setting.gate_id] = learn_pace(
            Passages.of((_seconds(passage.time, now) for passage in own), ()),
            usual_veh_per_h=usual_rate(setting),
            service_cv=setting.crossing.service.cv,
            closed_s=_closed(setting, now),
            window_s=LOOK_BACK.total_seconds(),
            latency_s=LATENCY_S,
        )
    return found


def _begun_at(place: ServedPlace, passage: GatePassage) -> GatePassage:
    """A passage at the moment at which its truck's wait was over: when it came to where it stood last.

    The check itself is no wait: a truck that nobody was before has come to its last stop at once.
    """
    since = passage.served_since
    return passage if since is None or not _stood_about(place, passage) else replace(passage, time=since)


def _over_at(place: ServedPlace, passage: GatePassage, now: datetime) -> GatePassage | None:
    """A passage at the moment at which its truck was through: when it went on from where it stood last. None before.

    Of a truck that still stands nobody can tell whether it is checked or is the next one, a truck's length behind; were
    it taken for served, a gate would seem to let the head of its queue in at once when it has just become slower. As
    many go on in an hour while somebody waits as are begun with.
    """
    if not _stood_about(place, passage):
        return passage
    if passage.served_until is not None:
        return replace(passage, time=passage.served_until)
    begun = _begun_at(place, passage)
    return begun if now - begun.time > MAX_CHECK else None


def _silent_since(passage: GatePassage) -> datetime | None:
    """Since when a truck was not heard of before the fix that told that it had passed, if it was silent; else None."""
    since, until = passage.stood_until, passage.served_until
    if since is None or until is None or passage.time != until:
        return None
    return since if (until - since).total_seconds() > SILENT_S else None


def _stood_about(place: ServedPlace, passage: GatePassage) -> bool:
    """Whether a truck's last stop is known and about where trucks are served."""
    return passage.stop_km is not None and passage.stop_km <= place.km + STOP_ERROR_KM


def _lanes_taken(
    place: ServedPlace,
    passages: Sequence[GatePassage],
    waiting: Iterable[datetime],
    lanes: int,
    noticed: float,
    now: datetime,
) -> list[FloatArray]:
    """When each of a gate's lanes had a truck, by who was before the place where it serves, or stood there.

    Of trucks that only a camera noticed nobody knows since when they were there.
    """
    since = [(passage.waited_since, _over_at(place, passage, now)) for passage in passages]
    spans = [
        (_seconds(begin, now), 0.0 if over is None else _seconds(over.time, now))
        for begin, over in since
        if begin is not None
    ]
    known_share = noticed * len(spans) / len(passages) if passages else 1.0
    return lanes_taken([*spans, *((_seconds(begin, now), 0.0) for begin in waiting)], lanes, known_share)


def served_at_a_time(settings: Iterable[GateSetting]) -> dict[str, int]:
    """Gate -> trucks that can be in service at a time, wherever that is: the lanes of its wider server."""
    exports = [setting for setting in settings if setting.direction == "export"]
    return {setting.gate_id: max(setting.entrance.lanes, setting.crossing.lanes) for setting in exports}


def _waited(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """When somebody waited before the barrier: who came through faster than `MIN_WAIT_S` waited for nobody.

    Neither did who was alone all the while, unless for long: it drove slowly up to free lanes, and that nobody else was
    let in then is because nobody else came. (To leave out two or three side by side as well keeps the small queues that
    went quickly, and makes the gate seem faster than it is.)
    """
    waits = sorted((begin, end) for begin, end in spans if end - begin >= MIN_WAIT_S)
    found, until = [], -math.inf
    for number, (begin, end) in enumerate(waits):
        is_alone = begin >= until and (number + 1 == len(waits) or waits[number + 1][0] >= end)
        until = max(until, end)
        if not is_alone or end - begin >= MAX_ALONE_S:
            found.append((begin, end))
    return found


def _crowded(spans: Iterable[tuple[float, float]], served: float) -> list[tuple[float, float]]:
    """When more trucks were between the free road and having been served than can be `served` at a time."""
    known = [(begin, end) for begin, end in spans if end > begin]
    steps = sorted([(begin, 1) for begin, _ in known] + [(end, -1) for _, end in known])
    found, inside, since = [], 0, 0.0
    for time, step in steps:
        was_crowded, inside = inside > served, inside + step
        if inside > served and not was_crowded:
            since = time
        elif was_crowded and inside <= served:
            found.append((since, time))
    return found


def _crossing_veh_per_h(left_s: Sequence[float], setting: GateSetting) -> float:
    """What the crossing clears an hour at least, by those who left."""
    usual = min(setting.crossing.rate_veh_per_h(), MAX_RATE_VEH_PER_H)
    shown = learn_pace(Passages.of(left_s, ()), usual_veh_per_h=usual, window_s=LOOK_BACK.total_seconds()).quantile(0.5)
    return shown if left_s else 0.0


def _crosses_closed(left_s: Sequence[float], closed_s: Sequence[tuple[float, float]]) -> bool:
    """Whether trucks leave while the gate should be closed: more than stragglers and errors of GPS."""
    spans = [(begin + SETTLING_S, end) for begin, end in closed_s]
    while_closed = sum(any(begin <= time < end for begin, end in spans) for time in left_s)
    hours = sum(max(0.0, end - begin) for begin, end in spans) / 3600.0
    return while_closed >= MIN_EXITS and while_closed >= MIN_EXITS_PER_H * hours


def noticed_share(passages: Sequence[GatePassage], gps_share: float) -> float:
    """The share of trucks whose passage was noticed: of undeclared ones, by GPS or by a camera that read the plate.

    How often the camera reads is seen from those that GPS noticed as well; both are taken to miss independently
    (capture and recapture: D. G. Chapman, University of California Publications in Statistics 1, 1951).
    """
    undeclared = [passage for passage in passages if not passage.is_declared]
    by_gps = [passage for passage in undeclared if passage.vehicle_id is not None]
    read_share = sum(passage.was_read for passage in by_gps) / (len(by_gps) + 1.0)
    noticed = 1.0 - (1.0 - gps_share) * (1.0 - read_share)
    trucks = len(passages) - len(undeclared) + len(undeclared) / noticed
    return len(passages) / trucks if passages else 1.0


def _seconds(moment: datetime, now: datetime) -> float:
    return (moment - now).total_seconds()


def _closed(setting: GateSetting, now: datetime) -> list[tuple[float, float]]:
    """When the gate was closed within the time looked back on, in seconds relative to now."""
    begin_s = -LOOK_BACK.total_seconds()
    found, last_s = [], begin_s
    for opens, closes in setting.crossing.hours.spans(now - LOOK_BACK, now):
        found.append((last_s, _seconds(opens, now)))
        last_s = _seconds(closes, now)
    found.append((last_s, 0.0))
    return [(begin, end) for begin, end in found if end > begin]
