"""From stream entries to stored, matched, published fixes: one ordered list of steps.

Each step takes the batch as the one before left it. Steps 1–3 only compute; `store` is one transaction; `publish`
tells the others. If the worker dies anywhere, its entries are processed again and nothing is stored twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from psycopg2.errors import CheckViolation, UniqueViolation
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from geo.clock import Clock
from geo.geodesy import distance_m
from geo.matching import Matcher, Places, SiteEvents, Status, site_events
from ingest import binary_copy, fix_store
from ingest.device_traits import DeviceTraits
from ingest.fixes import FIX, FLAG_JUMP, FLAG_LATE, FLAG_SECOND, FLAG_SPEED_DERIVED, Attributes, FixArray, unpack
from ingest.formats.report import AttributeValues, from_microseconds, to_microseconds
from ingest.latest import NEVER, Latest, Slots, add_suspect
from ingest.mending import note_exceptions
from ingest.motions import MOTIONS, motions, motions_of_sites
from ingest.placing import as_fixes, place_fixes, take
from ingest.positions import PublishedPosition
from ingest.receivers import find_seconds, led_since
from ingest.speeds import derived_mps
from ingest.stream import refused

PASSAGE_GAP_S = 6 * 3600.0
"""A vehicle silent for longer begins a new passage."""
POSITIONS_CHANNEL = "ck:positions"
LAST_KEY = "ck:last"
_UNKNOWN_SPEED_AFTER_S = 600.0
_DAY_US = 86_400_000_000

Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


FAR_DEG: Final = 0.5
"""Some 50 km; how far about the corridor fixes are stored."""


@dataclass
class Context:
    """What the steps need besides the batch; lives as long as the worker."""

    engine: Engine
    redis: Redis
    clock: Clock
    matcher: Matcher
    retention_days: int
    latest: Latest = field(default_factory=Latest)
    traits: DeviceTraits = field(default_factory=DeviceTraits)
    plates: dict[int, str] = field(default_factory=dict)
    ways_waiting: bool = True
    """Whether ways may be asked to be taken again (`ingest.mending`)."""
    days: set[int] = field(default_factory=set)
    """Days since 1970 that have a partition for sure."""
    keep_far: bool = False
    """Whether fixes far from the corridor are stored: where else a truck goes is its enterprise's business."""

    def __post_init__(self) -> None:
        corridor = self.matcher.corridor
        bounds = np.array([road.geometry.bounds for road in corridor.roads])
        self._near = (*(bounds[:, :2].min(axis=0) - FAR_DEG), *(bounds[:, 2:].max(axis=0) + FAR_DEG))
        self.edge_ids = [road.edge_id for road in corridor.roads]
        self.road_names = [road.road for road in corridor.roads]
        self.site_ids = list(self.matcher.site_ids)
        self.motion_of_site = motions_of_sites(corridor)
        self.gate_of_site = [corridor.sites[site_id].gate_id for site_id in self.site_ids]

    def is_far(self, lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> Flags:
        """Which positions are more than `FAR_DEG` outside the box about the corridor's roads."""
        west, south, east, north = self._near
        far: Flags = (lon < west) | (lon > east) | (lat < south) | (lat > north)
        return far


@dataclass
class Batch:
    """A micro-batch on its way through the steps; `fixes` are sorted by vehicle and time after `validate`."""

    payloads: Sequence[dict[bytes, bytes]]
    direct: bool = True
    """Whether fixes newer than all known may be copied straight into the table."""
    fixes: FixArray = field(default_factory=lambda: np.empty(0, FIX))
    attributes: list[AttributeValues | None] | None = None
    vehicles: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    slots: Slots = field(default_factory=lambda: np.empty(0, np.intp))
    vehicle_of: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    """Row → index into `vehicles`."""
    late: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    second: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    """Of a receiver that does not lead."""
    leader: tuple[npt.NDArray[np.int64], ...] = ()
    """Of each vehicle the receiver that leads by now, when it was last heard, since when without a gap."""
    jump: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    places: Places | None = None
    events: SiteEvents | None = None
    newest: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    """Rows that become last positions, one a vehicle."""
    motion: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    speed_mps: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    passage: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    counts: Counter[str] = field(default_factory=Counter)


def decode(batch: Batch, _context: Context) -> None:
    """Stream entries → one array of fixes."""
    parts: list[FixArray] = []
    attributes: Attributes = {}
    start = 0
    for payload in batch.payloads:
        fixes, own = unpack(payload)
        attributes |= {start + row: values for row, values in own.items()}
        parts.append(fixes)
        start += len(fixes)
    batch.fixes = np.concatenate(parts) if parts else np.empty(0, FIX)
    batch.attributes = [attributes.get(row) for row in range(start)] if attributes else None


def validate(batch: Batch, context: Context) -> None:
    """Sort by vehicle and time; drop repeats, what is beyond the retention or far away; tell late from new."""
    fixes = batch.fixes
    oldest = fix_store.oldest_day(context.clock.now(), context.retention_days)
    oldest_us = to_microseconds(datetime.combine(oldest, time(), UTC))
    newest_us = to_microseconds(datetime.combine(context.clock.now().date(), time(), UTC) + timedelta(days=2))
    order = np.lexsort((fixes["time_us"], fixes["vehicle_id"]))
    ordered = fixes[order]
    repeat = np.zeros(len(order), np.bool_)
    repeat[1:] = (ordered["vehicle_id"][1:] == ordered["vehicle_id"][:-1]) & (
        ordered["time_us"][1:] == ordered["time_us"][:-1]
    )
    too_old, future = ordered["time_us"] < oldest_us, ordered["time_us"] >= newest_us
    far = np.zeros(len(order), np.bool_) if context.keep_far else context.is_far(ordered["lon"], ordered["lat"])
    keep = ~(repeat | too_old | future | far)
    batch.counts["fixes_duplicate_total"] += int(repeat.sum())
    batch.counts[refused("too_old")] += int((too_old & ~repeat).sum())
    batch.counts[refused("future")] += int((future & ~repeat).sum())
    batch.counts[refused("far")] += int((far & ~(repeat | too_old | future)).sum())
    batch.fixes = ordered if keep.all() else ordered[keep]
    if batch.attributes is not None:
        batch.attributes = [batch.attributes[row] for row in order[keep].tolist()]
    vehicle_id = batch.fixes["vehicle_id"].astype(np.int64)
    begins = np.diff(vehicle_id, prepend=-1) != 0  # they are in order: no need to sort them once more
    batch.vehicles, batch.vehicle_of = vehicle_id[begins], np.cumsum(begins) - 1
    missing = context.latest.missing(batch.vehicles)
    if missing:
        with context.engine.connect() as connection:
            context.latest.learn(missing, fix_store.load_latest(connection, missing, context.site_ids))
            context.plates |= fix_store.load_plates(connection, missing)
    batch.slots = context.latest.slots(batch.vehicles)
    known_us = context.latest.rows["time_us"][batch.slots]
    batch.late = batch.fixes["time_us"] <= known_us[batch.vehicle_of]


def judge(batch: Batch, context: Context) -> None:
    """Speeds that can be true, in the unit of the device; which of a truck's receivers leads."""
    batch.fixes = fixes = context.traits.judge(batch.fixes, context.engine, context.clock.now())
    rows = context.latest.rows[batch.slots]
    known = rows["leader_id"].copy(), rows["leader_us"].copy(), rows["leader_since_us"].copy()
    leader_id, leader_us = known[0].copy(), known[1].copy()
    device_id, time_us, of = fixes["device_id"], fixes["time_us"], batch.vehicle_of
    batch.second = find_seconds(of, device_id, time_us, leader_id, leader_us, skip=batch.late)
    since_us = led_since(of, device_id, time_us, ~batch.second & ~batch.late, known)
    if batch.late.any():  # what another receiver reports late from within that time moves nothing either
        while_led = (time_us >= known[2][of]) & (time_us <= known[1][of])
        batch.second |= batch.late & while_led & (device_id > 0) & (device_id != known[0][of])
    batch.leader = (leader_id, leader_us, since_us)


def match(batch: Batch, context: Context) -> None:
    """Place fixes on roads, tell jumps, find geofences entered and left and what each vehicle is doing."""
    fixes, latest = batch.fixes, context.latest.rows[batch.slots]
    previous = context.latest.places(batch.slots)
    batch.places = places = place_fixes(context.matcher, fixes, batch.second, latest, previous)
    batch.jump = places.unlikely & ~batch.late & ~batch.second
    flags = batch.fixes["flags"].copy()
    flags[batch.late] |= FLAG_LATE
    flags[batch.jump] |= FLAG_JUMP
    flags[batch.second] |= FLAG_SECOND
    batch.fixes["flags"] = flags

    trusted = np.flatnonzero(~batch.late & ~batch.jump & ~batch.second)
    last = np.flatnonzero(np.diff(batch.vehicle_of[trusted], append=-1))
    batch.newest = trusted[last]
    with_trusted = np.unique(batch.vehicle_of[trusted])
    own = trusted if len(trusted) < len(fixes) else slice(None)
    batch.events = site_events(
        as_fixes(fixes[own]), take(places, own), context.latest.places(batch.slots[with_trusted])
    )
    _describe(batch, context, trusted, last)


def _describe(batch: Batch, context: Context, trusted: Rows, last: Rows) -> None:
    """Speed, motion and passage of the newest fix of each vehicle."""
    assert batch.places is not None
    newest = batch.newest
    fix, place = batch.fixes[newest], take(batch.places, newest)
    known = context.latest.rows[batch.slots[batch.vehicle_of[newest]]]
    # where the vehicle was just before: in this batch, else its last position
    before = trusted[np.maximum(last - 1, 0)]
    inside = (last > 0) & (batch.vehicle_of[before] == batch.vehicle_of[newest])
    before_fix = batch.fixes[before]
    elapsed_s = (fix["time_us"] - np.where(inside, before_fix["time_us"], known["time_us"])) / 1e6
    elapsed_s = np.where(inside | (known["time_us"] != NEVER), elapsed_s, np.nan)
    before_lon = np.where(inside, before_fix["lon"], known["lon"])
    before_lat = np.where(inside, before_fix["lat"], known["lat"])
    moved_m = distance_m(before_lon, before_lat, fix["lon"], fix["lat"])
    elapsed_s[(elapsed_s < 1.0) | (elapsed_s > _UNKNOWN_SPEED_AFTER_S)] = np.nan
    reported = fix["speed_mps"]
    derive = np.isnan(reported) & np.isfinite(elapsed_s)
    batch.speed_mps = np.where(derive, derived_mps(moved_m, elapsed_s), reported).astype(np.float32)
    flags = batch.fixes["flags"]
    flags[newest[derive]] |= FLAG_SPEED_DERIVED

    batch.motion = motions(context.motion_of_site, place.site, place.status, batch.speed_mps)

    silent_s = np.where(known["time_us"] == NEVER, np.inf, (fix["time_us"] - known["time_us"]) / 1e6)
    turned = (place.direction != 0) & (known["direction"] != 0) & (place.direction != known["direction"])
    new = (silent_s > PASSAGE_GAP_S) | turned
    batch.passage = np.where(new, fix["time_us"] // 1_000_000, known["passage"])


def make_partitions(batch: Batch, context: Context) -> None:
    """See that each day of the batch has its partition: upkeep may be late, or a day's was lost."""
    days = set(np.unique(batch.fixes["time_us"] // _DAY_US).tolist())
    if days <= context.days:
        return
    dates = sorted(from_microseconds(number * _DAY_US).date() for number in days - context.days)
    with context.engine.begin() as connection:
        for day in dates:
            fix_store.ensure_partitions(connection, day, day)
    context.days |= days


def store(batch: Batch, context: Context) -> None:
    """One transaction: fixes, last positions, site events. Afterwards the worker knows the new places."""
    assert batch.places is not None
    assert batch.events is not None
    columns = _fix_columns(batch.fixes, batch.places, batch.attributes)
    newer = batch.fixes["time_us"] > context.latest.rows["stored_us"][batch.slots][batch.vehicle_of]
    certain = ~batch.late & ~batch.jump & newer if batch.direct else np.zeros(len(batch.fixes), np.bool_)
    events = batch.events
    with context.engine.begin() as connection:
        stored = 0
        if certain.any():
            stored += fix_store.copy_fixes(connection, binary_copy.encode(_chosen(columns, certain)))
        if not certain.all():
            stored += fix_store.insert_fixes(connection, binary_copy.encode(_chosen(columns, ~certain)))
        if len(batch.newest):
            fix_store.upsert_last_positions(connection, binary_copy.encode(_last_columns(batch, context, columns)))
        if len(events.vehicle):
            fix_store.insert_site_events(
                connection,
                events.vehicle.tolist(),
                [context.site_ids[site] for site in events.site],
                ["enter" if entered else "leave" for entered in events.entered],
                [from_microseconds(round(moment * 1e6)) for moment in events.time_s],
            )
        asked = note_exceptions(connection, batch.fixes, jump=batch.jump, late=_out_of_order(batch, context))
    context.ways_waiting = context.ways_waiting or asked
    batch.counts["fixes_stored_total"] += stored
    batch.counts["fixes_duplicate_total"] += len(batch.fixes) - stored
    batch.counts["fixes_late_total"] += int(batch.late.sum())
    batch.counts[refused("impossible_jump")] += int(batch.jump.sum())
    batch.counts["fixes_matched_total"] += int((batch.places.status != Status.OFF_CORRIDOR).sum())
    _advance(batch, context)


def _out_of_order(batch: Batch, context: Context) -> Flags:
    """Fixes older than some that were judged without them, so that the vehicle's way is to be taken again."""
    known, of, fixes = context.latest.rows[batch.slots], batch.vehicle_of, batch.fixes
    between = ~batch.late & (fixes["time_us"] <= known["stored_us"][of])
    among_suspects = fixes["time_us"] <= known["suspect_us"].max(axis=1)[of]
    found: Flags = (batch.late & ~batch.second) | (
        between & (among_suspects | (fixes["device_id"] != known["leader_id"][of]))
    )
    return found


def _advance(batch: Batch, context: Context) -> None:
    assert batch.places is not None
    rows, places, newest = context.latest.rows, batch.places, batch.newest
    slots = batch.slots[batch.vehicle_of[newest]]
    for name in ("time_us", "lon", "lat"):
        rows[name][slots] = batch.fixes[name][newest]
    for name in ("road_id", "offset_m", "direction", "site"):
        rows[name][slots] = getattr(places, name)[newest]
    rows["passage"][slots] = batch.passage
    for name, values in zip(("leader_id", "leader_us", "leader_since_us"), batch.leader, strict=True):
        rows[name][batch.slots] = values
    last_us = batch.fixes["time_us"][np.flatnonzero(np.diff(batch.vehicle_of, append=-1))]  # of each vehicle
    rows["stored_us"][batch.slots] = np.maximum(rows["stored_us"][batch.slots], last_us)
    for row in np.flatnonzero(batch.jump).tolist():  # in order of time
        fix = batch.fixes[row]
        slot = batch.slots[batch.vehicle_of[row]]
        add_suspect(rows[slot], fix["time_us"], fix["lon"], fix["lat"], fix["accuracy_m"])


def publish(batch: Batch, context: Context) -> None:
    """Publish the last positions that advanced: the channel `ck:positions` (a JSON array) and the hash `ck:last`."""
    if not len(batch.newest):
        return
    positions = list(_positions(batch, context))
    encoded = [orjson.dumps(position) for position in positions]
    # Not in one pipeline: in a cluster a message has no node of its own.
    context.redis.hset(
        LAST_KEY,
        mapping={str(position["vehicle_id"]): text for position, text in zip(positions, encoded, strict=True)},
    )
    context.redis.publish(POSITIONS_CHANNEL, b"[" + b",".join(encoded) + b"]")


STEPS: tuple[Callable[[Batch, Context], None], ...] = (
    decode,
    validate,
    judge,
    match,
    make_partitions,
    store,
    publish,
)


def run(payloads: Sequence[dict[bytes, bytes]], context: Context) -> Counter[str]:
    """Take stream entries through all steps; what to add to the platform's counters.

    Raises
    ------
    MalformedError
        If an entry cannot be read.
    """
    try:
        return _run(Batch(payloads), context)
    except (IntegrityError, UniqueViolation, CheckViolation):
        # Somebody else stored fixes of our vehicles, or a day's partition is gone: ask again, trust nothing.
        context.latest.clear()
        context.days.clear()
        return _run(Batch(payloads, direct=False), context)


def _run(batch: Batch, context: Context) -> Counter[str]:
    for step in STEPS:
        step(batch, context)
        if not len(batch.fixes):
            break
    return batch.counts


def _fix_columns(
    fixes: FixArray, places: Places, attributes: list[AttributeValues | None] | None
) -> list[binary_copy.Column]:
    """In the order of `fix_store.FIX_COLUMNS`."""
    documents = [None if values is None else b"\x01" + orjson.dumps(values) for values in attributes or ()]
    return [
        binary_copy.integers(fixes["vehicle_id"], 4),
        binary_copy.times(fixes["time_us"]),
        binary_copy.integers(fixes["device_id"], 8),
        binary_copy.points(fixes["lon"], fixes["lat"]),
        binary_copy.reals(fixes["speed_mps"]),
        binary_copy.reals(fixes["heading_deg"]),
        binary_copy.reals(fixes["accuracy_m"]),
        binary_copy.integers(places.road_id, 4, places.road_id < 0),
        binary_copy.reals(places.offset_m),
        binary_copy.reals(places.km),
        binary_copy.integers(places.direction, 2),
        binary_copy.integers(places.status, 2),
        binary_copy.integers(fixes["flags"], 4),
        binary_copy.times(fixes["received_us"]),
        binary_copy.texts(documents) if attributes is not None else binary_copy.nulls(len(fixes)),
    ]


def _last_columns(batch: Batch, context: Context, columns: list[binary_copy.Column]) -> list[binary_copy.Column]:
    """In the order of `fix_store.LAST_COLUMNS`."""
    assert batch.places is not None
    newest = batch.newest
    own = _chosen(columns, newest)
    own[4] = binary_copy.reals(batch.speed_mps)
    return [
        *own,
        binary_copy.coded_texts(batch.places.road_id[newest], context.edge_ids),
        binary_copy.coded_texts(batch.places.site[newest], context.site_ids),
        binary_copy.coded_texts(batch.motion, MOTIONS),
        binary_copy.integers(batch.passage, 8),
    ]


def _chosen(columns: list[binary_copy.Column], rows: Any) -> list[binary_copy.Column]:
    if rows.dtype == np.bool_ and rows.all():
        return columns
    return [binary_copy.Column(column.values[rows], column.lengths[rows]) for column in columns]


def _positions(batch: Batch, context: Context) -> Iterable[PublishedPosition]:
    assert batch.places is not None
    fixes, places = batch.fixes[batch.newest], take(batch.places, batch.newest)
    moments = np.datetime_as_string(fixes["time_us"].astype("datetime64[us]"), unit="ms", timezone="UTC")
    for vehicle_id, moment, lon, lat, speed, heading, road_id, km, direction, site, motion in zip(
        fixes["vehicle_id"].tolist(),
        moments.tolist(),
        fixes["lon"].round(6).tolist(),
        fixes["lat"].round(6).tolist(),
        _rounded(batch.speed_mps, 2),
        _rounded(fixes["heading_deg"], 1),
        places.road_id.tolist(),
        _rounded(places.km, 4),
        places.direction.tolist(),
        places.site.tolist(),
        batch.motion.tolist(),
        strict=True,
    ):
        yield {
            "vehicle_id": vehicle_id,
            "plate": context.plates.get(vehicle_id),
            "time": moment,
            "lon": lon,
            "lat": lat,
            "speed_mps": speed,
            "heading_deg": heading,
            "edge_id": None if road_id < 0 else context.edge_ids[road_id],
            "road": None if road_id < 0 else context.road_names[road_id],
            "km": km,
            "direction": direction,
            "site": None if site < 0 else context.site_ids[site],
            "gate": None if site < 0 else context.gate_of_site[site],
            "state": MOTIONS[motion],
        }


def _rounded(values: npt.NDArray[Any], digits: int) -> list[float | None]:
    """As JSON numbers; orjson writes NaN as null."""
    rounded: list[float | None] = values.astype(np.float64).round(digits).tolist()
    return rounded
