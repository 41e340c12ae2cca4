"""Queries on fees and what hangs on them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.accounts.service import Account, Organisation
from app.fees.tables import IS_OPEN, CollectingAccount, FeeRow, Payment, ReceiptSeries, Release, TariffRow
from app.fees.vocabulary import FeeStatus, PaymentStatus, ReleaseStatus
from app.platform.labels import DocumentStatus
from app.platform.permissions import Principal, Scope
from app.procedures.steps import Step, StepStatus
from app.sheets.service import TripStepRow
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus
from ingest.tables import Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def visible_fees(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `FeeRow` joined with `Trip` for what `principal` may do `act` with.

    A collector has the fees of the own gate that are routed to the own office (and those routed to none yet), also
    after the trip: refunds come later. All others have those of the trips they see.
    """
    scope = principal.scope(act)
    if scope is Scope.OWN_GATE and principal.role in Step.FEE.spec.roles:
        own = or_(FeeRow.collector == str(principal.role), FeeRow.collector.is_(None))
        return and_(FeeRow.gate_id == principal.gate_id, own)
    return visible_trips(principal, act)


# Tariffs


def published_tariffs(session: Session) -> Sequence[TariffRow]:
    """All published tariffs."""
    return session.scalars(select(TariffRow).where(TariffRow.status == DocumentStatus.PUBLISHED)).all()


def list_tariffs(session: Session) -> Sequence[TariffRow]:
    """All tariffs, newest first."""
    return session.scalars(select(TariffRow).order_by(TariffRow.valid_from.desc(), TariffRow.tariff_id.desc())).all()


def insert_tariff(session: Session, values: Mapping[str, Any]) -> TariffRow | None:
    """A new tariff; `None` if its code and version are taken."""
    query = pg_insert(TariffRow).values(**values).on_conflict_do_nothing().returning(TariffRow)
    return session.scalars(query).one_or_none()


# Fees


def find_facts(session: Session, trip_id: int) -> AnyRow | None:
    """A trip with what it declared last."""
    return session.execute(
        text(
            """
            SELECT t.trip_id, t.code, t.gate_id, t.goods_class, t.regime, t.direction, t.organisation_id, t.vehicle_id,
                   t.driver_id, t.stage, t.facts, d.data AS declared
            FROM app.trip t
            LEFT JOIN LATERAL (
                SELECT data FROM app.declaration WHERE trip_id = t.trip_id AND status = ANY(:declared)
                ORDER BY revision DESC LIMIT 1) d ON true
            WHERE t.trip_id = :trip_id
            """
        ),
        {"trip_id": trip_id, "declared": list(DeclarationStatus.declared())},
    ).one_or_none()


def insert_fee(session: Session, values: Mapping[str, Any]) -> FeeRow | None:
    """A new fee; `None` if the trip has one."""
    query = pg_insert(FeeRow).values(**values).on_conflict_do_nothing(index_elements=[FeeRow.trip_id])
    return session.scalars(query.returning(FeeRow)).one_or_none()


def lock_fee(session: Session, condition: ColumnElement[bool]) -> FeeRow | None:
    """A fee by a condition on it and its trip, locked until the transaction ends.

    Its trip is locked before it: acts on a sheet lock the trip and then its fee, and so must acts on the fee.
    """
    trips = select(Trip.trip_id).join(FeeRow, FeeRow.trip_id == Trip.trip_id).where(condition)
    session.execute(trips.with_for_update(of=Trip))
    return session.scalars(
        select(FeeRow)
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .where(condition)
        .with_for_update(of=FeeRow)
        .execution_options(populate_existing=True)
    ).one_or_none()


def find_fee_id(session: Session, reference: str) -> int | None:
    """The fee with a reference."""
    return session.scalars(select(FeeRow.fee_id).where(FeeRow.reference == reference)).one_or_none()


def update_fee(session: Session, fee: FeeRow, values: Mapping[str, Any]) -> None:
    """Change a locked fee."""
    for name, value in values.items():
        setattr(fee, name, value)
    fee.version += 1
    session.flush()


def _described() -> Select[*tuple[Any, ...]]:
    step = and_(TripStepRow.trip_id == FeeRow.trip_id, TripStepRow.step == Step.FEE)
    received = (
        select(func.coalesce(func.sum(Payment.applied_vnd), 0)).where(Payment.fee_id == FeeRow.fee_id).scalar_subquery()
    )
    return (
        select(
            FeeRow,
            Trip.code,
            Trip.goods,
            Trip.goods_class,
            Trip.regime,
            Trip.stage,
            Trip.simulated,
            Vehicle.plate,
            Organisation.name.label("organisation"),
            TripStepRow.status.label("step_status"),
            TripStepRow.since.label("step_since"),
            TariffRow.code.label("tariff_code"),
            TariffRow.version.label("tariff_version"),
            TariffRow.complete.label("tariff_complete"),
            received.label("received_vnd"),
        )
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(TripStepRow, step)
        .outerjoin(TariffRow, TariffRow.tariff_id == FeeRow.tariff_id)
        .execution_options(populate_existing=True)
    )


def find_fee(session: Session, condition: ColumnElement[bool]) -> AnyRow | None:
    """A fee by a condition, described."""
    return session.execute(_described().where(condition)).one_or_none()


def list_fees(
    session: Session,
    visible: ColumnElement[bool],
    *,
    statuses: Sequence[str] = (),
    ready: bool | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[AnyRow]:
    """Visible fees, newest first; `ready`: whether the trip's step of the fee waits for its collector."""
    query = _described().where(visible).order_by(FeeRow.fee_id.desc()).limit(limit)
    if statuses:
        query = query.where(FeeRow.status.in_(statuses))
        if set(statuses) <= set(FeeStatus.open()):
            query = query.where(text(f"fee.{IS_OPEN}"))  # so that the partial index applies
    if ready is not None:
        is_ready = func.coalesce(TripStepRow.status == StepStatus.READY, False)
        query = query.where(is_ready if ready else ~is_ready)
    if before is not None:
        query = query.where(FeeRow.fee_id < before)
    return session.execute(query).all()


def step_status(session: Session, trip_id: int) -> str | None:
    """Where a trip's step of the fee stands; `None` if its procedure has none."""
    return session.scalars(
        select(TripStepRow.status).where(TripStepRow.trip_id == trip_id, TripStepRow.step == Step.FEE)
    ).one_or_none()


def status_of_trip(session: Session, trip_id: int) -> str | None:
    """The status of a trip's fee; `None` if it has none."""
    return session.scalars(select(FeeRow.status).where(FeeRow.trip_id == trip_id)).one_or_none()


# Collecting accounts, payments


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


def insert_payment(session: Session, values: Mapping[str, Any]) -> Payment | None:
    """A new payment; `None` if the bank's reference is known on that account. Waits for a twin to be decided."""
    query = (
        pg_insert(Payment)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[Payment.collecting_account_id, Payment.bank_ref])
        .returning(Payment)
    )
    return session.scalars(query).one_or_none()


def find_transfer(session: Session, collecting_account_id: int, bank_ref: str) -> Payment | None:
    """A transfer by the bank's reference."""
    return session.scalars(
        select(Payment).where(Payment.collecting_account_id == collecting_account_id, Payment.bank_ref == bank_ref)
    ).one_or_none()


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


def list_for_a_person(session: Session, visible: ColumnElement[bool], limit: int) -> Sequence[AnyRow]:
    """Payments that a person must deal with, oldest first, with the fee they may belong to."""
    return session.execute(
        select(Payment, FeeRow.reference, FeeRow.amount_vnd.label("fee_vnd"), FeeRow.status.label("fee_status"))
        .outerjoin(FeeRow, FeeRow.fee_id == Payment.fee_id)
        .where(visible, Payment.status.in_(PaymentStatus.for_a_person()))
        .order_by(Payment.payment_id)
        .limit(limit)
    ).all()


def find_receipt(session: Session, payment_id: int, visible: ColumnElement[bool]) -> AnyRow | None:
    """A confirmed payment, if it is visible, with all that its receipt says."""
    return session.execute(
        select(
            Payment,
            FeeRow,
            Trip.code,
            Trip.regime,
            Trip.simulated,
            Vehicle.plate,
            Organisation.name.label("organisation"),
            Account.full_name.label("cashier"),
        )
        .join(FeeRow, FeeRow.fee_id == Payment.fee_id)
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(Account, Account.account_id == Payment.confirmed_by)
        .where(Payment.payment_id == payment_id, Payment.confirmed_at.is_not(None), visible)
    ).one_or_none()


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


def insert_release(session: Session, values: Mapping[str, Any]) -> Release | None:
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


def list_releases(session: Session, principal: Principal, limit: int) -> Sequence[AnyRow]:
    """Releases of the own office that wait for a second person, oldest first."""
    return session.execute(
        select(Release, Account.full_name.label("asked_by_name"), FeeRow.reference)
        .join(Account, Account.account_id == Release.asked_by)
        .outerjoin(FeeRow, FeeRow.fee_id == Release.fee_id)
        .where(
            Release.status == ReleaseStatus.ASKED,
            Release.gate_id == principal.gate_id,
            Release.collector == str(principal.role),
        )
        .order_by(Release.release_id)
        .limit(limit)
    ).all()
