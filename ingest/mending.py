"""What was concluded of a vehicle's way is mended when older fixes come later, once and whole.

A fix that is older than the newest is stored, and its vehicle's way is asked to be taken again from there
(`ingest.way_to_retrace`, in the same transaction: if the worker dies, the wish remains). The worker does so when
nothing waits, or every `MEND_EVERY_S`: it starts from what was true before the first late fix, judges every stored fix
since by the rules of the live path (`geo.retracing`, `ingest.receivers`), and puts right what differs: which fixes are
believed, geofences entered and left, the last position. So in whatever order and batches fixes come, in the end the
conclusions are those of their order in time; done again, nothing changes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine

from geo.matching import Matcher
from geo.retracing import TraceState, Waypoints, retrace
from ingest import fix_store, retrace_store, trait_store
from ingest.fixes import FLAG_JUMP, FLAG_SECOND, FixArray
from ingest.formats.report import RefusalReason, from_microseconds
from ingest.motions import MOTIONS, motions, motions_of_sites
from ingest.receivers import NO_LEADER, find_seconds
from ingest.retrace_store import Way
from ingest.trait_store import RefusalNote

MEND_EVERY_S: Final = 2.0
MAX_WAYS: Final = 50
CHUNK_FIXES: Final = 1_000
_BEFORE: Final = 32
_SETTLED: Final = 3
"""So many fixes at the end of a piece must have kept their flags before the rest of the way is taken as it is."""


def note_exceptions(
    connection: Connection, fixes: FixArray, *, jump: npt.NDArray[np.bool_], late: npt.NDArray[np.bool_]
) -> bool:
    """Of a batch that is being stored: note impossible jumps with their devices, ask for ways with late fixes.

    Returns whether a way is to be taken again.
    """
    for device_id in set(fixes["device_id"][jump].tolist()):
        own = fixes[jump & (fixes["device_id"] == device_id)]
        first, last = (
            from_microseconds(int(moment)) for moment in (own["received_us"].min(), own["received_us"].max())
        )
        detail = f"lat={own['lat'][-1]:.5f}, lon={own['lon'][-1]:.5f}"
        note = RefusalNote(device_id, RefusalReason.IMPOSSIBLE_JUMP, len(own), first, last, detail)
        trait_store.add_refusals(connection, [note])
    if not late.any():
        return False
    ways = []
    for vehicle_id in set(fixes["vehicle_id"][late].tolist()):
        own_us = fixes["time_us"][late & (fixes["vehicle_id"] == vehicle_id)]
        ways.append(Way(vehicle_id, from_microseconds(int(own_us.min())), from_microseconds(int(own_us.max()))))
    retrace_store.add_ways(connection, ways)
    return True


@dataclass
class Mender:
    """Takes ways again for one worker."""

    engine: Engine
    matcher: Matcher
    _mended_s: float = field(default=-1e9)

    def mend_due(self, shards: list[int], shard_count: int, *, idle: bool) -> list[int]:
        """Take ways of `shards` again if it is time to; the vehicles."""
        if not shards or (not idle and time.monotonic() - self._mended_s < MEND_EVERY_S):
            return []
        self._mended_s = time.monotonic()
        with self.engine.begin() as connection:
            ways = retrace_store.take_ways(connection, shards, shard_count, MAX_WAYS)
            for way in ways:
                mend(connection, self.matcher, way)
        return [way.vehicle_id for way in ways]


@dataclass
class _Known:
    """What is known of a vehicle before the next piece of its way."""

    trace: TraceState | None
    leader_id: npt.NDArray[np.int64]
    leader_us: npt.NDArray[np.int64]


def mend(connection: Connection, matcher: Matcher, way: Way) -> None:
    """Judge a way again from its first late fix to where nothing changes any more, and put right what differs."""
    known = _known_before(connection, matcher, way)
    since = way.since
    newest: tuple[np.void, int] | None = None
    while True:
        rows = retrace_store.fixes_from(connection, way.vehicle_id, since, CHUNK_FIXES)
        if not len(rows):
            break
        is_last = len(rows) < CHUNK_FIXES
        judged = _judge(matcher, rows, known)
        until = from_microseconds(int(rows["time_us"][-1]))
        stored_site = retrace_store.site_at(connection, way.vehicle_id, until)
        changed = rows["flags"] != judged.flags
        _put_flags(connection, way.vehicle_id, rows["time_us"][changed], judged.flags[changed])
        _put_events(connection, way.vehicle_id, since, until, judged.events)
        newest = judged.newest or newest
        if is_last:
            break
        site = -1 if known.trace is None else known.trace.site
        is_settled = (
            until > way.until and not changed[-_SETTLED:].any() and not (rows["flags"][-_SETTLED:] & FLAG_JUMP).any()
        )
        if is_settled and (matcher.site_ids[site] if site >= 0 else None) == stored_site:
            return
        since = from_microseconds(int(rows["time_us"][-1]) + 1)
    if newest is not None:
        _put_last(connection, matcher, way.vehicle_id, *newest)


@dataclass(frozen=True)
class _Judged:
    flags: npt.NDArray[np.int64]
    events: list[tuple[str, str, int]]
    """Site, `enter` or `leave`, microseconds."""
    newest: tuple[np.void, int] | None
    """The newest believed fix and its geofence."""


def _judge(matcher: Matcher, rows: npt.NDArray[np.void], known: _Known) -> _Judged:
    """Judge fixes in order of time; `known` moves on to their end."""
    zeros = np.zeros(len(rows), np.intp)
    second = find_seconds(zeros, rows["device_id"], rows["time_us"], known.leader_id, known.leader_us)
    leading = np.flatnonzero(~second)
    own = rows[leading]
    points = _waypoints(own)
    found = retrace(matcher.fences, points, known.trace, matcher.options)
    flags = rows["flags"] & ~(FLAG_JUMP | FLAG_SECOND) | np.where(second, FLAG_SECOND, 0)
    flags[leading[found.unlikely]] |= FLAG_JUMP
    believed = np.flatnonzero(~found.unlikely)
    site = found.site[believed]
    was = np.concatenate([[-1 if known.trace is None else known.trace.site], site[:-1]]) if len(site) else site
    events = []
    for at in np.flatnonzero(site != was).tolist():
        time_us = int(own["time_us"][believed[at]])
        events += [(matcher.site_ids[was[at]], "leave", time_us)] if was[at] >= 0 else []
        events += [(matcher.site_ids[site[at]], "enter", time_us)] if site[at] >= 0 else []
    newest = (own[believed[-1]], int(site[-1])) if len(believed) else None
    known.trace = _after(points, found.unlikely, newest, known.trace)
    return _Judged(flags, events, newest)


def _after(
    points: Waypoints, unlikely: npt.NDArray[np.bool_], newest: tuple[np.void, int] | None, before: TraceState | None
) -> TraceState | None:
    if newest is None:
        if before is None:
            return None
        names = Waypoints.__dataclass_fields__
        joined = (np.concatenate([getattr(before.suspects, name), getattr(points, name)]) for name in names)
        return TraceState(before.time_s, before.lon, before.lat, before.site, Waypoints(*joined))
    fix, site = newest
    begin = int(np.flatnonzero(~unlikely)[-1]) + 1
    suspects = Waypoints(*(getattr(points, name)[begin:] for name in Waypoints.__dataclass_fields__))
    return TraceState(float(fix["time_us"]) / 1e6, float(fix["lon"]), float(fix["lat"]), site, suspects)


def _known_before(connection: Connection, matcher: Matcher, way: Way) -> _Known:
    """What was true before the first late fix: nothing that came later changed it."""
    rows = retrace_store.fixes_before(connection, way.vehicle_id, way.since, _BEFORE)
    leads = (rows["flags"] & FLAG_SECOND) == 0
    leading = np.flatnonzero(leads & (rows["device_id"] > 0))
    leader = rows[leading[:1]] if len(leading) else _last_leading(connection, way, rows)
    believed = np.flatnonzero(leads & ((rows["flags"] & FLAG_JUMP) == 0))
    good = rows[believed[:1]]
    suspects = rows[: believed[0]][leads[: believed[0]]][::-1] if len(believed) else rows[leads][::-1]
    if not len(good) and len(rows):
        good = retrace_store.last_without(connection, way.vehicle_id, way.since, FLAG_JUMP | FLAG_SECOND)
    trace = None
    if len(good):
        moment = from_microseconds(int(good["time_us"][0]))
        site_id = retrace_store.site_at(connection, way.vehicle_id, moment)
        site = matcher.site_ids.index(site_id) if site_id in matcher.site_ids else -1
        at = (float(good["time_us"][0]) / 1e6, float(good["lon"][0]), float(good["lat"][0]))
        trace = TraceState(*at, site, _waypoints(suspects))
    leader_id = np.array([leader["device_id"][0] if len(leader) else NO_LEADER], np.int64)
    leader_us = np.array([leader["time_us"][0] if len(leader) else 0], np.int64)
    return _Known(trace, leader_id, leader_us)


def _last_leading(connection: Connection, way: Way, rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    if not len(rows):
        return rows
    found = retrace_store.last_without(connection, way.vehicle_id, way.since, FLAG_SECOND)
    return found[found["device_id"] > 0]


def _waypoints(rows: npt.NDArray[np.void]) -> Waypoints:
    return Waypoints(rows["time_us"] / 1e6, rows["lon"], rows["lat"], rows["accuracy_m"])


def _put_flags(
    connection: Connection, vehicle_id: int, times_us: npt.NDArray[np.int64], flags: npt.NDArray[np.int64]
) -> None:
    if len(times_us):
        times = [from_microseconds(moment) for moment in times_us.tolist()]
        retrace_store.set_flags(connection, vehicle_id, times, flags.tolist())


def _put_events(
    connection: Connection,
    vehicle_id: int,
    since: datetime,
    until: datetime,
    events: list[tuple[str, str, int]],
) -> None:
    stored = retrace_store.events_between(connection, vehicle_id, since, until)
    right = {(site_id, kind, from_microseconds(time_us)) for site_id, kind, time_us in events}
    there = {(event.site_id, event.kind, event.time.astimezone(UTC)) for event in stored}
    wrong = [event.event_id for event in stored if (event.site_id, event.kind, event.time.astimezone(UTC)) not in right]
    missing = sorted(right - there, key=lambda event: (event[2], event[1] == "enter"))
    if wrong:
        retrace_store.withdraw_events(connection, wrong)
    if missing:
        site_ids, kinds, times = zip(*missing, strict=True)
        fix_store.insert_site_events(connection, [vehicle_id] * len(missing), site_ids, kinds, times)
    elif wrong:
        retrace_store.tell_again(connection, vehicle_id)


def _put_last(connection: Connection, matcher: Matcher, vehicle_id: int, fix: np.void, site: int) -> None:
    speed_mps = float(fix["speed_mps"])
    retrace_store.set_last_position(
        connection,
        vehicle_id,
        from_microseconds(int(fix["time_us"])),
        speed_mps=None if np.isnan(speed_mps) else speed_mps,
        edge_ids=[road.edge_id for road in matcher.corridor.roads],
        site_id=matcher.site_ids[site] if site >= 0 else None,
        motion=MOTIONS[int(motions(motions_of_sites(matcher.corridor), site, int(fix["status"]), speed_mps))],
    )
