"""Drivers who are known from declarations and registers alone: found, given out, set right, erased.

Such a person has no account that says who it is. Who it is, is said by the numbers of telephone, identity paper or
licence, and by the name where one number is of several people; what is kept is found by keyed digests of these, and
compared in clear before anything is done with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from app.declarations.personal import digests_of
from app.platform.actions import ActionContext
from app.platform.encryption import key_ring
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.platform.personal_fields import digest, name_digests, person_digest, without_persons
from app.platform.sealed_json import seal
from app.privacy import drivers_store as store
from app.privacy.drivers_store import Kept
from app.privacy.store import codes_of, open_codes
from geo.errors import ConflictError, InvalidInputError
from geo.text import fold, nfc

MAX_NUMBERS: Final = 6
MIN_DIGITS: Final = 6
"""Fewer letters and digits are the number of nobody in particular."""
DECLARED_AS: Final = {
    "full_name": "driver_name",
    "phone": "driver_phone",
    "paper_number": "driver_paper_number",
    "licence_number": "driver_licence_number",
}
"""What can be set right, by its name in a register, and the name in a declaration."""
ROWS: Final = {
    "declarations": N_("Declarations"),
    "receiving vehicles": N_("Vehicles that take goods over"),
    "rows of files": N_("Rows of imported files"),
    "register": N_("Entries of registers"),
}
"""What names a driver, by what answers call it."""
KEPT_BECAUSE: Final = {
    "trips": N_("Trips are customs dossiers: kept five years, with a fee ten, under a pseudonym."),
    "declarations": N_("Declarations are customs dossiers: kept five years, without what names the driver."),
    "audit": N_("The audit log is evidence of who did what: kept for good, under a pseudonym."),
}


@dataclass(frozen=True)
class Driver:
    """Who is meant: one of the numbers, and the name where it is given."""

    numbers: tuple[str, ...] = ()
    name: str = ""

    @classmethod
    def of(cls, numbers: Iterable[str], name: str = "") -> Driver:
        """Who is meant by what somebody wrote.

        Raises
        ------
        InvalidInputError
            If a number is too short to mean somebody, there are too many, or neither number nor name is given.
        """
        written = tuple(dict.fromkeys(" ".join(nfc(number).split()) for number in numbers if number.strip()))
        tidy = " ".join(nfc(name).split())
        for number in written:
            if sum(sign.isalnum() for sign in number) < MIN_DIGITS:
                raise InvalidInputError(
                    "The number {value} is too short to mean one person.", field="numbers", value=number
                )
        if len(written) > MAX_NUMBERS:
            raise InvalidInputError("Give at most {most} numbers.", field="numbers", most=MAX_NUMBERS)
        if not written and len(fold(tidy)) < MIN_DIGITS:
            raise InvalidInputError("Give a telephone, a number of a paper, or a whole name.", field="numbers")
        return cls(written, tidy)

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Driver:
        """Out of what a request keeps."""
        numbers = record.get("numbers")
        return cls(tuple(map(str, numbers)) if isinstance(numbers, list) else (), str(record.get("name") or ""))

    def to_record(self) -> JsonObject:
        """What a request keeps, encrypted."""
        return {"numbers": list(self.numbers), "name": self.name}

    @property
    def digest(self) -> str:
        """What stands for the person where nothing else may."""
        return person_digest(self.numbers, self.name)

    @property
    def digests(self) -> list[str]:
        """What finds the person."""
        return sorted({digest(number) for number in self.numbers} or name_digests(self.name) - _words(self.name))

    def is_meant(self, name: object, numbers: Iterable[object]) -> bool:
        """Whether what a row says is of this person: one of the numbers, and the name if one was given."""
        if self.name and fold(" ".join(str(name or "").split())) != fold(self.name):
            return False
        known = {digest(number) for number in numbers if number}
        return not self.numbers or not known.isdisjoint(digest(number) for number in self.numbers)


@dataclass(frozen=True)
class Found:
    """Everything that names a person: declarations, vehicles that take goods over, rows of files, registers."""

    declared: Sequence[Kept] = ()
    receiving: Sequence[Kept] = ()
    imported: Sequence[Kept] = ()
    entries: Sequence[JsonObject] = ()
    codes: Sequence[str] = ()

    @property
    def trip_ids(self) -> list[int]:
        """The trips that the person drives by their newest declaration: what officers noted on them is of this one."""
        return sorted({kept.trip_id for kept in self.declared if kept.is_latest and kept.trip_id is not None})

    @property
    def named_trip_ids(self) -> list[int]:
        """The trips that name the person anywhere."""
        return sorted({kept.trip_id for kept in (*self.declared, *self.imported) if kept.trip_id is not None})

    @property
    def names(self) -> list[str]:
        """The names under which the person is kept: more than one shows that a number is of several people."""
        written = [str(kept.document.get("driver_name") or "") for kept in self._documents]
        return sorted({name for name in [*written, *(str(entry["full_name"]) for entry in self.entries)] if name})

    @property
    def labels(self) -> Mapping[str, str]:
        """What people call the kinds of rows."""
        return ROWS

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of what."""
        return {
            "declarations": len(self.declared),
            "receiving vehicles": len(self.receiving),
            "rows of files": len(self.imported),
            "register": len(self.entries),
        }

    @property
    def _documents(self) -> Sequence[Kept]:
        return (*self.declared, *self.receiving, *self.imported)


def find(session: Session, driver: Driver) -> Found:
    """What is kept of a person."""
    declared = [kept for kept in store.find_naming(session, store.DECLARED, driver.digests) if _names(kept, driver)]
    latest = store.latest_revisions(session, {kept.key[0] for kept in declared if isinstance(kept.key[0], int)})
    found = [replace(kept, is_latest=latest.get(kept.trip_id or 0) == kept.key[1]) for kept in declared]
    receiving, imported = (
        [kept for kept in store.find_naming(session, documents, driver.digests) if _names(kept, driver)]
        for documents in (store.RECEIVING, store.IMPORTED)
    )
    raw = (
        store.find_entries(session, driver.digests)
        if driver.numbers
        else store.find_entries_by_name(session, fold(driver.name))
    )
    entries = [
        entry
        for entry in map(_open_entry, raw)
        if driver.is_meant(entry["full_name"], [entry[name] for name in store.NUMBERS])
    ]
    result = Found(found, receiving, imported, entries)
    return replace(result, codes=codes_of(session, result.named_trip_ids))


def export(action: ActionContext, driver: Driver) -> JsonObject:
    """Everything that is kept of a person, as one JSON document; that it was taken is in the audit log."""
    found = find(action.session, driver)
    noted: dict[str, list[JsonObject]] = {}
    for trip_id, name, document in store.documents_of_trips(action.session, found.trip_ids):
        if told := of_person(document):
            noted.setdefault(name, []).append({"trip_id": trip_id, **told})
    action.record("privacy.export", "driver", driver.digest, None, found.counts)
    return {
        "made_at": action.now.isoformat(),
        "trips": list(found.codes),
        "declarations": [_said(kept) for kept in found.declared],
        "receiving vehicles": [_said(kept) for kept in found.receiving],
        "rows of files": [_said(kept) for kept in found.imported],
        "register": list(found.entries),
        "noted by officers": noted,
    }


def erase(action: ActionContext, driver: Driver, pseudonym: str) -> JsonObject:
    """Take a person out of everything that names them; how many rows of what, and what is kept because of which law.

    Raises
    ------
    ConflictError
        If the person is on a trip that is not over: the agencies on its way need to know who drives.
    """
    session, found = action.session, find(action.session, driver)
    under_way = open_codes(session, found.trip_ids)
    if under_way:
        raise ConflictError("The trip {code} is not over; erase what names its driver when it is.", code=under_way[0])
    _rewrite(session, found.declared, store.DECLARED, {"driver_name": pseudonym})
    _rewrite(session, found.receiving, store.RECEIVING, {})
    _rewrite(session, found.imported, store.IMPORTED, {})
    erased: JsonObject = {
        **found.counts,
        **erase_notes(action, found.trip_ids),
        "register": store.erase_entries(session, [_number(entry["entry_id"]) for entry in found.entries]),
    }
    session.expire_all()
    return {"erased": erased, "kept": dict(KEPT_BECAUSE)}


def erase_trips(action: ActionContext, trip_ids: Sequence[int], pseudonym: str) -> dict[str, int]:
    """Take the driver out of all declarations of trips, and out of what officers noted on them; how many rows."""
    session = action.session
    declared = list(store.find_of_trips(session, trip_ids))
    _rewrite(session, declared, store.DECLARED, {"driver_name": pseudonym})
    return {"declarations": len(declared), **erase_notes(action, trip_ids)}


def erase_notes(action: ActionContext, trip_ids: Sequence[int]) -> dict[str, int]:
    """Take what is of the driver out of what officers noted on trips, and the attached papers; how many rows."""
    session = action.session
    return {
        "notes": store.rewrite_noted(session, trip_ids, without_persons),
        "numbers seen": store.erase_numbers(session, trip_ids),
        "attached papers": store.erase_papers(session, trip_ids, action.now, action.actor.account_id),
    }


def rectify(action: ActionContext, driver: Driver, changes: Mapping[str, str]) -> JsonObject:
    """Set right what is kept of a person, in registers and declarations; how many rows of what."""
    session, found = action.session, find(action.session, driver)
    told = {DECLARED_AS[name]: value for name, value in changes.items()}
    for documents, rows in ((store.DECLARED, found.declared), (store.RECEIVING, found.receiving)):
        for kept in rows:
            document = {**kept.document, **{name: value for name, value in told.items() if name in kept.document}}
            store.rewrite_naming(session, kept, documents, _sealed(document), digests_of(document))
    store.change_entries(session, [_number(entry["entry_id"]) for entry in found.entries], changes)
    session.expire_all()
    return {"changed": sorted(changes), **found.counts}


def of_person(document: JsonObject) -> JsonObject:
    """What of a document is of the driver: what erasure would take away."""
    rest = without_persons(document, of_health=True)
    assert isinstance(rest, dict)
    return {name: value for name, value in document.items() if name not in rest or rest[name] != value}


# Pieces


def _words(name: str) -> set[str]:
    """The digests of single words: too many people share one."""
    return name_digests(name) - {digest("".join(fold(name).split()))}


def _names(kept: Kept, driver: Driver) -> bool:
    document = kept.document
    numbers = [document.get(name) for name in DECLARED_AS.values() if name != "driver_name"]
    return driver.is_meant(document.get("driver_name"), numbers)


def _said(kept: Kept) -> JsonObject:
    """What a document says of the person."""
    return {"trip_id": kept.trip_id, "row": list(kept.key), **of_person(kept.document)}


def _rewrite(session: Session, rows: Iterable[Kept], documents: store.Documents, instead: JsonObject) -> None:
    for kept in rows:
        rest = without_persons(kept.document)
        assert isinstance(rest, dict)
        # what stands in the person's place names nobody, so it is not sealed
        store.rewrite_naming(session, kept, documents, {**_sealed(rest), **instead}, ())


def _sealed(document: JsonObject) -> JsonObject:
    sealed = seal(document)
    assert isinstance(sealed, dict)
    return sealed


def _open_entry(entry: JsonObject) -> JsonObject:
    ring = key_ring()
    return {
        name: ring.decrypt(str(value)) if name in store.ENCRYPTED_OF_ENTRY and value else value
        for name, value in entry.items()
    }


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
