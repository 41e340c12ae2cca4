"""Queries on tariffs and fees; `payment_store` has those on money, `closing_store` those on the ends of days.

Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, TextClause, and_, cast, func, or_, select, text, true
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.accounts.service import Account, Organisation
from app.fees.records import LoadRecord
from app.fees.tables import IS_OPEN, KEPT_VND, FeeRow, Payment, TariffRow
from app.fees.vocabulary import FeeStatus
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.permissions import Principal, Scope
from app.procedures.steps import Step, StepStatus
from app.sheets.service import TripStepRow
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus
from ingest.tables import Vehicle


@dataclass(frozen=True)
class TripFacts:
    """A trip, and `declared`, the data of its newest declaration that counts (`None`: none was submitted)."""

    trip_id: int
    gate_id: str
    goods_class: str
    regime: str
    direction: str
    declared: JsonObject | None


@dataclass(frozen=True)
class TripFee:
    """A fee with its trip, the trip's step of the fee, the tariff that was asked, and the money that pays it."""

    fee: FeeRow
    trip_code: str
    goods: str
    goods_class: str
    regime: str
    stage: str
    simulated: bool
    plate: str
    organisation: str
    step_status: str | None
    step_since: datetime | None
    tariff_code: str | None
    tariff_version: int | None
    tariff_complete: bool | None
    received_vnd: int


@dataclass(frozen=True)
class TriedFee:
    """A fee on whose load another tariff is tried."""

    fee_id: int
    trip_id: int
    code: str
    plate: str
    tariff_id: int | None
    load: LoadRecord
    amount_vnd: int | None


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


def opened_in(begin: datetime | None, end: datetime | None) -> ColumnElement[bool]:
    """The condition on `FeeRow` for those opened from `begin` until before `end`, each open where it is not given."""
    return and_(
        true() if begin is None else FeeRow.opened_at >= begin, true() if end is None else FeeRow.opened_at < end
    )


# Tariffs


def published_tariffs(session: Session) -> Sequence[TariffRow]:
    """All published tariffs."""
    return session.scalars(select(TariffRow).where(TariffRow.status == DocumentStatus.PUBLISHED)).all()


def list_tariffs(session: Session) -> Sequence[TariffRow]:
    """All tariffs, newest first."""
    return session.scalars(select(TariffRow).order_by(TariffRow.valid_from.desc(), TariffRow.tariff_id.desc())).all()


def insert_tariff(session: Session, values: Mapping[str, object]) -> TariffRow | None:
    """A new tariff; `None` if its code and version are taken."""
    query = pg_insert(TariffRow).values(**values).on_conflict_do_nothing().returning(TariffRow)
    return session.scalars(query).one_or_none()


def fees_to_try(session: Session, opened_since: datetime, limit: int) -> list[TriedFee]:
    """The fees that are open or were opened since, but for those that were waived, newest first."""
    query = (
        select(  # in the order of the fields of TriedFee
            FeeRow.fee_id,
            FeeRow.trip_id,
            Trip.code,
            Vehicle.plate,
            FeeRow.tariff_id,
            FeeRow.load,
            FeeRow.amount_vnd,
        )
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(
            or_(FeeRow.opened_at >= opened_since, FeeRow.status.in_(FeeStatus.open())),
            FeeRow.status != FeeStatus.WAIVED,
        )
        .order_by(FeeRow.fee_id.desc())
        .limit(limit)
    )
    return [TriedFee(*row) for row in session.execute(query)]


# Fees


def find_facts(session: Session, trip_id: int) -> TripFacts | None:
    """A trip with what it declared last."""
    query = text(
        """
        SELECT t.trip_id, t.gate_id, t.goods_class, t.regime, t.direction, d.data AS declared
        FROM app.trip t
        LEFT JOIN LATERAL (
            SELECT data FROM app.declaration WHERE trip_id = t.trip_id AND status = ANY(:declared)
            ORDER BY revision DESC LIMIT 1) d ON true
        WHERE t.trip_id = :trip_id
        """
    )
    parameters = {"trip_id": trip_id, "declared": list(DeclarationStatus.declared())}
    row = session.execute(query, parameters).one_or_none()
    return None if row is None else TripFacts(**row._mapping)


def insert_fee(session: Session, values: Mapping[str, object]) -> FeeRow | None:
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


def update_fee(session: Session, fee: FeeRow, values: Mapping[str, object]) -> None:
    """Change a locked fee."""
    for name, value in values.items():
        setattr(fee, name, value)
    fee.version += 1
    session.flush()


def find_fee(session: Session, condition: ColumnElement[bool]) -> TripFee | None:
    """A fee by a condition that only one meets."""
    return next(iter(_read_fees(session, [condition], limit=1)), None)


def list_fees(
    session: Session,
    visible: ColumnElement[bool],
    *,
    statuses: Sequence[str] = (),
    ready: bool | None = None,
    before: int | None = None,
    limit: int,
) -> list[TripFee]:
    """Visible fees, newest first; `ready`: whether the trip's step of the fee waits for its collector."""
    conditions: list[ColumnElement[bool] | TextClause] = [visible]
    if statuses:
        conditions.append(FeeRow.status.in_(statuses))
        if set(statuses) <= set(FeeStatus.open()):
            conditions.append(text(f"fee.{IS_OPEN}"))  # so that the partial index applies
    if ready is not None:
        is_ready = func.coalesce(TripStepRow.status == StepStatus.READY, False)
        conditions.append(is_ready if ready else ~is_ready)
    if before is not None:
        conditions.append(FeeRow.fee_id < before)
    return _read_fees(session, conditions, limit=limit)


def _read_fees(
    session: Session, conditions: Sequence[ColumnElement[bool] | TextClause], *, limit: int
) -> list[TripFee]:
    step = and_(TripStepRow.trip_id == FeeRow.trip_id, TripStepRow.step == Step.FEE)
    received = select(func.coalesce(func.sum(KEPT_VND), 0)).where(Payment.fee_id == FeeRow.fee_id).scalar_subquery()
    query: Select[*tuple[Any, ...]] = (
        select(  # in the order of the fields of TripFee
            FeeRow,
            Trip.code,
            Trip.goods,
            Trip.goods_class,
            Trip.regime,
            Trip.stage,
            Trip.simulated,
            Vehicle.plate,
            Organisation.name,
            TripStepRow.status,
            TripStepRow.since,
            TariffRow.code,
            TariffRow.version,
            TariffRow.complete,
            cast(received, BigInteger),
        )
        .join(Trip, Trip.trip_id == FeeRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(TripStepRow, step)
        .outerjoin(TariffRow, TariffRow.tariff_id == FeeRow.tariff_id)
        .where(*conditions)
        .order_by(FeeRow.fee_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [TripFee(*row) for row in session.execute(query)]


def acts_of_yard(session: Session, trip_id: int, gate_id: str) -> list[tuple[str, datetime]]:
    """The steps of a trip that show the use of the yard and that one of the yard's people at a gate confirmed; when."""
    rows = session.execute(
        select(TripStepRow.step, TripStepRow.done_at)
        .join(Account, Account.account_id == TripStepRow.done_by)
        .where(
            TripStepRow.trip_id == trip_id,
            TripStepRow.step.in_([Step.YARD]),
            TripStepRow.done_at.is_not(None),
            Account.role.in_([str(role) for role in Step.YARD.spec.roles]),
            Account.gate_id == gate_id,
        )
    )
    return [(step, done_at) for step, done_at in rows if done_at is not None]


def plate_of(session: Session, vehicle_id: int) -> str:
    """The plate of a vehicle, as it is compared."""
    return session.scalars(select(Vehicle.plate_norm).where(Vehicle.vehicle_id == vehicle_id)).one()


def step_status(session: Session, trip_id: int) -> str | None:
    """Where a trip's step of the fee stands; `None` if its procedure has none."""
    return session.scalars(
        select(TripStepRow.status).where(TripStepRow.trip_id == trip_id, TripStepRow.step == Step.FEE)
    ).one_or_none()


def has_unproven_service(session: Session, trip_id: int) -> bool:
    """Whether a trip's fee is open and waits for the proof of a service."""
    query = select(FeeRow.fee_id).where(
        FeeRow.trip_id == trip_id,
        FeeRow.status.in_(FeeStatus.open()),
        FeeRow.load["proof"]["kind"].astext == "",
    )
    return session.scalars(query).one_or_none() is not None


def status_of_trip(session: Session, trip_id: int) -> str | None:
    """The status of a trip's fee; `None` if it has none."""
    return session.scalars(select(FeeRow.status).where(FeeRow.trip_id == trip_id)).one_or_none()
