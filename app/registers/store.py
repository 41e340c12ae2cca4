"""Queries on the registers' entries, their documents and dates of expiry. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, cast

from sqlalchemy import ColumnElement, Integer, and_, column, false, func, or_, select, text, values
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.platform.encryption import key_ring
from app.platform.personal_fields import digest
from app.platform.search import matches
from app.registers.scope import holder_of
from app.registers.tables import (
    ExpiryWarning,
    RegisteredContainer,
    RegisteredDocument,
    RegisteredDriver,
    RegisteredVehicle,
    VehicleHolding,
    digests_of,
)
from app.registers.vocabulary import Subject
from ingest.tables import Vehicle

Entry = RegisteredVehicle | RegisteredDriver | RegisteredContainer
MAX_LISTED: Final = 1000


@dataclass(frozen=True)
class ListedVehicle:
    """A vehicle on file with its plate."""

    entry: RegisteredVehicle
    plate: str
    plate_norm: str


@dataclass(frozen=True)
class ListedDriver:
    """A driver on file, with the user name of the account and the plate usually driven."""

    entry: RegisteredDriver
    username: str | None
    usual_plate: str | None


@dataclass(frozen=True)
class Expiring:
    """A date of an enterprise's registers; `subject` tells it from others, `what` is a field or kind of document."""

    organisation_id: int
    subject: str
    what: str
    name: str
    expires_on: date


def vehicles(session: Session, organisation_ids: Collection[int], query: str = "") -> list[ListedVehicle]:
    """Vehicles on file of some enterprises, by plate."""
    return _vehicles(
        session,
        RegisteredVehicle.organisation_id.in_(organisation_ids),
        matches(query, Vehicle.plate, Vehicle.plate_norm, RegisteredVehicle.note),
    )


def find_vehicle_entry(session: Session, organisation_ids: Collection[int], entry_id: int) -> ListedVehicle | None:
    """A vehicle on file of one of the enterprises."""
    mine = RegisteredVehicle.organisation_id.in_(organisation_ids)
    found = _vehicles(session, mine, RegisteredVehicle.entry_id == entry_id)
    return found[0] if found else None


def find_entry_of_vehicle(session: Session, organisation_id: int, vehicle_id: int) -> RegisteredVehicle | None:
    """An enterprise's entry of a vehicle."""
    return session.scalars(
        select(RegisteredVehicle).where(
            RegisteredVehicle.organisation_id == organisation_id,
            RegisteredVehicle.vehicle_id == vehicle_id,
            RegisteredVehicle.removed_at.is_(None),
        )
    ).one_or_none()


def chassis_number_of(session: Session, vehicle_id: int, organisation_id: int) -> str:
    """The chassis number of a vehicle: as who has proven it keeps it, else as an enterprise does; "" if not."""
    query = (
        select(RegisteredVehicle.chassis_number)
        .outerjoin(
            VehicleHolding,
            and_(
                VehicleHolding.vehicle_id == RegisteredVehicle.vehicle_id,
                VehicleHolding.organisation_id == RegisteredVehicle.organisation_id,
                VehicleHolding.ended_at.is_(None),
            ),
        )
        .where(
            RegisteredVehicle.vehicle_id == vehicle_id,
            RegisteredVehicle.removed_at.is_(None),
            RegisteredVehicle.chassis_number != "",
            or_(VehicleHolding.holding_id.is_not(None), RegisteredVehicle.organisation_id == organisation_id),
        )
        .order_by(VehicleHolding.holding_id.nulls_last(), RegisteredVehicle.entry_id)
        .limit(1)
    )
    return session.scalar(query) or ""


def _vehicles(session: Session, *conditions: ColumnElement[bool]) -> list[ListedVehicle]:
    rows = session.execute(
        select(RegisteredVehicle, Vehicle.plate, Vehicle.plate_norm)
        .join(Vehicle, Vehicle.vehicle_id == RegisteredVehicle.vehicle_id)
        .where(RegisteredVehicle.removed_at.is_(None), *conditions)
        .order_by(Vehicle.plate_norm)
        .limit(MAX_LISTED)
    )
    return [ListedVehicle(*row) for row in rows]


def drivers(session: Session, organisation_ids: Collection[int], query: str = "") -> list[ListedDriver]:
    """Drivers on file of some enterprises, by name; by telephone or the number of a paper if it is typed whole."""
    searched = (RegisteredDriver.full_name, Vehicle.plate)
    mine = RegisteredDriver.organisation_id.in_(organisation_ids)
    numbered = RegisteredDriver.number_digests.contains([digest(query)])
    return _drivers(session, mine, or_(matches(query, *searched), numbered))


def find_driver_entry(session: Session, organisation_ids: Collection[int], entry_id: int) -> ListedDriver | None:
    """A driver on file of one of the enterprises."""
    mine = RegisteredDriver.organisation_id.in_(organisation_ids)
    found = _drivers(session, mine, RegisteredDriver.entry_id == entry_id)
    return found[0] if found else None


def find_driver_of_account(session: Session, organisation_id: int, account_id: int) -> RegisteredDriver | None:
    """An enterprise's entry of the driver who signs in with an account."""
    return session.scalars(
        select(RegisteredDriver).where(
            RegisteredDriver.organisation_id == organisation_id,
            RegisteredDriver.account_id == account_id,
            RegisteredDriver.removed_at.is_(None),
        )
    ).one_or_none()


@dataclass(frozen=True)
class Contact:
    """How a driver is reached: a telephone, and the language that they read."""

    phone: str
    language: str


@dataclass(frozen=True)
class Reaching:
    """Whom to reach: who drives a truck, with the account that drives it and the enterprise of its trip, if known."""

    vehicle_id: int
    account_id: int | None
    organisation_id: int | None


def find_contacts(session: Session, wanted: Collection[Reaching]) -> dict[Reaching, Contact]:
    """The telephones of trucks' drivers as their enterprises keep them, in one query: of who signs in with an account,
    else of who usually drives the truck. The enterprise is that given, else who holds the truck."""
    numbered = list(dict.fromkeys(wanted))
    if not numbered:
        return {}
    asked = values(
        column("number", Integer),
        column("vehicle_id", Integer),
        column("account_id", Integer),
        column("organisation_id", Integer),
        name="asked",
    ).data([(n, each.vehicle_id, each.account_id, each.organisation_id) for n, each in enumerate(numbered)])
    # Where nobody has an account or an enterprise, PostgreSQL takes a column of nothing but NULL for text.
    enterprise = func.coalesce(sql_cast(asked.c.organisation_id, Integer), holder_of(Vehicle.vehicle_id))
    is_driver = RegisteredDriver.account_id == sql_cast(asked.c.account_id, Integer)
    rows = session.execute(
        select(asked.c.number, RegisteredDriver.phone, RegisteredDriver.language)
        .join(Vehicle, Vehicle.vehicle_id == asked.c.vehicle_id)
        .join(RegisteredDriver, RegisteredDriver.organisation_id == enterprise)
        .where(
            RegisteredDriver.removed_at.is_(None),
            or_(is_driver, RegisteredDriver.usual_vehicle_id == asked.c.vehicle_id),
        )
        .order_by(asked.c.number, func.coalesce(is_driver, false()).desc(), RegisteredDriver.entry_id)
    )
    found: dict[Reaching, Contact] = {}
    for number, phone, language in rows:
        if phone:
            found.setdefault(numbered[number], Contact(phone, language))
    return found


def _drivers(session: Session, *conditions: ColumnElement[bool]) -> list[ListedDriver]:
    rows = session.execute(
        select(RegisteredDriver, Account.username, Vehicle.plate)
        .outerjoin(Account, Account.account_id == RegisteredDriver.account_id)
        .outerjoin(Vehicle, Vehicle.vehicle_id == RegisteredDriver.usual_vehicle_id)
        .where(RegisteredDriver.removed_at.is_(None), *conditions)
        .order_by(RegisteredDriver.full_name, RegisteredDriver.entry_id)
        .limit(MAX_LISTED)
    )
    return [ListedDriver(*row) for row in rows]


def containers(session: Session, organisation_ids: Collection[int], query: str = "") -> Sequence[RegisteredContainer]:
    """Containers on file of some enterprises, by number."""
    return session.scalars(
        select(RegisteredContainer)
        .where(
            RegisteredContainer.organisation_id.in_(organisation_ids),
            RegisteredContainer.removed_at.is_(None),
            matches(query, RegisteredContainer.number, RegisteredContainer.note),
        )
        .order_by(RegisteredContainer.number)
        .limit(MAX_LISTED)
    ).all()


def find_container(session: Session, organisation_id: int, number: str) -> RegisteredContainer | None:
    """An enterprise's entry of a container, by its number in the normal form."""
    return session.scalars(
        select(RegisteredContainer).where(
            RegisteredContainer.organisation_id == organisation_id,
            RegisteredContainer.number == number,
            RegisteredContainer.removed_at.is_(None),
        )
    ).one_or_none()


ENTRY_CLASSES: Final[Mapping[Subject, type[Entry]]] = {
    Subject.VEHICLE: RegisteredVehicle,
    Subject.DRIVER: RegisteredDriver,
    Subject.CONTAINER: RegisteredContainer,
}


def lock_entry(session: Session, subject: Subject, organisation_ids: Collection[int], entry_id: int) -> Entry | None:
    """An entry of one of the enterprises, locked until the transaction ends; there is none of other subjects."""
    entry_class = ENTRY_CLASSES.get(subject)
    if entry_class is None:
        return None
    query = select(entry_class).where(
        entry_class.entry_id == entry_id,
        entry_class.organisation_id.in_(organisation_ids),
        entry_class.removed_at.is_(None),
    )
    found = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    return cast(Entry | None, found)


def documents(
    session: Session, organisation_ids: Collection[int], subject: Subject | None = None, entry_id: int | None = None
) -> Sequence[RegisteredDocument]:
    """Documents of some enterprises, those that expire first before the others."""
    query = select(RegisteredDocument).where(
        RegisteredDocument.organisation_id.in_(organisation_ids), RegisteredDocument.removed_at.is_(None)
    )
    if subject is not None:
        query = query.where(RegisteredDocument.subject == subject)
    if entry_id is not None:
        query = query.where(RegisteredDocument.entry_id == entry_id)
    ordered = query.order_by(RegisteredDocument.expires_on.nulls_last(), RegisteredDocument.document_id)
    return session.scalars(ordered.limit(MAX_LISTED)).all()


def lock_document(session: Session, organisation_ids: Collection[int], document_id: int) -> RegisteredDocument | None:
    """A document of one of the enterprises, locked until the transaction ends."""
    return session.scalars(
        select(RegisteredDocument)
        .where(
            RegisteredDocument.document_id == document_id,
            RegisteredDocument.organisation_id.in_(organisation_ids),
            RegisteredDocument.removed_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()


def expiring(
    session: Session,
    since: date,
    until: date,
    organisation_ids: Collection[int] | None = None,
    *,
    numbered: bool = False,
) -> list[Expiring]:
    """Every date of the registers in [`since`, `until`], of some enterprises or all, the nearest first.

    `numbered`: a document is named by its number too, which is for its enterprise alone and is kept nowhere else.
    """
    rows = session.execute(
        text(
            """
            SELECT organisation_id, subject, what, name, expires_on, number FROM (
                SELECT r.organisation_id, 'vehicle:' || r.entry_id AS subject, 'inspection' AS what, v.plate AS name,
                       r.inspection_expires AS expires_on, NULL AS number
                FROM app.registered_vehicle r JOIN ingest.vehicle v USING (vehicle_id) WHERE r.removed_at IS NULL
                UNION ALL
                SELECT organisation_id, 'identity:' || entry_id, 'identity', full_name, paper_expires, NULL
                FROM app.registered_driver WHERE removed_at IS NULL
                UNION ALL
                SELECT organisation_id, 'licence:' || entry_id, 'licence', full_name, licence_expires, NULL
                FROM app.registered_driver WHERE removed_at IS NULL
                UNION ALL
                SELECT d.organisation_id, 'document:' || d.document_id, d.kind,
                       coalesce(v.plate, r.full_name, c.number), d.expires_on, d.number
                FROM app.registered_document d
                LEFT JOIN app.registered_vehicle rv ON d.subject = 'vehicle' AND rv.entry_id = d.entry_id
                LEFT JOIN ingest.vehicle v ON v.vehicle_id = rv.vehicle_id
                LEFT JOIN app.registered_driver r ON d.subject = 'driver' AND r.entry_id = d.entry_id
                LEFT JOIN app.registered_container c ON d.subject = 'container' AND c.entry_id = d.entry_id
                WHERE d.removed_at IS NULL
            ) dates
            WHERE expires_on BETWEEN :since AND :until
                AND (CAST(:organisation_ids AS integer[]) IS NULL OR organisation_id = ANY(:organisation_ids))
            ORDER BY expires_on, subject
            """
        ),
        {
            "since": since,
            "until": until,
            "organisation_ids": None if organisation_ids is None else list(organisation_ids),
        },
    )
    ring, found = key_ring(), []
    for organisation_id, subject, what, name, expires_on, token in rows:
        number = ring.decrypt(token) if numbered and token is not None else None
        named = " · ".join(each for each in (name, number) if each)
        found.append(Expiring(organisation_id, subject, what, named, expires_on))
    return found


def put_on_file(
    session: Session, vehicles: Sequence[Mapping[str, object]], drivers: Sequence[Mapping[str, object]]
) -> None:
    """Entries of many vehicles and drivers at once, by the columns of their tables; what is on file already stays."""
    numbered = [{**row, "number_digests": digests_of(row)} for row in drivers]
    for entry_class, rows in ((RegisteredVehicle, vehicles), (RegisteredDriver, numbered)):
        if rows:
            session.execute(insert(entry_class).on_conflict_do_nothing(), [dict(row) for row in rows])


def add_warning(session: Session, found: Expiring, days_before: int, now: datetime) -> bool:
    """Note that an enterprise is warned of a date at a distance; whether it had not been yet."""
    query = (
        insert(ExpiryWarning)
        .values(
            organisation_id=found.organisation_id,
            subject=found.subject,
            expires_on=found.expires_on,
            days_before=days_before,
            warned_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ExpiryWarning.days_before)
    )
    return session.scalars(query).one_or_none() is not None
