"""Queries on the accounts that money arrives on, on payments with their receipts, and on waivers and refunds.

Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account, Organisation
from app.fees.store import lock_fee
from app.fees.tables import KEPT_VND, CollectingAccount, FeeRow, Payment, ReceiptSeries, Release
from app.fees.vocabulary import PaymentStatus, ReleaseKind, ReleaseStatus
from app.platform.permissions import Principal, Scope
from app.procedures.steps import Step
from app.trips.service import Trip
from ingest.tables import Vehicle


@dataclass(frozen=True)
class UnsettledPayment:
    """A payment that no rule settles, with the fee it may belong to (`None` where it names none)."""

    payment: Payment
    reference: str | None
    fee_vnd: int | None
    fee_status: str | None


@dataclass(frozen=True)
class Receipt:
    """A confirmed payment with all that its receipt says; `cashier` is empty if the platform confirmed it."""

    payment: Payment
    fee: FeeRow
    trip_code: str
    regime: str
    simulated: bool
    plate: str
    organisation: str
    cashier: str | None


@dataclass(frozen=True)
class AskedRelease:
    """A waiver or refund that waits for a second person; `reference` is that of its fee, if it has one."""

    release: Release
    asked_by_name: str
    reference: str | None


@dataclass(frozen=True)
class Correction:
    """A correction of a fee, with the names of who asked and who decided (`None`: nobody yet)."""

    release: Release
    asked_by_name: str
    decided_by_name: str | None


# Collecting accounts


def find_collecting_account(session: Session, collector: str, gate_id: str) -> CollectingAccount | None:
    """The account of a collector at a gate that is in use."""
    return session.scalars(
        select(CollectingAccount).where(
            CollectingAccount.collector == collector,
            CollectingAccount.gate_id == gate_id,
            CollectingAccount.disabled_at.is_(None),
        )
    ).one_or_none()


def lock_collecting_account(session: Session, collecting_account_id: int) -> None:
    """Wait until this transaction is the only one that takes down what the bank reports on an account."""
    session.execute(
        select(CollectingAccount.collecting_account_id)
        .where(CollectingAccount.collecting_account_id == collecting_account_id)
        .with_for_update(key_share=True)
    )


def get_collecting_account(session: Session, collecting_account_id: int) -> CollectingAccount | None:
    """An account in use by its id."""
    return session.scalars(
        select(CollectingAccount).where(
            CollectingAccount.collecting_account_id == collecting_account_id, CollectingAccount.disabled_at.is_(None)
        )
    ).one_or_none()


def list_collecting_accounts(session: Session) -> Sequence[CollectingAccount]:
    """All accounts in use."""
    return session.scalars(
        select(CollectingAccount)
        .where(CollectingAccount.disabled_at.is_(None))
        .order_by(CollectingAccount.gate_id, CollectingAccount.collector)
    ).all()


def retire_collecting_accounts(session: Session, collector: str, gate_id: str, now: datetime) -> None:
    """Take the accounts of a collector at a gate out of use."""
    session.execute(
        update(CollectingAccount)
        .where(
            CollectingAccount.collector == collector,
            CollectingAccount.gate_id == gate_id,
            CollectingAccount.disabled_at.is_(None),
        )
        .values(disabled_at=now)
    )


# Payments


def insert_payment(session: Session, values: Mapping[str, object]) -> Payment:
    """A new payment."""
    return session.scalars(pg_insert(Payment).values(**values).returning(Payment)).one()


def kept_vnd(session: Session, fee_id: int) -> int:
    """What of the payments of a fee still pays it."""
    return int(session.scalars(select(func.coalesce(func.sum(KEPT_VND), 0)).where(Payment.fee_id == fee_id)).one())


def receipt_numbers(session: Session, fee_ids: Sequence[int]) -> list[tuple[int, str, int]]:
    """The receipts of fees: fee, series and number, in their order."""
    query = (
        select(Payment.fee_id, Payment.receipt_series, Payment.receipt_number)
        .where(Payment.fee_id.in_(fee_ids), Payment.receipt_number.is_not(None))
        .order_by(Payment.receipt_series, Payment.receipt_number)
    )
    return [(fee_id or 0, series or "", number or 0) for fee_id, series, number in session.execute(query)]


def fees_of(session: Session, condition: ColumnElement[bool]) -> list[int]:
    """The fees of some payments, in order of their ids."""
    query = select(Payment.fee_id).where(condition, Payment.fee_id.is_not(None)).distinct().order_by(Payment.fee_id)
    return [fee_id for fee_id in session.scalars(query) if fee_id is not None]


def payments_of(session: Session, fee_id: int) -> Sequence[Payment]:
    """What came in for a fee, oldest first."""
    return session.scalars(
        select(Payment)
        .where(Payment.fee_id == fee_id)
        .order_by(Payment.payment_id)
        .execution_options(populate_existing=True)
    ).all()


def own_payments(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `Payment` for the money of the own office at the own gate."""
    if principal.scope(act) is Scope.ALL:
        return Payment.payment_id.is_not(None)
    if principal.role not in Step.FEE.spec.roles:
        return Payment.payment_id.is_(None)
    return and_(Payment.gate_id == principal.gate_id, Payment.collector == str(principal.role))


def find_payment(session: Session, condition: ColumnElement[bool]) -> Payment | None:
    """A payment by a condition."""
    return session.scalars(select(Payment).where(condition).execution_options(populate_existing=True)).one_or_none()


def lock_payment(session: Session, condition: ColumnElement[bool]) -> Payment | None:
    """A payment, locked."""
    return session.scalars(
        select(Payment).where(condition).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def list_for_a_person(session: Session, visible: ColumnElement[bool], limit: int) -> list[UnsettledPayment]:
    """Payments that a person must deal with, oldest first, with the fee they may belong to."""
    query = (
        select(Payment, FeeRow.reference, FeeRow.amount_vnd, FeeRow.status)
        .outerjoin(FeeRow, FeeRow.fee_id == Payment.fee_id)
        .where(visible, Payment.status.in_(PaymentStatus.for_a_person()))
        .order_by(Payment.payment_id)
        .limit(limit)
    )
    return [UnsettledPayment(*row) for row in session.execute(query)]


def find_receipt(session: Session, payment_id: int, visible: ColumnElement[bool]) -> Receipt | None:
    """A confirmed payment, if it is visible, with all that its receipt says."""
    query = (
        select(  # in the order of the fields of Receipt
            Payment,
            FeeRow,
            Trip.code,
            Trip.regime,
            Trip.simulated,
            Vehicle.plate,
            Organisation.name,
            Account.full_name,
        )
        .join(FeeRow, FeeRow.fee_id == Payment.fee_id)
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(Account, Account.account_id == Payment.confirmed_by)
        .where(Payment.payment_id == payment_id, Payment.confirmed_at.is_not(None), visible)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Receipt(*row)


def next_receipt(session: Session, series: str, collector: str, gate_id: str) -> int:
    """The next number of a series. Its row is locked until the transaction ends: a rollback leaves no gap."""
    session.execute(
        pg_insert(ReceiptSeries).values(series=series, collector=collector, gate_id=gate_id).on_conflict_do_nothing()
    )
    query = (
        update(ReceiptSeries)
        .where(ReceiptSeries.series == series)
        .values(last_number=ReceiptSeries.last_number + 1)
        .returning(ReceiptSeries.last_number)
    )
    return int(session.execute(query).scalar_one())


# Releases


def insert_release(session: Session, values: Mapping[str, object]) -> Release | None:
    """A waiver or refund asked for; `None` if one is waiting already."""
    query = pg_insert(Release).values(**values).on_conflict_do_nothing().returning(Release)
    return session.scalars(query).one_or_none()


def lock_release(session: Session, release_id: int, principal: Principal) -> Release | None:
    """A release of the own office at the own gate, locked, and before it the fee it is about."""
    own = and_(
        Release.release_id == release_id,
        Release.gate_id == principal.gate_id,
        Release.collector == str(principal.role),
    )
    fee_id = session.scalars(select(Release.fee_id).where(own)).one_or_none()
    if fee_id is not None:
        lock_fee(session, FeeRow.fee_id == fee_id)
    return session.scalars(
        select(Release).where(own).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def list_releases(session: Session, principal: Principal, limit: int) -> list[AskedRelease]:
    """Releases of the own office that wait for a second person, oldest first."""
    query = (
        select(Release, Account.full_name, FeeRow.reference)
        .join(Account, Account.account_id == Release.asked_by)
        .outerjoin(FeeRow, FeeRow.fee_id == Release.fee_id)
        .where(
            Release.status == ReleaseStatus.ASKED,
            Release.gate_id == principal.gate_id,
            Release.collector == str(principal.role),
        )
        .order_by(Release.release_id)
        .limit(limit)
    )
    return [AskedRelease(*row) for row in session.execute(query)]


def corrections_of(session: Session, fee_id: int) -> list[Correction]:
    """The corrections asked for of a fee, oldest first."""
    decider = aliased(Account)
    query = (
        select(Release, Account.full_name, decider.full_name)
        .join(Account, Account.account_id == Release.asked_by)
        .outerjoin(decider, decider.account_id == Release.decided_by)
        .where(Release.fee_id == fee_id, Release.kind == ReleaseKind.CORRECTION)
        .order_by(Release.release_id)
    )
    return [Correction(*row) for row in session.execute(query)]
