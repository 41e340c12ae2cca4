"""Queries on what is exchanged with neighbours. Nothing here commits."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.integrations.circuit import Circuit
from app.integrations.messages import Message
from app.integrations.tables import InMessageRow, NeighbourRow, OutMessageRow
from app.integrations.vocabulary import InStatus, OutStatus
from app.platform.encryption import EncryptedText
from app.platform.json import JsonObject


@dataclass(frozen=True)
class ClaimedMessage:
    """A message that is due; `tries` counts those that were answered with a failure."""

    out_id: int
    tries: int
    subject: str
    message: Message


@dataclass(frozen=True)
class Settled:
    """How a try to send went: `next_try_at` while it is to be tried again, `tries` how many count against it."""

    out_id: int
    status: OutStatus
    tries: int
    error: str
    took_ms: int
    next_try_at: datetime | None = None


@dataclass(frozen=True)
class Counts:
    """How many messages of a neighbour wait, and how many were given up."""

    waiting: int = 0
    dead: int = 0


# How each neighbour does


def find_neighbour(session: Session, name: str) -> NeighbourRow | None:
    """How a neighbour does, `None` if it was never connected."""
    return session.get(NeighbourRow, name, populate_existing=True)


def lock_neighbour(session: Session, name: str) -> NeighbourRow:
    """How a neighbour does, locked until the transaction ends."""
    session.execute(insert(NeighbourRow).values(name=name).on_conflict_do_nothing())
    return session.get_one(NeighbourRow, name, with_for_update=True, populate_existing=True)


def list_neighbours(session: Session) -> Mapping[str, NeighbourRow]:
    """How the neighbours do that were ever connected, by name."""
    return {row.name: row for row in session.scalars(select(NeighbourRow).execution_options(populate_existing=True))}


def is_connected(session: Session, name: str) -> bool:
    """Whether a neighbour is connected."""
    query = select(NeighbourRow.is_connected).where(NeighbourRow.name == name)
    return bool(session.scalar(query))


def connected(session: Session) -> set[str]:
    """The neighbours that are connected."""
    return set(session.scalars(select(NeighbourRow.name).where(NeighbourRow.is_connected)))


def may_push(session: Session, name: str) -> bool:
    """Whether what a neighbour pushes is taken."""
    query = select(NeighbourRow.is_connected | NeighbourRow.is_pushing).where(NeighbourRow.name == name)
    return bool(session.scalar(query))


def note_push(session: Session, name: str, now: datetime) -> None:
    """Note that a neighbour pushed."""
    session.execute(update(NeighbourRow).where(NeighbourRow.name == name).values(pushed_at=now))


def set_connected(session: Session, names: Collection[str], pushing: Collection[str] = ()) -> None:
    """Say which neighbours are connected and which push without being so, and that no others are or do."""
    for name in sorted({*names, *pushing}):
        session.execute(insert(NeighbourRow).values(name=name).on_conflict_do_nothing())
    session.execute(
        update(NeighbourRow)
        .values(is_pushing=NeighbourRow.name.in_(pushing))
        .execution_options(synchronize_session=False)
    )
    changed = NeighbourRow.is_connected != NeighbourRow.name.in_(names)
    session.execute(
        update(NeighbourRow)
        .where(changed)
        .values(is_connected=NeighbourRow.name.in_(names), failures=0, down_since=None, retry_at=None, error="")
        .execution_options(synchronize_session=False)
    )


def circuit_of(row: NeighbourRow) -> Circuit:
    """The circuit of a neighbour as it is kept."""
    return Circuit(row.failures, row.down_since, row.retry_at, row.ok_at, row.took_ms)


def keep_circuit(row: NeighbourRow, circuit: Circuit, error: str) -> None:
    """Keep the circuit of a locked neighbour, and what was wrong."""
    for name, value in asdict(circuit).items():
        setattr(row, name, value)
    row.error = error


# The outbox


def insert_out(session: Session, neighbour: str, subject: str, message: Message, now: datetime) -> bool:
    """Put a message down; whether its subject was not said before."""
    statement = (
        insert(OutMessageRow)
        .values(
            neighbour=neighbour,
            message_id=message.id,
            subject=subject,
            kind=message.kind,
            about=message.about,
            body=json.dumps(message.body, ensure_ascii=False),
            created_at=now,
            next_try_at=now,
        )
        .on_conflict_do_nothing()
        .returning(OutMessageRow.out_id)
    )
    return session.scalars(statement).one_or_none() is not None


def find_out(session: Session, neighbour: str, subject: str) -> OutMessageRow | None:
    """What was said to a neighbour of a subject, if it is not forgotten."""
    query = select(OutMessageRow).where(OutMessageRow.neighbour == neighbour, OutMessageRow.subject == subject)
    return session.scalars(query).one_or_none()


def claim_out(session: Session, neighbour: str, now: datetime, *, until: datetime, limit: int) -> list[ClaimedMessage]:
    """Take messages that are due, oldest first; nobody else gets them before `until`.

    A process that dies while it sends leaves them in the outbox: they come again then.
    """
    rows = session.execute(
        text(
            """
            WITH due AS (
                SELECT out_id FROM app.neighbour_outbox
                WHERE neighbour = :neighbour AND status = 'waiting' AND next_try_at <= :now
                ORDER BY out_id LIMIT :limit FOR UPDATE SKIP LOCKED
            )
            UPDATE app.neighbour_outbox o SET next_try_at = :until FROM due WHERE o.out_id = due.out_id
            RETURNING o.out_id, o.tries, o.subject, o.message_id, o.kind, o.about, o.created_at, o.body
            """
        ).columns(body=EncryptedText),
        {"neighbour": neighbour, "now": now, "until": until, "limit": limit},
    )
    found = [
        ClaimedMessage(
            row.out_id,
            row.tries,
            row.subject,
            Message(
                id=row.message_id, kind=row.kind, about=row.about, sent_at=row.created_at, body=json.loads(row.body)
            ),
        )
        for row in rows
    ]
    return sorted(found, key=lambda claimed: claimed.out_id)


def settle_out(session: Session, settled: Sequence[Settled], now: datetime) -> None:
    """Note how tries went; what was settled otherwise since (dropped by a person) stays so."""
    for each in settled:
        values = {
            "status": each.status,
            "tries": each.tries,
            "error": each.error,
            "took_ms": each.took_ms,
            "tried_at": now,
        }
        if each.next_try_at is not None:
            values["next_try_at"] = each.next_try_at
        session.execute(
            update(OutMessageRow)
            .where(OutMessageRow.out_id == each.out_id, OutMessageRow.status == OutStatus.WAITING)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def drop_waiting(session: Session, neighbour: str, subjects: Collection[str], now: datetime) -> None:
    """Let go of messages to a neighbour that wait, by what they were put down under."""
    session.execute(
        update(OutMessageRow)
        .where(
            OutMessageRow.neighbour == neighbour,
            OutMessageRow.subject.in_(subjects),
            OutMessageRow.status == OutStatus.WAITING,
        )
        .values(status=OutStatus.DROPPED, mended_at=now)
        .execution_options(synchronize_session=False)
    )


def hurry_out(session: Session, neighbour: str, now: datetime) -> None:
    """Let all that waits for a neighbour that answers again be due."""
    session.execute(
        update(OutMessageRow)
        .where(
            OutMessageRow.neighbour == neighbour,
            OutMessageRow.status == OutStatus.WAITING,
            OutMessageRow.tries == 0,
            OutMessageRow.next_try_at > now,
        )
        .values(next_try_at=now)
        .execution_options(synchronize_session=False)
    )


# The inbox


def receive(session: Session, neighbour: str, messages: Sequence[Message], now: datetime) -> int:
    """Put messages of a neighbour down, each once; how many were new."""
    new = 0
    for message in messages:
        statement = insert(InMessageRow).values(
            neighbour=neighbour,
            message_id=message.id,
            kind=message.kind,
            about=message.about,
            reply_to=message.reply_to,
            version=message.version,
            sent_at=message.sent_at,
            body=json.dumps(message.body, ensure_ascii=False),
            received_at=now,
            next_try_at=now,
        )
        repeated = statement.on_conflict_do_update(
            index_elements=["neighbour", "message_id"], set_={"repeats": InMessageRow.repeats + 1}
        ).returning(InMessageRow.repeats)
        new += session.scalars(repeated).one() == 0
    return new


def lock_next_in(session: Session, neighbour: str, now: datetime) -> InMessageRow | None:
    """The message that is to be taken in next, locked; `None` if there is none, or others are at work on all."""
    query = (
        select(InMessageRow)
        .where(
            InMessageRow.neighbour == neighbour,
            InMessageRow.status == InStatus.WAITING,
            InMessageRow.next_try_at <= now,
        )
        .order_by(InMessageRow.in_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def message_of(row: InMessageRow) -> Message:
    """What was received."""
    body: JsonObject = json.loads(row.body)
    return Message(
        id=row.message_id,
        kind=row.kind,
        about=row.about,
        sent_at=row.sent_at,
        reply_to=row.reply_to,
        version=row.version,
        body=body,
    )


# What waits, what was given up


def count_out(session: Session) -> dict[str, Counts]:
    """Messages to each neighbour that wait or were given up."""
    return _counts(session, OutMessageRow, OutStatus.WAITING, OutStatus.DEAD)


def count_in(session: Session) -> dict[str, Counts]:
    """Messages of each neighbour that wait or were given up."""
    return _counts(session, InMessageRow, InStatus.WAITING, InStatus.DEAD)


def _counts(
    session: Session, table: type[OutMessageRow] | type[InMessageRow], waiting: str, dead: str
) -> dict[str, Counts]:
    waits, given_up = _count(session, table, waiting), _count(session, table, dead)
    return {name: Counts(waits.get(name, 0), given_up.get(name, 0)) for name in waits.keys() | given_up.keys()}


def _count(session: Session, table: type[OutMessageRow] | type[InMessageRow], status: str) -> dict[str, int]:
    """Messages in a status, by neighbour; each status that is counted has an index of its own."""
    in_status = table.status == literal_column(f"'{status}'")
    query = select(table.neighbour, func.count()).where(in_status).group_by(table.neighbour)
    return {name: number for name, number in session.execute(query)}


def list_dead_out(session: Session, *, limit: int) -> Sequence[OutMessageRow]:
    """Messages that were given up, the oldest first."""
    query = select(OutMessageRow).where(OutMessageRow.status == OutStatus.DEAD).order_by(OutMessageRow.out_id)
    return session.scalars(query.limit(limit).execution_options(populate_existing=True)).all()


def list_dead_in(session: Session, *, limit: int) -> Sequence[InMessageRow]:
    """Messages of neighbours that could not be taken in, the oldest first."""
    query = select(InMessageRow).where(InMessageRow.status == InStatus.DEAD).order_by(InMessageRow.in_id)
    return session.scalars(query.limit(limit).execution_options(populate_existing=True)).all()


def lock_out(session: Session, out_id: int) -> OutMessageRow | None:
    """A message of the outbox, locked."""
    return session.get(OutMessageRow, out_id, with_for_update=True, populate_existing=True)


def lock_in(session: Session, in_id: int) -> InMessageRow | None:
    """A message of the inbox, locked."""
    return session.get(InMessageRow, in_id, with_for_update=True, populate_existing=True)


def prune(session: Session, before: datetime) -> None:
    """Forget messages that are settled and older than a time."""
    waits = (OutStatus.WAITING, OutStatus.DEAD)
    session.execute(delete(OutMessageRow).where(OutMessageRow.created_at < before, OutMessageRow.status.not_in(waits)))
    open_in = (InStatus.WAITING, InStatus.DEAD)
    session.execute(delete(InMessageRow).where(InMessageRow.received_at < before, InMessageRow.status.not_in(open_in)))


def forget_out(session: Session, neighbour: str, before: datetime) -> None:
    """Forget messages to a neighbour that are older than a time and do not wait, those that were given up as well."""
    query = delete(OutMessageRow).where(OutMessageRow.neighbour == neighbour, OutMessageRow.created_at < before)
    session.execute(query.where(OutMessageRow.status != OutStatus.WAITING))
