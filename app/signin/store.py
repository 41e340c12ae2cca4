"""Queries on second factors, identities at a provider and requests to take factors away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.signin.tables import AuthenticatorApp, FactorReset, Passkey, ProviderIdentity, RecoveryCode
from app.signin.vocabulary import ResetStatus
from geo.database import records


@dataclass(frozen=True)
class ListedReset:
    """A request to take factors away, with who it is about and who asked."""

    reset_id: int
    account_id: int
    username: str
    reason: str
    asked_by: int
    asked_by_name: str
    asked_at: datetime


def find_app(session: Session, account_id: int, *, lock: bool = False) -> AuthenticatorApp | None:
    """The authenticator app of an account."""
    query = select(AuthenticatorApp).where(AuthenticatorApp.account_id == account_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def list_passkeys(session: Session, account_id: int) -> Sequence[Passkey]:
    """The passkeys of an account, oldest first."""
    return session.scalars(select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.passkey_id)).all()


def find_passkey(session: Session, credential_id: bytes) -> Passkey | None:
    """A passkey, locked until the transaction ends."""
    query = select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()
    return session.scalars(query).one_or_none()


def count_recovery_codes(session: Session, account_id: int) -> int:
    """How many recovery codes of an account are left."""
    query = select(func.count()).where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def use_recovery_code(session: Session, account_id: int, code_hash: bytes, now: datetime) -> bool:
    """Use up a recovery code; whether there was one."""
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.code_hash == code_hash,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.code_hash)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(statement).one_or_none() is not None


def delete_recovery_codes(session: Session, account_id: int) -> None:
    """Forget the recovery codes of an account."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def delete_factors(session: Session, account_id: int) -> None:
    """Forget every second factor of an account."""
    for table in (AuthenticatorApp, Passkey, RecoveryCode):
        session.execute(delete(table).where(table.account_id == account_id))
    session.expire_all()


def find_identity(session: Session, issuer: str, subject: str) -> ProviderIdentity | None:
    """An identity at a provider."""
    return session.get(ProviderIdentity, (issuer, subject))


def list_identities(session: Session, account_id: int) -> Sequence[ProviderIdentity]:
    """The identities that an account is linked to."""
    query = select(ProviderIdentity).where(ProviderIdentity.account_id == account_id)
    return session.scalars(query.order_by(ProviderIdentity.linked_at)).all()


def lock_reset(session: Session, reset_id: int) -> FactorReset | None:
    """A request to take factors away, locked until the transaction ends."""
    return session.scalars(select(FactorReset).where(FactorReset.reset_id == reset_id).with_for_update()).one_or_none()


def find_open_reset(session: Session, account_id: int) -> FactorReset | None:
    """The request that waits for a second person."""
    query = select(FactorReset).where(FactorReset.account_id == account_id, FactorReset.status == ResetStatus.ASKED)
    return session.scalars(query).one_or_none()


def list_open_resets(session: Session, *, limit: int = 200) -> list[ListedReset]:
    """Requests that wait for a second person, oldest first."""
    asker = select(Account.account_id, Account.full_name).subquery()
    rows = session.execute(
        select(
            FactorReset.reset_id,
            FactorReset.account_id,
            Account.username,
            FactorReset.reason,
            FactorReset.asked_by,
            asker.c.full_name.label("asked_by_name"),
            FactorReset.asked_at,
        )
        .join(Account, Account.account_id == FactorReset.account_id)
        .join(asker, asker.c.account_id == FactorReset.asked_by)
        .where(FactorReset.status == ResetStatus.ASKED)
        .order_by(FactorReset.reset_id)
        .limit(limit)
    )
    return records(ListedReset, rows)


def note_failure(session: Session, account_id: int, now: datetime) -> None:
    """Count a failed sign-in of an account, for its owner to see."""
    session.execute(
        update(Account)
        .where(Account.account_id == account_id)
        .values(failed_sign_ins=Account.failed_sign_ins + 1, failed_sign_in_at=now)
    )
