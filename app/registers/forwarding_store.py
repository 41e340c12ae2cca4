"""Queries on whose owners agreed that positions are forwarded. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.registers.scope import holder_of
from app.registers.tables import PositionForwarding
from ingest.tables import Vehicle


@dataclass(frozen=True)
class ListedForwarding:
    """An agreement that stands, and who agreed."""

    forwarding: PositionForwarding
    agreed_by: str


@dataclass(frozen=True)
class AgreedVehicle:
    """A vehicle whose positions may go to somebody else, from when on."""

    vehicle_id: int
    plate: str
    agreed_at: datetime


def list_forwarding(session: Session, organisation_ids: Collection[int]) -> list[ListedForwarding]:
    """Agreements of these enterprises that stand."""
    query = (
        select(PositionForwarding, Account.full_name)
        .join(Account, Account.account_id == PositionForwarding.agreed_by)
        .where(PositionForwarding.organisation_id.in_(organisation_ids), PositionForwarding.ended_at.is_(None))
    )
    return [ListedForwarding(*row) for row in session.execute(query)]


def lock_forwarding(session: Session, vehicle_id: int, organisation_id: int) -> PositionForwarding | None:
    """The agreement of an enterprise for a vehicle that stands, locked until the transaction ends."""
    return session.scalars(
        select(PositionForwarding)
        .where(
            PositionForwarding.vehicle_id == vehicle_id,
            PositionForwarding.organisation_id == organisation_id,
            PositionForwarding.ended_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()


def insert_forwarding(
    session: Session, *, vehicle_id: int, organisation_id: int, receiver: str, account_id: int, now: datetime
) -> int | None:
    """A new agreement; `None` if one stands already."""
    statement = (
        insert(PositionForwarding)
        .values(
            vehicle_id=vehicle_id,
            organisation_id=organisation_id,
            receiver=receiver,
            agreed_by=account_id,
            agreed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(PositionForwarding.forwarding_id)
    )
    return session.scalars(statement).one_or_none()


def agreed_for(session: Session, receiver: str) -> list[AgreedVehicle]:
    """Vehicles whose owner agreed that their positions go to a receiver, and is their owner still."""
    query = (
        select(PositionForwarding.vehicle_id, Vehicle.plate_norm, PositionForwarding.agreed_at)
        .join(Vehicle, Vehicle.vehicle_id == PositionForwarding.vehicle_id)
        .where(
            PositionForwarding.receiver == receiver,
            PositionForwarding.ended_at.is_(None),
            PositionForwarding.organisation_id == holder_of(PositionForwarding.vehicle_id),
        )
    )
    return [AgreedVehicle(*row) for row in session.execute(query)]


def find_owner(session: Session, vehicle_id: int) -> int | None:
    """Whose a vehicle is: of the enterprises that hold it, the one that proved it first."""
    return session.scalar(select(holder_of(Vehicle.vehicle_id)).where(Vehicle.vehicle_id == vehicle_id))
