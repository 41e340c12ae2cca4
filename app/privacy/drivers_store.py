"""Queries on what is kept of drivers who may have no account: found by digests, read and erased. Nothing here commits.

What is kept of a person lies in many features' tables; where it is of a driver is written here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import TableClause, Text, and_, column, select, table, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from app.platform.encryption import EncryptedText
from app.platform.json import JsonObject
from app.platform.personal_fields import OFFICERS_TEXT, digest
from app.platform.sealed_json import SealedJson


@dataclass(frozen=True)
class Kept:
    """A row that names a driver: its table, key, and the document that does so, in clear."""

    table: str
    key: tuple[object, ...]
    document: JsonObject
    trip_id: int | None = None
    is_latest: bool = True


@dataclass(frozen=True)
class Documents:
    """A column of documents that name drivers, of a table that keeps digests beside it."""

    table: str
    keys: tuple[str, ...]
    column: str

    @property
    def rows(self) -> TableClause:
        """The table with the columns that are needed here."""
        return table(
            self.table,
            *(column(name) for name in dict.fromkeys((*self.keys, "trip_id"))),
            column(self.column, SealedJson()),
            column("driver_digests", ARRAY(Text)),
            schema="app",
        )


DECLARED: Final = Documents("declaration", ("trip_id", "revision"), "data")
RECEIVING: Final = Documents("transshipment_receiver", ("transshipment_id", "plate"), "details")
IMPORTED: Final = Documents("declaration_import_row", ("import_id", "number"), "written")
NAMING: Final = (DECLARED, RECEIVING, IMPORTED)
"""What names a driver and is found by digests."""
OF_TRIPS: Final = (
    ("trip_step", ("trip_id", "step"), "data"),
    ("trip_event", ("event_id",), "data"),
    ("correction", ("correction_id",), "old"),
    ("correction", ("correction_id",), "new"),
    ("override", ("override_id",), "details"),
)
"""What officers noted on trips, which may be of the driver."""
_ENTRY: Final = (
    "entry_id, organisation_id, account_id, full_name, phone, language, paper, paper_number, paper_expires, "
    "licence_number, licence_class, licence_expires, note, created_at, removed_at"
)
NUMBERS: Final = ("phone", "paper_number", "licence_number")
"""What identifies a driver in a register, beside the name."""
ENCRYPTED_OF_ENTRY: Final = ("phone", "paper_number", "licence_number", "note")


def find_naming(session: Session, documents: Documents, digests: Collection[str]) -> Iterator[Kept]:
    """The rows whose digests hold one of some."""
    rows = documents.rows
    places = [rows.c[key] for key in documents.keys]
    named = rows.c.driver_digests.op("&&")(list(digests))
    query = select(rows.c.trip_id, rows.c[documents.column], *places).where(named)
    for trip_id, document, *key in session.execute(query.order_by(*places)).all():
        yield Kept(documents.table, tuple(key), document, trip_id)


def find_of_trips(session: Session, trip_ids: Collection[int]) -> Iterator[Kept]:
    """All declarations of trips."""
    rows = DECLARED.rows
    query = select(rows.c.trip_id, rows.c.revision, rows.c.data).where(rows.c.trip_id.in_(list(trip_ids)))
    for trip_id, revision, document in session.execute(query).all():
        yield Kept(DECLARED.table, (trip_id, revision), document, trip_id)


def latest_revisions(session: Session, trip_ids: Collection[int]) -> dict[int, int]:
    """The newest revision of trips' declarations."""
    query = text("SELECT trip_id, max(revision) FROM app.declaration WHERE trip_id = ANY(:trips) GROUP BY trip_id")
    return {trip_id: revision for trip_id, revision in session.execute(query, {"trips": list(trip_ids)})}


def find_entries(session: Session, digests: Collection[str]) -> Sequence[JsonObject]:
    """Entries of registers whose numbers' digests hold one of some, as they are kept."""
    query = text(
        f"SELECT to_jsonb(kept) FROM (SELECT {_ENTRY} FROM app.registered_driver "  # noqa: S608 - our own names
        "WHERE number_digests && CAST(:digests AS text[]) ORDER BY entry_id) kept"
    )
    return session.scalars(query, {"digests": list(digests)}).all()


def find_entries_by_name(session: Session, folded: str) -> Sequence[JsonObject]:
    """Entries of registers of a whole name, folded."""
    query = text(
        f"SELECT to_jsonb(kept) FROM (SELECT {_ENTRY} FROM app.registered_driver "  # noqa: S608 - our own names
        "WHERE app.fold(full_name) = :name ORDER BY entry_id LIMIT 1000) kept"
    )
    return session.scalars(query, {"name": folded}).all()


def rewrite_naming(
    session: Session, kept: Kept, documents: Documents, becomes: JsonObject, digests: Sequence[str]
) -> None:
    """Put another document in the place of one, as it is to be stored, and the digests of who it names."""
    rows = table(
        documents.table,
        *(column(key) for key in documents.keys),
        column(documents.column, JSONB),
        column("driver_digests", ARRAY(Text)),
        schema="app",
    )
    same = and_(*(rows.c[name] == value for name, value in zip(documents.keys, kept.key, strict=True)))
    session.execute(update(rows).where(same).values({documents.column: becomes, "driver_digests": list(digests)}))


def documents_of_trips(session: Session, trip_ids: Collection[int]) -> Iterator[tuple[int, str, JsonObject]]:
    """What officers noted on trips: trip, table, document in clear."""
    for name, keys, held in OF_TRIPS:
        rows = _noted(name, keys, held)
        for trip_id, document in session.execute(
            select(rows.c.trip_id, rows.c[held]).where(rows.c.trip_id.in_(list(trip_ids)))
        ).all():
            yield trip_id, name, document


def rewrite_noted(session: Session, trip_ids: Collection[int], rewrite: Callable[[object], object]) -> int:
    """Put what `rewrite` makes of officers' notes on trips in their place, where it differs; how many."""
    changed = 0
    for name, keys, held in OF_TRIPS:
        rows = _noted(name, keys, held)
        places = [rows.c[key] for key in keys]
        listed = select(*places, rows.c.step if name != "trip_event" else text("NULL"), rows.c[held])
        for row in session.execute(listed.where(rows.c.trip_id.in_(list(trip_ids)))).all():
            *key, step, document = row
            whole = {"step": step, "document": document} if step is not None else {"document": document}
            after = rewrite(whole)
            assert isinstance(after, dict)
            if after["document"] != document:
                same = and_(*(place == value for place, value in zip(places, key, strict=True)))
                session.execute(update(rows).where(same).values({held: after["document"]}))
                changed += 1
    return changed


def _noted(name: str, keys: Sequence[str], held: str) -> TableClause:
    known = {*keys, "trip_id", *(() if name == "trip_event" else ("step",))}
    also = ("seen", "declared") if name == "override" else OFFICERS_TEXT
    return table(name, *(column(each) for each in known), column(held, SealedJson(also=also)), schema="app")


def erase_numbers(session: Session, trip_ids: Collection[int]) -> int:
    """Take the numbers of drivers' papers out of what was seen on trips; digests stay. How many rows."""
    bound = {"trips": list(trip_ids)}
    reached = [
        session.execute(
            text(
                f"WITH reached AS (UPDATE app.{name} SET personal = NULL WHERE part = 'driver' "  # noqa: S608
                "AND trip_id = ANY(:trips) AND personal IS NOT NULL RETURNING 1) SELECT count(*) FROM reached"
            ),
            bound,
        ).scalar_one()
        for name in ("observation", "finding")
    ]
    return sum(reached)


def erase_papers(session: Session, trip_ids: Collection[int], now: datetime, by: int) -> int:
    """Erase the attached papers of the drivers of trips; that they were there stays. How many."""
    return int(
        session.execute(
            text(
                "WITH reached AS (UPDATE app.attachment SET content = NULL, name = '', removed_at = :now, "
                "removed_by = :by, removed_reason = 'erasure' WHERE trip_id = ANY(:trips) AND kind = 'driver_papers' "
                "AND removed_at IS NULL RETURNING 1) SELECT count(*) FROM reached"
            ),
            {"trips": list(trip_ids), "now": now, "by": by},
        ).scalar_one()
    )


def erase_entries(session: Session, entry_ids: Collection[int]) -> int:
    """Erase entries of registers with their papers; how many."""
    bound = {"entries": list(entry_ids)}
    session.execute(
        text("DELETE FROM app.registered_document WHERE subject = 'driver' AND entry_id = ANY(:entries)"), bound
    )
    erased = text(
        "WITH reached AS (DELETE FROM app.registered_driver WHERE entry_id = ANY(:entries) RETURNING 1) "
        "SELECT count(*) FROM reached"
    )
    return int(session.execute(erased, bound).scalar_one())


def change_entries(session: Session, entry_ids: Collection[int], changes: Mapping[str, str]) -> None:
    """Set columns of registers' entries right, their digests with them."""
    rows = table(
        "registered_driver",
        column("entry_id"),
        column("full_name"),
        *(column(name, EncryptedText()) for name in NUMBERS),
        column("number_digests", ARRAY(Text)),
        column("version"),
        schema="app",
    )
    held_now = select(rows.c.entry_id, *(rows.c[name] for name in NUMBERS)).where(rows.c.entry_id.in_(entry_ids))
    for entry_id, *held in session.execute(held_now).all():
        known = dict(zip(NUMBERS, held, strict=True)) | dict(changes)
        digests = sorted({digest(known[name]) for name in NUMBERS if known[name]})
        values = {**changes, "number_digests": digests, "version": rows.c.version + 1}
        session.execute(update(rows).where(rows.c.entry_id == entry_id).values(**values))
