"""Dead letters: fixes that no worker can store, kept with the reason until a person mends, replays or drops them.

They are kept in PostgreSQL and not in the stream, which must stay short: there they survive with everything else, are
in every backup, and each is kept once however often its worker died over it.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from geo.clock import parse_time
from geo.errors import ConflictError, InvalidInputError, MalformedError, NotFoundError
from ingest import dead_letter_store
from ingest.fixes import FIX, Attributes, FixArray, pack, unpack
from ingest.formats.report import AttributeValues, from_microseconds, to_microseconds
from ingest.stream import StreamEntry, stream_key
from ingest.tables import DeadLetter as DeadLetter

WHOLE_ENTRY = -1
"""`row` of a dead letter that is a whole entry, since its fixes cannot be read."""
MAX_REASON_CHARACTERS = 1000
Fields = Mapping[bytes, bytes]


class DeadLetterKind(StrEnum):
    """Why a fix cannot be stored, in one word."""

    UNREADABLE = "unreadable"
    REFUSED = "refused"
    """A step of the pipeline or the database refuses it."""
    DEADLY = "deadly"
    """Workers that took it alone ended with it."""
    UNSENT = "unsent"
    """Nothing is wrong with it: Redis was away, and who brought it does not repeat. Control sends it."""


@dataclass(frozen=True)
class Remains:
    """A part of an entry that cannot be stored: its row (`WHOLE_ENTRY` for all of it), its fields, and why."""

    row: int
    fields: Fields
    kind: DeadLetterKind
    reason: str


@dataclass
class Salvage:
    """What became of an entry that failed: counters of what was stored, and what could not be."""

    counts: Counter[str] = field(default_factory=Counter)
    remains: list[Remains] = field(default_factory=list)


@dataclass(frozen=True)
class DeadFix:
    """A dead letter as people read it; what cannot be read from it is `None`."""

    dead_letter_id: int
    died_at: datetime
    kind: str
    reason: str
    door: str | None
    device_id: int | None
    vehicle_id: int | None
    time: datetime | None
    lat: float | None
    lon: float | None
    speed_mps: float | None
    heading_deg: float | None
    accuracy_m: float | None
    attributes: AttributeValues | None
    replayed_at: datetime | None


def store_what_can_be(
    fields: Fields, store: Callable[[Fields], Counter[str]], never_its_fault: tuple[type[Exception], ...]
) -> Salvage:
    """Store an entry that failed as a whole in ever smaller halves, so that what is wrong costs nothing else.

    `store` takes the fields of an entry and gives counters. What it raises is the fix's fault unless it is
    `never_its_fault` (a server is away), which is raised on.
    """
    salvage = Salvage()
    try:
        fixes, attributes = unpack(dict(fields))
    except MalformedError as error:
        salvage.remains.append(Remains(WHOLE_ENTRY, fields, DeadLetterKind.UNREADABLE, str(error)))
        return salvage

    def store_rows(start: int, end: int) -> None:
        part = part_of(fields, fixes, attributes, start, end)
        try:
            salvage.counts.update(store(part))
        except never_its_fault:
            raise
        except Exception as error:  # whatever it is: it is this fix that causes it
            if end - start > 1:
                middle = (start + end) // 2
                store_rows(start, middle)
                store_rows(middle, end)
            else:
                salvage.remains.append(Remains(start, part, DeadLetterKind.REFUSED, f"{type(error).__name__}: {error}"))

    if len(fixes):
        store_rows(0, len(fixes))
    return salvage


def part_of(fields: Fields, fixes: FixArray, attributes: Attributes, start: int, end: int) -> dict[bytes, bytes]:
    """The fields of an entry with some rows of `fields`."""
    own = {row - start: values for row, values in attributes.items() if start <= row < end}
    packed = {
        name if isinstance(name, bytes) else name.encode(): value for name, value in pack(fixes[start:end], own).items()
    }
    return {**{name: value for name, value in fields.items() if name == b"d"}, **packed}


def halve(fields: Fields) -> list[dict[bytes, bytes]]:
    """The two halves of an entry; none if it has a single fix or cannot be read."""
    try:
        fixes, attributes = unpack(dict(fields))
    except MalformedError:
        return []
    middle = len(fixes) // 2
    if not middle:
        return []
    return [part_of(fields, fixes, attributes, *rows) for rows in ((0, middle), (middle, len(fixes)))]


def give_up(fields: Fields, reason: str) -> Remains:
    """What remains of an entry of one fix, or of one that cannot be read, that ends workers."""
    try:
        row = 0 if len(unpack(dict(fields))[0]) == 1 else WHOLE_ENTRY
    except MalformedError:
        row = WHOLE_ENTRY
    return Remains(row, fields, DeadLetterKind.DEADLY, reason)


def letter(entry: StreamEntry, remains: Remains, now: datetime) -> dict[str, object]:
    """The row of the table that keeps `remains`."""
    device_id = vehicle_id = None
    if remains.row != WHOLE_ENTRY:
        fixes, _ = unpack(dict(remains.fields))
        device_id, vehicle_id = int(fixes["device_id"][0]), int(fixes["vehicle_id"][0])
    return {
        "stream": stream_key(entry.shard),
        "entry_id": entry.entry_id.decode(),
        "row": remains.row,
        "kind": remains.kind,
        "reason": remains.reason.replace("\0", "\\0")[:MAX_REASON_CHARACTERS],
        "door": remains.fields.get(b"d", b"").decode(errors="replace") or None,
        "device_id": device_id,
        "vehicle_id": vehicle_id,
        "fields": {name.decode("latin-1"): base64.b64encode(value).decode() for name, value in remains.fields.items()},
        "died_at": now,
    }


def list_dead(session: Session, *, limit: int = 100, after: int = 0) -> list[DeadFix]:
    """Dead letters that wait, oldest first, with ids above `after`."""
    return [_read(row) for row in dead_letter_store.list_waiting(session, limit=limit, after=after)]


def count_dead(session: Session) -> dict[str, int]:
    """How many dead letters wait, by `DeadLetterKind`."""
    return dead_letter_store.count_waiting(session)


def get_dead(session: Session, dead_letter_id: int) -> DeadFix:
    """One dead letter.

    Raises
    ------
    NotFoundError
        If there is none of that number.
    """
    return _read(_get(session, dead_letter_id))


def replay(
    session: Session,
    redis: Redis,
    dead_letter_id: int,
    shards: int,
    *,
    now: datetime,
    mend: Mapping[str, object] | None = None,
) -> DeadFix:
    """Put a dead letter back into the stream, mended if asked; as it was sent. The caller commits.

    `mend` replaces values: `vehicle_id`, `device_id`, `time` (RFC 3339), `lat`, `lon`, `speed_mps`, `heading_deg`,
    `accuracy_m` (numbers, `None` for unknown), `attributes` (an object of plain values, `None` for none). Should the
    transaction fail after the fix was sent, replaying it again does no harm: a fix is stored once.

    Raises
    ------
    NotFoundError
        If there is none of that number.
    ConflictError
        If it was replayed already.
    InvalidInputError
        If `mend` names something else, or the letter cannot be read and so not be mended.
    """
    row = _get(session, dead_letter_id)
    if row.replayed_at is not None:
        raise ConflictError("Dead letter {id} was replayed on {time}.", id=dead_letter_id, time=row.replayed_at)
    fields = _fields(row)
    try:
        fixes, attributes = unpack(fields)
        readable = len(fixes) == 1
    except MalformedError:
        readable = False
    if mend and not readable:
        raise InvalidInputError("Dead letter {id} cannot be read, so it cannot be mended.", id=dead_letter_id)
    stream = row.stream
    if readable:
        fixes, values = _mended(fixes, attributes.get(0), mend or {})
        fields = part_of(fields, fixes, {0: values} if values else {}, 0, 1)
        stream = stream_key(int(fixes["vehicle_id"][0]) % shards)
    redis.xadd(stream, fields)  # type: ignore[arg-type]
    dead_letter_store.mark_replayed(session, dead_letter_id, now)
    session.refresh(row)
    return _read(row)


def keep_unsent(session: Session, shard: int, name: str, fields: Fields, door: str, now: datetime) -> None:
    """Keep a fix that cannot be sent to the workers now, under a name of its own; a repeat keeps it once."""
    entry = StreamEntry(shard, name.encode(), {**fields, b"d": door.encode()})
    remains = Remains(0, entry.fields, DeadLetterKind.UNSENT, "The queue was away.")
    dead_letter_store.add(session.connection(), [letter(entry, remains, now)])


def send_unsent(session: Session, redis: Redis, shards: int, now: datetime) -> int:
    """Send the fixes that waited for Redis, as far as it takes them; how many. The caller commits."""
    sent = 0
    for row in dead_letter_store.list_waiting(session, limit=1_000, kind=DeadLetterKind.UNSENT):
        try:
            replay(session, redis, row.dead_letter_id, shards, now=now)
        except RedisError:
            break
        sent += 1
    return sent


def drop(session: Session, dead_letter_id: int) -> None:
    """Throw a dead letter away. The caller commits.

    Raises
    ------
    NotFoundError
        If there is none of that number.
    """
    if not dead_letter_store.drop(session, dead_letter_id):
        raise _no_letter(dead_letter_id)


def _get(session: Session, dead_letter_id: int) -> DeadLetter:
    found = dead_letter_store.find(session, dead_letter_id)
    if found is None:
        raise _no_letter(dead_letter_id)
    return found


def _no_letter(dead_letter_id: int) -> NotFoundError:
    return NotFoundError("There is no dead letter {id}.", id=dead_letter_id)


def _fields(row: DeadLetter) -> dict[bytes, bytes]:
    return {name.encode("latin-1"): base64.b64decode(str(value)) for name, value in row.fields.items()}


def _read(row: DeadLetter) -> DeadFix:
    values: dict[str, float | None] = dict.fromkeys(("lat", "lon", "speed_mps", "heading_deg", "accuracy_m"))
    moment, attributes = None, None
    try:
        fixes, all_attributes = unpack(_fields(row))
    except MalformedError:
        fixes = np.empty(0, FIX)
    if len(fixes) == 1:
        fix = fixes[0]
        values = {name: None if math.isnan(fix[name]) else float(fix[name]) for name in values}
        attributes = all_attributes.get(0)
        try:
            moment = from_microseconds(int(fix["time_us"]))
        except (OverflowError, ValueError, OSError):
            moment = None
    return DeadFix(
        dead_letter_id=row.dead_letter_id,
        died_at=row.died_at,
        kind=row.kind,
        reason=row.reason,
        door=row.door,
        device_id=row.device_id,
        vehicle_id=row.vehicle_id,
        time=moment,
        attributes=attributes,
        replayed_at=row.replayed_at,
        **values,
    )


def _mended(
    fixes: FixArray, attributes: AttributeValues | None, mend: Mapping[str, object]
) -> tuple[FixArray, AttributeValues | None]:
    fixes = fixes.copy()
    for name, value in mend.items():
        wrong = InvalidInputError(
            "{value} cannot be the {name} of a fix.", field=name, name=name, value=str(value)[:80]
        )
        if name == "attributes":
            if value is not None and not isinstance(value, dict):
                raise wrong
            attributes = value
        elif name == "time" and isinstance(value, str):
            fixes["time_us"] = to_microseconds(parse_time(value).astimezone(UTC))
        elif name in {"vehicle_id", "device_id"} and isinstance(value, int) and not isinstance(value, bool):
            try:
                fixes[name] = value
            except OverflowError:
                raise wrong from None
        elif name in {"lat", "lon", "speed_mps", "heading_deg", "accuracy_m"} and (
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        ):
            if value is None and name in {"lat", "lon"}:
                raise wrong
            fixes[name] = math.nan if value is None else value
        else:
            raise wrong
    return fixes, attributes
