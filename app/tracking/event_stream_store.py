"""Queries behind the live events: open trips, who may see which truck, which sessions still stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.service import Account, SessionRow
from app.accounts.sessions import principal_of, state_of
from app.accounts.store import acts_for
from app.platform.permissions import Principal
from app.trips.scope import visible_positions
from app.trips.service import Trip, is_current
from ingest.tables import Vehicle


@dataclass(frozen=True)
class OpenTrip:
    """What positions show of the trip that a truck is on."""

    vehicle_id: int
    trip_id: int
    gate_id: str
    stage: str
    goods_class: str
    perishable: bool
    simulated: bool


def open_trips(session: Session) -> dict[int, OpenTrip]:
    """The open trip of each vehicle."""
    rows = session.execute(
        select(
            Trip.vehicle_id, Trip.trip_id, Trip.gate_id, Trip.stage, Trip.goods_class, Trip.perishable, Trip.simulated
        ).where(is_current())
    )
    return {row.vehicle_id: OpenTrip(*row) for row in rows}


def simulated_vehicle_ids(session: Session) -> frozenset[int]:
    """The trucks of the demonstration, also those between two trips."""
    return frozenset(session.scalars(select(Trip.vehicle_id).where(Trip.simulated).distinct()))


def renew_principal(session: Session, principal: Principal, now: datetime) -> Principal:
    """The principal with the powers of attorney that stand now, and the vehicle that it drives now.

    A stream outlives the day on which a power ends, and the release of a vehicle.
    """
    drives = session.scalar(select(Account.vehicle_id).where(Account.account_id == principal.account_id))
    return replace(principal, acts_for=acts_for(session, principal.account_id, now), vehicle_id=drives)


def visible_vehicle_ids(session: Session, principal: Principal) -> frozenset[int]:
    """The vehicles whose positions `principal` may see."""
    condition = visible_positions(principal, Vehicle.vehicle_id)
    return frozenset(session.scalars(select(Vehicle.vehicle_id).where(condition)))


def standing_sessions(session: Session, hashes: Iterable[bytes], now: datetime) -> dict[bytes, Principal]:
    """Those of the sessions that are not over and whose account is not disabled: who the principal is now, and how the
    session stands; powers of attorney left aside.
    """
    rows = session.execute(
        select(SessionRow, Account)
        .join(Account, Account.account_id == SessionRow.account_id)
        .where(
            SessionRow.session_hash.in_(list(hashes)),
            SessionRow.expires_at > now,
            Account.disabled_at.is_(None),
        )
    )
    return {row.session_hash: principal_of(account, row, state=state_of(row, account, now)) for row, account in rows}
