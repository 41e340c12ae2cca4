"""Speaking to neighbours from the acts of the platform, and looking after what was exchanged.

`send` writes a message in the caller's transaction, so that it exists exactly if the act does; `exchange` sends it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy.orm import Session

from app.integrations import store
from app.integrations.messages import Body, Message, parse_body, read_body
from app.integrations.neighbour import Neighbour, Neighbours
from app.integrations.store import Counts
from app.integrations.tables import InMessageRow, NeighbourRow, OutMessageRow
from app.integrations.vocabulary import Health, InStatus, OutStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.platform.personal_fields import mask, replace_personal
from geo.errors import ConflictError, CuaKhauError, InvalidInputError, NotFoundError

MAX_LISTED: Final = 200
KEEP: Final = timedelta(days=90)
"""How long messages are kept that have come to their end."""
MAX_BODY: Final = 20_000
NONE: Final = Counts()


@dataclass(frozen=True)
class NeighbourCondition:
    """How a neighbour does and what waits: to it (`out`) and of it (`coming`); `since` when it is down.

    `away_since` until `returned_at` it was away the last time; `pushed_at` when it last pushed.
    """

    neighbour: Neighbour
    health: Health
    is_simulated: bool = False
    since: datetime | None = None
    out: Counts = NONE
    coming: Counts = NONE
    ok_at: datetime | None = None
    took_ms: int | None = None
    error: str = ""
    away_since: datetime | None = None
    returned_at: datetime | None = None
    pushed_at: datetime | None = None

    @property
    def waiting(self) -> int:
        """Messages that wait, either way."""
        return self.out.waiting + self.coming.waiting

    @property
    def dead(self) -> int:
        """Messages that were given up, either way."""
        return self.out.dead + self.coming.dead

    @property
    def rank(self) -> int:
        """What a person looks at first: who is down, then whose messages were given up; who is not connected last."""
        if self.health is Health.DOWN:
            return 0
        return 3 if self.health is Health.OFF else 1 if self.dead else 2


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up: to a neighbour (`direction` `out`) or of one (`in`), with what was wrong."""

    direction: str
    number: int
    neighbour: str
    message_id: str
    kind: str
    about: str
    body: str
    at: datetime
    tries: int
    error: str


# Speaking


def send(session: Session, neighbour: str, body: Body, *, about: str, subject: str, now: datetime) -> bool:
    """Put a message to a neighbour down in the present transaction; whether it will be sent.

    It is not if the neighbour is not connected, or if the same `subject` was said to it before.
    """
    if not store.is_connected(session, neighbour):
        return False
    content = body.model_dump(mode="json")
    message = Message(id=f"ck-{uuid4().hex}", kind=body.KIND, about=about, sent_at=now, body=content)
    return store.insert_out(session, neighbour, subject, message, now)


def healths(session: Session) -> dict[str, tuple[Health, datetime | None]]:
    """How the neighbours do that were ever connected, by name, and since when one is down that does not answer."""
    rows = store.list_neighbours(session)
    found = {name: _health(row) for name, row in rows.items()}
    return {name: (health, rows[name].down_since if health is Health.DOWN else None) for name, health in found.items()}


def health_of(session: Session, neighbour: str) -> Health:
    """How a neighbour does."""
    row = store.find_neighbour(session, neighbour)
    return Health.OFF if row is None else _health(row)


# Looking after it


def conditions(session: Session, neighbours: Neighbours, principal: Principal) -> list[NeighbourCondition]:
    """How each neighbour does; raises ForbiddenError if the caller may not see it."""
    principal.require("neighbours.read")
    return read_conditions(session, neighbours)


def read_conditions(session: Session, neighbours: Neighbours) -> list[NeighbourCondition]:
    """How each neighbour does, for the platform itself."""
    rows, out, coming = store.list_neighbours(session), store.count_out(session), store.count_in(session)
    return [
        _condition(each, rows.get(each.name), out.get(each.name, NONE), coming.get(each.name, NONE))
        for each in neighbours
    ]


def gauges(found: Sequence[NeighbourCondition]) -> Mapping[str, float]:
    """The figures of neighbours behind /metrics."""
    values: dict[str, float] = {}
    for each in found:
        if each.health is Health.OFF:
            continue
        label = f'{{neighbour="{each.neighbour.name}"}}'
        if each.health.is_asked:
            values[f"neighbour_up{label}"] = float(each.health is not Health.DOWN)
        values[f"neighbour_waiting{label}"] = float(each.waiting)
        values[f"neighbour_dead{label}"] = float(each.dead)
    return values


def list_dead(session: Session, neighbours: Neighbours, principal: Principal) -> list[DeadLetter]:
    """What was given up, the oldest first; raises ForbiddenError if the caller may not see it.

    Who may not mend it sees it without what is personal in it.
    """
    principal.require("neighbours.read")
    letters = [_dead_out(row) for row in store.list_dead_out(session, limit=MAX_LISTED)]
    letters += [_dead_in(row) for row in store.list_dead_in(session, limit=MAX_LISTED)]
    if not principal.may("neighbours.write"):
        letters = [replace(letter, body=_masked(neighbours, letter)) for letter in letters]
    return sorted(letters, key=lambda letter: letter.at)[:MAX_LISTED]


def mend(action: ActionContext, neighbours: Neighbours, direction: str, number: int, body: str) -> None:
    """Send a message that was given up again, or take it in again, with its body as a person mended it.

    It keeps its identity: whoever took it before does nothing the second time.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such message, or it was not given up.
    InvalidInputError
        If the body does not fit the kind of the message.
    """
    action.actor.require("neighbours.write")
    row = _lock_dead(action.session, direction, number)
    if len(body) > MAX_BODY:
        raise InvalidInputError("Shorten {name} to {length}.", field="body", name="body", length=MAX_BODY)
    model = neighbours.get(row.neighbour).model_of(row.kind)
    written = parse_body(body)
    read_body(model, written)
    row.body = json.dumps(written, ensure_ascii=False)
    row.tries, row.next_try_at = 0, action.now
    row.mended_by, row.mended_at = action.actor_id, action.now
    _set_status(row, OutStatus.WAITING, InStatus.WAITING)
    _record(action, "neighbours.mend", row)


def drop(action: ActionContext, direction: str, number: int) -> None:
    """Let a message that was given up go for good; raises as `mend`."""
    action.actor.require("neighbours.write")
    row = _lock_dead(action.session, direction, number)
    row.mended_by, row.mended_at = action.actor_id, action.now
    _set_status(row, OutStatus.DROPPED, InStatus.DROPPED)
    _record(action, "neighbours.drop", row)


def prune(session: Session, now: datetime, *, keep_out: Mapping[str, timedelta]) -> None:
    """Forget what has come to its end long ago; of the neighbours in `keep_out` what was sent or given up sooner."""
    store.prune(session, now - KEEP)
    for neighbour, keep in keep_out.items():
        store.forget_out(session, neighbour, now - keep)


# Pieces


def _condition(neighbour: Neighbour, row: NeighbourRow | None, out: Counts, coming: Counts) -> NeighbourCondition:
    if row is None:
        return NeighbourCondition(neighbour, Health.OFF, out=out, coming=coming)
    health = _health(row)
    return NeighbourCondition(
        neighbour,
        health,
        row.is_simulated,
        row.down_since if health is Health.DOWN else None,
        out,
        coming,
        row.ok_at,
        row.took_ms,
        row.error,
        row.away_since,
        row.returned_at,
        row.pushed_at,
    )


def _health(row: NeighbourRow) -> Health:
    if row.is_pushing and not row.is_connected:
        return Health.PUSHING
    return store.circuit_of(row).health(is_connected=row.is_connected)


def _lock_dead(session: Session, direction: str, number: int) -> OutMessageRow | InMessageRow:
    row = store.lock_out(session, number) if direction == "out" else store.lock_in(session, number)
    if row is None:
        raise NotFoundError("There is no message {number}.", number=number)
    if row.status not in (OutStatus.DEAD, InStatus.DEAD):
        raise ConflictError("Only a message that was given up can be sent again.")
    return row


def _set_status(row: OutMessageRow | InMessageRow, out: OutStatus, coming: InStatus) -> None:
    row.status = str(out if isinstance(row, OutMessageRow) else coming)


def _record(action: ActionContext, act: str, row: OutMessageRow | InMessageRow) -> None:
    after = {"neighbour": row.neighbour, "kind": row.kind, "status": row.status}
    action.record(act, "neighbour_message", row.message_id, None, after)


def _dead_out(row: OutMessageRow) -> DeadLetter:
    return DeadLetter(
        "out",
        row.out_id,
        row.neighbour,
        row.message_id,
        row.kind,
        row.about,
        _pretty(row.body),
        row.created_at,
        row.tries,
        row.error,
    )


def _dead_in(row: InMessageRow) -> DeadLetter:
    return DeadLetter(
        "in",
        row.in_id,
        row.neighbour,
        row.message_id,
        row.kind,
        row.about,
        _pretty(row.body),
        row.received_at,
        row.tries,
        row.note,
    )


def _masked(neighbours: Neighbours, letter: DeadLetter) -> str:
    try:
        personal = neighbours.get(letter.neighbour).model_of(letter.kind).PERSONAL
    except CuaKhauError:  # of a neighbour or kind that there is no more: whatever it says may be personal
        return ""
    body = {name: mask(value) if name in personal else value for name, value in json.loads(letter.body).items()}
    return json.dumps(replace_personal(body, lambda _, value: mask(value)), ensure_ascii=False, indent=2)


def _pretty(body: str) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
