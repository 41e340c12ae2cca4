"""Queries on transfers, the reports of them, the keys of gateways, and remittances. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.fees.tables import BankGateway, BankReport, BankTransfer, FeeRow, Payment, Remittance, RemittanceFee
from app.fees.vocabulary import PaymentStatus
from app.trips.service import Trip
from ingest.tables import Vehicle


@dataclass(frozen=True)
class Claim:
    """What a reference in the content of a transfer stands for: fees in the order in which money fills them."""

    reference: str
    fee_ids: tuple[int, ...]
    is_remittance: bool


# Transfers and reports


def insert_transfer(session: Session, values: Mapping[str, object]) -> BankTransfer:
    """A new transfer."""
    return session.scalars(pg_insert(BankTransfer).values(**values).returning(BankTransfer)).one()


def insert_report(session: Session, values: Mapping[str, object]) -> None:
    """A report of a transfer; the same again changes nothing."""
    session.execute(pg_insert(BankReport).values(**values).on_conflict_do_nothing())


def find_reported(session: Session, collecting_account_id: int, bank_ref: str) -> BankTransfer | None:
    """The transfer that was reported under a bank reference, through whichever channel."""
    query = (
        select(BankTransfer)
        .join(BankReport, BankReport.transfer_id == BankTransfer.transfer_id)
        .where(BankReport.collecting_account_id == collecting_account_id, BankReport.bank_ref == bank_ref)
        .order_by(BankTransfer.transfer_id)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def known_references(session: Session, collecting_account_id: int, bank_refs: Collection[str]) -> set[str]:
    """Those of some bank references that were reported on an account."""
    query = select(BankReport.bank_ref).where(
        BankReport.collecting_account_id == collecting_account_id, BankReport.bank_ref.in_(bank_refs)
    )
    return set(session.scalars(query))


def transfers_like(
    session: Session, collecting_account_id: int, amount_vnd: int, begin: datetime, end: datetime
) -> Sequence[BankTransfer]:
    """The transfers of an amount on an account in a time, oldest first."""
    query = (
        select(BankTransfer)
        .where(
            BankTransfer.collecting_account_id == collecting_account_id,
            BankTransfer.amount_vnd == amount_vnd,
            BankTransfer.received_at >= begin,
            BankTransfer.received_at < end,
        )
        .order_by(BankTransfer.received_at, BankTransfer.transfer_id)
    )
    return session.scalars(query).all()


def reported_through(session: Session, transfer_ids: Collection[int], channel: str) -> set[int]:
    """Those of some transfers that a channel reported under a name of its own."""
    query = select(BankReport.transfer_id).where(
        BankReport.transfer_id.in_(transfer_ids), BankReport.channel == channel, BankReport.is_made_up.is_(False)
    )
    return set(session.scalars(query))


def payments_of_transfer(session: Session, transfer_id: int) -> Sequence[Payment]:
    """The payments that a transfer was split into, in the order in which they were made."""
    return session.scalars(
        select(Payment)
        .where(Payment.transfer_id == transfer_id)
        .order_by(Payment.payment_id)
        .execution_options(populate_existing=True)
    ).all()


def lock_waiting(session: Session, references: Collection[str], collector: str, gate_id: str) -> Sequence[Payment]:
    """Transfers that matched nothing yet and name one of some references at an office, locked, oldest first."""
    query = (
        select(Payment)
        .join(BankTransfer, BankTransfer.transfer_id == Payment.transfer_id)
        .where(
            Payment.status == PaymentStatus.UNMATCHED,
            Payment.refunded_vnd == 0,
            Payment.collector == collector,
            Payment.gate_id == gate_id,
            BankTransfer.named.overlap(list(references)),
        )
        .order_by(Payment.payment_id)
        .with_for_update(of=Payment)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def shared_transfers(
    session: Session, visible: ColumnElement[bool], limit: int
) -> dict[int, list[tuple[Payment, str]]]:
    """Transfers over several fees that wait to be confirmed, oldest first: their payments with plates."""
    waiting = (
        select(Payment.transfer_id)
        .where(visible, Payment.transfer_id.is_not(None), Payment.confirmed_at.is_(None), Payment.applied_vnd > 0)
        .group_by(Payment.transfer_id)
        .having(func.count(func.distinct(Payment.fee_id)) > 1)
        .order_by(Payment.transfer_id)
        .limit(limit)
    )
    query = (
        select(Payment, Vehicle.plate)
        .join(FeeRow, FeeRow.fee_id == Payment.fee_id)
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(visible, Payment.transfer_id.in_(waiting))
        .order_by(Payment.transfer_id, Payment.payment_id)
    )
    found: dict[int, list[tuple[Payment, str]]] = {}
    for payment, plate in session.execute(query):
        found.setdefault(payment.transfer_id or 0, []).append((payment, plate))
    return found


# Gateways


def find_gateway_key(session: Session, collecting_account_id: int, gateway: str) -> str | None:
    """The key that a gateway gave out for an account; `None` if none was entered."""
    found = session.get(BankGateway, (collecting_account_id, gateway))
    return None if found is None else found.key


def put_gateway(session: Session, values: Mapping[str, object]) -> None:
    """Enter the key of a gateway for an account in place of the one before."""
    query = pg_insert(BankGateway).values(**values)
    session.execute(
        query.on_conflict_do_update(
            index_elements=[BankGateway.collecting_account_id, BankGateway.gateway],
            set_={name: query.excluded[name] for name in ("key", "entered_by", "entered_at")},
        )
    )


def drop_gateway(session: Session, collecting_account_id: int, gateway: str) -> None:
    """Forget the key of a gateway for an account."""
    found = session.get(BankGateway, (collecting_account_id, gateway))
    if found is not None:
        session.delete(found)
        session.flush()


# Remittances


def find_claims(session: Session, references: Sequence[str]) -> list[Claim]:
    """What references stand for, in their order; those that are neither a fee's nor a remittance's are left out."""
    found = session.execute(select(FeeRow.reference, FeeRow.fee_id).where(FeeRow.reference.in_(references)))
    fees = {reference: fee_id for reference, fee_id in found}
    query = (
        select(Remittance.reference, RemittanceFee.fee_id)
        .join(RemittanceFee, RemittanceFee.remittance_id == Remittance.remittance_id)
        .where(Remittance.reference.in_(references))
        .order_by(RemittanceFee.place)
    )
    joint: dict[str, list[int]] = {}
    for reference, fee_id in session.execute(query):
        joint.setdefault(reference, []).append(fee_id)
    return [
        Claim(reference, (fees[reference],) if reference in fees else tuple(joint[reference]), reference in joint)
        for reference in references
        if reference in fees or reference in joint
    ]


def references_over(session: Session, fee: FeeRow) -> list[str]:
    """The references under which money for a fee can come: its own, and those of the remittances that hold it."""
    query = (
        select(Remittance.reference)
        .join(RemittanceFee, RemittanceFee.remittance_id == Remittance.remittance_id)
        .where(RemittanceFee.fee_id == fee.fee_id)
    )
    return [fee.reference, *session.scalars(query)]


def insert_remittance(session: Session, values: Mapping[str, object], fee_ids: Sequence[int]) -> Remittance | None:
    """A new remittance over some fees; `None` if there is one over the same."""
    query = pg_insert(Remittance).values(**values).on_conflict_do_nothing(index_elements=[Remittance.fee_key])
    made = session.scalars(query.returning(Remittance)).one_or_none()
    if made is not None:
        rows = [
            {"remittance_id": made.remittance_id, "fee_id": fee_id, "place": place}
            for place, fee_id in enumerate(fee_ids)
        ]
        session.execute(pg_insert(RemittanceFee), rows)
    return made


def find_remittance(session: Session, condition: ColumnElement[bool]) -> Remittance | None:
    """A remittance by a condition that only one meets."""
    return session.scalars(select(Remittance).where(condition)).one_or_none()


def fees_of_remittance(session: Session, remittance_id: int) -> list[int]:
    """The fees of a remittance, in the order in which money fills them."""
    query = (
        select(RemittanceFee.fee_id).where(RemittanceFee.remittance_id == remittance_id).order_by(RemittanceFee.place)
    )
    return list(session.scalars(query))


def at_office(collector: str, gate_id: str) -> ColumnElement[bool]:
    """The condition on `Remittance` for those of an office at a gate."""
    return and_(Remittance.collector == collector, Remittance.gate_id == gate_id)
