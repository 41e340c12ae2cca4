"""Queries on accounts, organisations, sessions and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.tables import Account, Organisation, SessionRow
from geo.errors import NotFoundError
from geo.tables import SiteRow
from ingest.tables import Vehicle


def find_session(session: Session, session_hash: bytes, now: datetime) -> tuple[SessionRow, Account] | None:
    """The session with its account, if it is not over and the account is not disabled."""
    row = session.execute(
        select(SessionRow, Account)
        .join(Account, Account.account_id == SessionRow.account_id)
        .where(SessionRow.session_hash == session_hash, SessionRow.expires_at > now, Account.disabled_at.is_(None))
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def touch_session(session: Session, session_hash: bytes, now: datetime, expires_at: datetime) -> None:
    """Note that a session is in use."""
    session.execute(
        update(SessionRow)
        .where(SessionRow.session_hash == session_hash)
        .values(last_seen_at=now, expires_at=expires_at)
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


def find_account_by_name(session: Session, username: str) -> Account | None:
    """The account of a user name, disabled or not."""
    return session.scalars(select(Account).where(Account.username == username)).one_or_none()


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
        statement = statement.where(
            or_(
                Account.username.icontains(query, autoescape=True),
                Account.full_name.icontains(query, autoescape=True),
                Organisation.name.icontains(query, autoescape=True),
            )
        )
    if role:
        statement = statement.where(Account.role == role)
    return [(account, organisation) for account, organisation in session.execute(statement)]


def count_accounts(session: Session) -> int:
    """How many accounts there are, disabled ones included."""
    return session.scalar(select(func.count()).select_from(Account)) or 0


def find_organisation(session: Session, organisation_id: int) -> Organisation | None:
    """An organisation by its number."""
    return session.get(Organisation, organisation_id)


def find_organisation_by_name(session: Session, name: str) -> Organisation | None:
    """An organisation by its name."""
    return session.scalars(select(Organisation).where(Organisation.name == name)).one_or_none()


def list_organisations(session: Session) -> Sequence[Organisation]:
    """All organisations by name."""
    return session.scalars(select(Organisation).order_by(Organisation.name)).all()


def has_gate(session: Session, gate_id: str) -> bool:
    """Whether the corridor has this gate."""
    return session.scalar(select(SiteRow.site_id).where(SiteRow.site_id == gate_id, SiteRow.kind == "gate")) is not None


def has_vehicle(session: Session, vehicle_id: int) -> bool:
    """Whether there is this vehicle."""
    return session.get(Vehicle, vehicle_id) is not None


def account_names(session: Session, account_ids: Collection[int]) -> dict[int, str]:
    """Full names by account."""
    query = select(Account.account_id, Account.full_name).where(Account.account_id.in_(account_ids))
    return {account_id: full_name for account_id, full_name in session.execute(query)}
