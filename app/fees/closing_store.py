"""Queries on the ends of collectors' days. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.fees.tables import Closing, Payment, Release
from app.fees.vocabulary import PaymentStatus, ReleaseStatus


@dataclass(frozen=True)
class ClosedDay:
    """A closing, and the name of who closed."""

    closing: Closing
    closed_by_name: str


@dataclass(frozen=True)
class ConfirmedPayment:
    """A confirmed payment, and the name of who confirmed it (`None`: the platform itself)."""

    payment: Payment
    cashier: str | None


def lock_books(session: Session, collector: str, gate_id: str) -> None:
    """Wait for confirmations of a collector at a gate to end, and let new ones wait for this transaction."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('fees:' || :collector || ':' || :gate_id, 0))"),
        {"collector": collector, "gate_id": gate_id},
    )


def find_closing(session: Session, collector: str, gate_id: str, day: date) -> Closing | None:
    """The closing of a day."""
    return session.scalars(
        select(Closing).where(Closing.collector == collector, Closing.gate_id == gate_id, Closing.day == day)
    ).one_or_none()


def newest_closed_day(session: Session, collector: str, gate_id: str) -> date | None:
    """The last day that is closed."""
    return session.scalars(
        select(func.max(Closing.day)).where(Closing.collector == collector, Closing.gate_id == gate_id)
    ).one()


def list_closings(session: Session, collector: str, gate_id: str, limit: int) -> list[ClosedDay]:
    """Closings with who closed, newest first."""
    query = (
        select(Closing, Account.full_name)
        .join(Account, Account.account_id == Closing.closed_by)
        .where(Closing.collector == collector, Closing.gate_id == gate_id)
        .order_by(Closing.day.desc())
        .limit(limit)
    )
    return [ClosedDay(*row) for row in session.execute(query)]


def open_payments(session: Session, collector: str, gate_id: str) -> list[ConfirmedPayment]:
    """Confirmed payments that no closing has, in order of their receipts, with who confirmed."""
    query = (
        select(Payment, Account.full_name)
        .outerjoin(Account, Account.account_id == Payment.confirmed_by)
        .where(
            Payment.collector == collector,
            Payment.gate_id == gate_id,
            Payment.confirmed_at.is_not(None),
            Payment.closing_id.is_(None),
        )
        .order_by(Payment.receipt_series, Payment.receipt_number)
    )
    return [ConfirmedPayment(*row) for row in session.execute(query)]


def open_refunds(session: Session, collector: str, gate_id: str) -> Sequence[Release]:
    """Refunds given that no closing has."""
    return session.scalars(
        select(Release).where(
            Release.collector == collector,
            Release.gate_id == gate_id,
            Release.kind == "refund",
            Release.status == ReleaseStatus.APPROVED,
            Release.closing_id.is_(None),
        )
    ).all()


def held_vnd(session: Session, collector: str, gate_id: str) -> int:
    """Money on the account that pays no fee and was not given back."""
    return int(
        session.scalars(
            select(func.coalesce(func.sum(Payment.amount_vnd - Payment.applied_vnd - Payment.refunded_vnd), 0)).where(
                Payment.collector == collector,
                Payment.gate_id == gate_id,
                Payment.method == "transfer",
                Payment.status.in_(PaymentStatus.for_a_person()),
                Payment.amount_vnd > Payment.applied_vnd + Payment.refunded_vnd,
            )
        ).one()
    )


def stamp_closing(session: Session, closing: Closing, payments: Sequence[Payment], refunds: Sequence[Release]) -> None:
    """Put payments and refunds into a closing."""
    for payment in payments:
        payment.closing_id = closing.closing_id
    for release in refunds:
        release.closing_id = closing.closing_id
    session.flush()
