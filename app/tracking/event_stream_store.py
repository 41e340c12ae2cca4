"""Queries behind the live events: open trips, who may see which truck, which sessions still stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.service import Account, SessionRow
from app.platform.permissions import Principal
from app.trips.scope import visible_vehicles
from app.trips.service import Trip
from app.trips.vocabulary import Stage
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
        ).where(Trip.stage.in_(Stage.open()))
    )
    return {row.vehicle_id: OpenTrip(*row) for row in rows}


def simulated_vehicle_ids(session: Session) -> frozenset[int]:
    """The trucks of the demonstration, also those between two trips."""
    return frozenset(session.scalars(select(Trip.vehicle_id).where(Trip.simulated).distinct()))


def visible_vehicle_ids(session: Session, principal: Principal, now: datetime) -> frozenset[int]:
    """The vehicles whose positions `principal` may see."""
    condition = visible_vehicles(principal, "positions.read", Vehicle.vehicle_id, now=now)
    return frozenset(session.scalars(select(Vehicle.vehicle_id).where(condition)))


def standing_sessions(session: Session, hashes: Iterable[bytes], now: datetime) -> frozenset[bytes]:
    """Those of the sessions that are not over and whose account is not disabled."""
    return frozenset(
        session.scalars(
            select(SessionRow.session_hash)
            .join(Account, Account.account_id == SessionRow.account_id)
            .where(
                SessionRow.session_hash.in_(list(hashes)),
                SessionRow.expires_at > now,
                Account.disabled_at.is_(None),
            )
        )
    )
