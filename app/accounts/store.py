"""Queries on accounts, organisations, sessions and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, Date, and_, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.accounts.tables import Account, Organisation, PowerOfAttorney, SessionRow
from app.platform.permissions import Role
from app.platform.search import matches
from geo.clock import LOCAL_ZONE
from geo.errors import NotFoundError
from geo.tables import SiteRow
from geo.text import fold
from ingest.tables import Vehicle

COMPANY_KINDS: Final = ("enterprise", "customs_agent")
"""The kinds of organisations that send goods and declare them."""


def find_session(
    session: Session, session_hash: bytes, now: datetime
) -> tuple[SessionRow, Account, frozenset[int]] | None:
    """The session with its account and whom that acts for, if it is not over and the account is not disabled."""
    bound = {"session_hash": session_hash, "now": now, "today": _today(now)}
    row = session.execute(_OPEN_SESSION, bound).one_or_none()
    return None if row is None else (row[0], row[1], frozenset(row[2]))


def acts_for(session: Session, account_id: int, now: datetime) -> frozenset[int]:
    """The other organisations that an account acts for under a power of attorney."""
    query = select(_ACTS_FOR).where(Account.account_id == account_id)
    return frozenset(session.scalar(query, {"today": _today(now)}) or ())


def stands(now: datetime) -> ColumnElement[bool]:
    """The condition that a power of attorney holds at a moment, by the calendar of the border."""
    return _stands_on(literal(_today(now)))


def _stands_on(today: ColumnElement[date]) -> ColumnElement[bool]:
    return and_(
        PowerOfAttorney.revoked_at.is_(None), PowerOfAttorney.valid_from <= today, PowerOfAttorney.valid_to >= today
    )


def _today(now: datetime) -> date:
    return now.astimezone(LOCAL_ZONE).date()


_GIVEN: Final = select(PowerOfAttorney.organisation_id).where(
    PowerOfAttorney.agent_id == Account.organisation_id,
    Account.role == str(Role.ENTERPRISE),
    _stands_on(bindparam("today", type_=Date)),
)
_ACTS_FOR: Final = select(func.array(_GIVEN.correlate(Account).scalar_subquery())).scalar_subquery()
"""The organisations that an enterprise's account acts for on the day `today`, as an array."""
_OPEN_SESSION: Final = (
    select(SessionRow, Account, _ACTS_FOR)
    .join(Account, Account.account_id == SessionRow.account_id)
    .where(
        SessionRow.session_hash == bindparam("session_hash"),
        SessionRow.expires_at > bindparam("now"),
        Account.disabled_at.is_(None),
    )
)
"""Made once: every request asks for it, and to put it together took as long as to send it."""


@dataclass(frozen=True)
class ListedPower:
    """A power of attorney with the names of both sides."""

    power: PowerOfAttorney
    organisation: str
    agent: str


def list_powers(session: Session, concerned: Collection[int] | None, *, limit: int = 500) -> list[ListedPower]:
    """Powers of attorney that organisations gave or hold (`None`: all), newest first."""
    giver, agent = aliased(Organisation), aliased(Organisation)
    query = (
        select(PowerOfAttorney, giver.name, agent.name)
        .join(giver, giver.organisation_id == PowerOfAttorney.organisation_id)
        .join(agent, agent.organisation_id == PowerOfAttorney.agent_id)
        .order_by(PowerOfAttorney.power_id.desc())
        .limit(limit)
    )
    if concerned is not None:
        query = query.where(
            or_(PowerOfAttorney.organisation_id.in_(concerned), PowerOfAttorney.agent_id.in_(concerned))
        )
    return [ListedPower(*row) for row in session.execute(query)]


def agents_of(session: Session, organisation_ids: Collection[int], now: datetime) -> dict[int, list[int]]:
    """Who holds the power of attorney of each of some organisations."""
    found: dict[int, list[int]] = {}
    query = select(PowerOfAttorney.organisation_id, PowerOfAttorney.agent_id).where(
        PowerOfAttorney.organisation_id.in_(organisation_ids), stands(now)
    )
    for organisation_id, agent_id in session.execute(query) if organisation_ids else ():
        found.setdefault(organisation_id, []).append(agent_id)
    return found


def lock_power(session: Session, power_id: int) -> PowerOfAttorney | None:
    """A power of attorney, locked until the transaction ends."""
    return session.scalars(
        select(PowerOfAttorney).where(PowerOfAttorney.power_id == power_id).with_for_update()
    ).one_or_none()


def find_company(session: Session, name: str, *, limit: int = 2) -> Sequence[Organisation]:
    """Enterprises and customs agents of a name, accents and case left aside."""
    query = select(Organisation).where(
        Organisation.kind.in_(COMPANY_KINDS), func.app.fold(Organisation.name) == fold(" ".join(name.split()))
    )
    return session.scalars(query.limit(limit)).all()


def accounts_of_organisation(session: Session, organisation_id: int) -> Sequence[Account]:
    """The accounts of an organisation by name, disabled ones last."""
    return session.scalars(
        select(Account)
        .where(Account.organisation_id == organisation_id)
        .order_by(Account.disabled_at.is_not(None), Account.full_name, Account.account_id)
        .limit(500)
    ).all()


def touch_session(session: Session, session_hash: bytes, **values: datetime | int | None) -> None:
    """Note of a session that it is in use, or that whose it is was proven."""
    session.execute(
        update(SessionRow)
        .where(SessionRow.session_hash == session_hash)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def list_sessions(session: Session, account_id: int, now: datetime) -> Sequence[SessionRow]:
    """The sessions of an account that are not over, latest use first."""
    return session.scalars(
        select(SessionRow)
        .where(SessionRow.account_id == account_id, SessionRow.expires_at > now)
        .order_by(SessionRow.last_seen_at.desc())
    ).all()


def delete_session(session: Session, session_hash: bytes) -> None:
    """End one session."""
    session.execute(delete(SessionRow).where(SessionRow.session_hash == session_hash))


def delete_sessions(session: Session, account_id: int, *, but: bytes | None = None) -> int:
    """End all sessions of an account (except `but`); how many."""
    statement = delete(SessionRow).where(SessionRow.account_id == account_id)
    if but is not None:
        statement = statement.where(SessionRow.session_hash != but)
    return len(session.execute(statement.returning(SessionRow.session_hash)).all())


def delete_expired_sessions(session: Session, now: datetime) -> None:
    """Clear away sessions that are over."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))


def find_account(session: Session, account_id: int) -> Account | None:
    """An account in use by its number."""
    account = session.get(Account, account_id)
    return None if account is None or account.disabled_at is not None else account


def usernames(session: Session, account_ids: Collection[int]) -> dict[int, str]:
    """User names by account."""
    rows = session.execute(select(Account.account_id, Account.username).where(Account.account_id.in_(account_ids)))
    return {account_id: username for account_id, username in rows}


def accounts_named(session: Session, query: str, *, limit: int = 500) -> Sequence[int]:
    """The accounts whose names hold what is typed; none for an empty query."""
    named = select(Account.account_id).where(matches(query, Account.username, Account.full_name)).limit(limit)
    return session.scalars(named).all() if query.strip() else []


def find_account_by_name(session: Session, username: str) -> Account | None:
    """The account of a user name, disabled or not."""
    return session.scalars(select(Account).where(Account.username == username)).one_or_none()


def accounts_of_person(session: Session, account_id: int) -> frozenset[int]:
    """The accounts, disabled ones included, of the person whose account this is; with it."""
    person = func.coalesce(Account.person_id, Account.account_id)
    of_this = select(person).where(Account.account_id == account_id).scalar_subquery()
    return frozenset(session.scalars(select(Account.account_id).where(person == of_this))) | {account_id}


def is_person_with_role(session: Session, account_id: int, role: Role) -> bool:
    """Whether a person has an account of a role that is not disabled, this one or another."""
    query = select(Account.account_id).where(
        Account.account_id.in_(accounts_of_person(session, account_id)),
        Account.role == role,
        Account.disabled_at.is_(None),
    )
    return session.scalar(query.limit(1)) is not None


def get_account(session: Session, account_id: int) -> Account:
    """An account by its number.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotFoundError("There is no account {account_id}.", account_id=account_id)
    return account


def list_accounts(
    session: Session, *, query: str = "", role: str = "", after: int = 0, limit: int = 50
) -> Sequence[tuple[Account, Organisation | None]]:
    """Accounts with their organisation in order of number, beginning after number `after`."""
    statement = (
        select(Account, Organisation)
        .outerjoin(Organisation, Organisation.organisation_id == Account.organisation_id)
        .where(Account.account_id > after)
        .order_by(Account.account_id)
        .limit(limit)
    )
    if query:
        statement = statement.where(matches(query, Account.username, Account.full_name, Organisation.name))
    if role:
        statement = statement.where(Account.role == role)
    return [(account, organisation) for account, organisation in session.execute(statement)]


def has_administrator(session: Session) -> bool:
    """Whether there is an administrator, a disabled one included."""
    return session.scalar(select(Account.account_id).where(Account.role == Role.ADMINISTRATOR).limit(1)) is not None


def lock_administrators(session: Session) -> None:
    """Let nobody else make the first administrator until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("administrators", 0))))


def accounts_by_role(session: Session) -> dict[tuple[str, str | None], int]:
    """How many accounts that are not disabled there are of each role at each gate (`None`: at none)."""
    query = select(Account.role, Account.gate_id, func.count()).where(Account.disabled_at.is_(None))
    return {(role, gate_id): n for role, gate_id, n in session.execute(query.group_by(Account.role, Account.gate_id))}


def count_accounts(session: Session) -> int:
    """How many accounts there are, disabled ones included."""
    return session.scalar(select(func.count()).select_from(Account)) or 0


def find_organisation(session: Session, organisation_id: int) -> Organisation | None:
    """An organisation by its number."""
    return session.get(Organisation, organisation_id)


def find_organisation_by_name(session: Session, name: str) -> Organisation | None:
    """An organisation by its name."""
    return session.scalars(select(Organisation).where(Organisation.name == name)).one_or_none()


def find_organisation_by_tax_number(session: Session, tax_number: str) -> Organisation | None:
    """An organisation by its tax number in usual form."""
    return session.scalars(select(Organisation).where(Organisation.tax_number == tax_number)).one_or_none()


def organisation_names(session: Session, organisation_ids: Collection[int]) -> dict[int, str]:
    """What organisations are called, by number."""
    if not organisation_ids:
        return {}
    query = select(Organisation.organisation_id, Organisation.name)
    rows = session.execute(query.where(Organisation.organisation_id.in_(organisation_ids)))
    return {organisation_id: name for organisation_id, name in rows}


def list_organisations(session: Session) -> Sequence[Organisation]:
    """All organisations by name."""
    return session.scalars(select(Organisation).order_by(Organisation.name)).all()


def search_enterprises(session: Session, query: str, *, limit: int) -> Sequence[Organisation]:
    """Enterprises and customs agents whose name holds the words asked for."""
    return session.scalars(
        select(Organisation)
        .where(Organisation.kind.in_(COMPANY_KINDS), matches(query, Organisation.name))
        .order_by(Organisation.name)
        .limit(limit)
    ).all()


def list_yard_companies(session: Session) -> Sequence[Organisation]:
    """Companies that run yards, by name."""
    return session.scalars(select(Organisation).where(Organisation.kind == "yard").order_by(Organisation.name)).all()


def has_gate(session: Session, gate_id: str) -> bool:
    """Whether the corridor has this gate."""
    return session.scalar(select(SiteRow.site_id).where(SiteRow.site_id == gate_id, SiteRow.kind == "gate")) is not None


def find_vehicle_by_plate(session: Session, plate_norm: str) -> int | None:
    """The vehicle with a plate in normal form."""
    return session.scalar(select(Vehicle.vehicle_id).where(Vehicle.plate_norm == plate_norm))


def find_plate(session: Session, vehicle_id: int | None) -> str:
    """The plate of a vehicle, empty if there is none."""
    vehicle = None if vehicle_id is None else session.get(Vehicle, vehicle_id)
    return "" if vehicle is None else vehicle.plate


def has_vehicle(session: Session, vehicle_id: int) -> bool:
    """Whether there is this vehicle."""
    return session.get(Vehicle, vehicle_id) is not None


def account_names(session: Session, account_ids: Collection[int]) -> dict[int, str]:
    """Full names by account."""
    if not account_ids:
        return {}
    query = select(Account.account_id, Account.full_name).where(Account.account_id.in_(account_ids))
    return {account_id: full_name for account_id, full_name in session.execute(query)}
