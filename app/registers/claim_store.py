"""Queries on who has proven which vehicle, and who claims one. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, false, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account, Organisation
from app.platform.personal_fields import digest
from app.platform.search import matches
from app.registers.tables import VehicleClaim, VehicleHolding, digest_of_paper
from app.registers.vocabulary import ClaimStatus, Proof
from ingest.store import heard_at, refused_as
from ingest.tables import Device, LastPosition, Vehicle

MAX_LISTED: Final = 500


@dataclass(frozen=True)
class ListedClaim:
    """A claim with the names that people know its sides by, and who holds the vehicle now."""

    claim: VehicleClaim
    plate: str
    organisation: str
    claimant: str | None
    decider: str | None
    holders: tuple[str, ...]


@dataclass(frozen=True)
class ListedHolding:
    """A vehicle that an enterprise has proven, and when it was heard of last."""

    holding: VehicleHolding
    plate: str
    last_seen_at: datetime | None


@dataclass(frozen=True)
class ListedDevice:
    """What reports for a vehicle."""

    number: int
    hint: str
    kind: str
    imei: str | None
    vehicle_id: int
    plate: str
    created_at: datetime
    last_seen_at: datetime | None
    refused: str | None


def list_claims(
    session: Session,
    visible: ColumnElement[bool],
    *,
    statuses: Collection[str] = (),
    query: str = "",
    before: int | None = None,
    limit: int = MAX_LISTED,
) -> list[ListedClaim]:
    """Visible claims, newest first."""
    claimant, decider = aliased(Account), aliased(Account)
    holder = aliased(Organisation)
    holders = (
        select(func.array_agg(holder.name))
        .join(VehicleHolding, VehicleHolding.organisation_id == holder.organisation_id)
        .where(VehicleHolding.vehicle_id == VehicleClaim.vehicle_id, VehicleHolding.ended_at.is_(None))
        .correlate(VehicleClaim)
        .scalar_subquery()
    )
    on_paper: ColumnElement[bool] = VehicleClaim.paper_digest == digest(query) if query.strip() else false()
    wanted = (
        select(VehicleClaim, Vehicle.plate, Organisation.name, claimant.full_name, decider.full_name, holders)
        .join(Vehicle, Vehicle.vehicle_id == VehicleClaim.vehicle_id)
        .join(Organisation, Organisation.organisation_id == VehicleClaim.organisation_id)
        .outerjoin(claimant, claimant.account_id == VehicleClaim.claimed_by)
        .outerjoin(decider, decider.account_id == VehicleClaim.decided_by)
        .where(visible, or_(matches(query, Vehicle.plate, Vehicle.plate_norm, Organisation.name), on_paper))
        .order_by(VehicleClaim.claim_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if statuses:
        wanted = wanted.where(VehicleClaim.status.in_(statuses))
    if before is not None:
        wanted = wanted.where(VehicleClaim.claim_id < before)
    return [
        ListedClaim(claim, plate, organisation, claimant_name, decider_name, tuple(names or ()))
        for claim, plate, organisation, claimant_name, decider_name, names in session.execute(wanted)
    ]


def lock_claim(session: Session, visible: ColumnElement[bool], claim_id: int) -> VehicleClaim | None:
    """A visible claim, locked until the transaction ends."""
    return session.scalars(
        select(VehicleClaim)
        .where(VehicleClaim.claim_id == claim_id, visible)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def find_open_claim(session: Session, vehicle_id: int, organisation_id: int) -> VehicleClaim | None:
    """The claim of an enterprise to a vehicle that waits for an answer."""
    return session.scalars(
        select(VehicleClaim).where(
            VehicleClaim.vehicle_id == vehicle_id,
            VehicleClaim.organisation_id == organisation_id,
            VehicleClaim.status == ClaimStatus.OPEN,
        )
    ).one_or_none()


def insert_claim(
    session: Session,
    *,
    vehicle_id: int,
    organisation_id: int,
    paper_number: str,
    note: str,
    claimed_by: int | None,
    now: datetime,
) -> VehicleClaim | None:
    """A new claim; `None` if one of this enterprise waits already."""
    query = (
        insert(VehicleClaim)
        .values(
            vehicle_id=vehicle_id,
            organisation_id=organisation_id,
            paper_number=paper_number,
            paper_digest=digest_of_paper({"paper_number": paper_number}),
            note=note,
            claimed_by=claimed_by,
            claimed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(VehicleClaim)
    )
    return session.scalars(query).one_or_none()


def count_waiting(session: Session, organisation_id: int, *, but: int) -> int:
    """How many claims of an enterprise wait for an answer, that to one vehicle left aside."""
    query = select(func.count()).where(
        VehicleClaim.organisation_id == organisation_id,
        VehicleClaim.status == ClaimStatus.OPEN,
        VehicleClaim.vehicle_id != but,
    )
    return session.scalar(query) or 0


def holders_of(session: Session, vehicle_id: int) -> list[int]:
    """The organisations that have proven a vehicle, the first before the others."""
    query = select(VehicleHolding.organisation_id).where(
        VehicleHolding.vehicle_id == vehicle_id, VehicleHolding.ended_at.is_(None)
    )
    return list(session.scalars(query.order_by(VehicleHolding.holding_id)))


def begin_holding(
    session: Session,
    *,
    vehicle_id: int,
    organisation_id: int,
    proof: Proof,
    claim_id: int | None,
    begun_by: int | None,
    now: datetime,
) -> bool:
    """Note that an enterprise has proven a vehicle; whether it had not before."""
    query = (
        insert(VehicleHolding)
        .values(
            vehicle_id=vehicle_id,
            organisation_id=organisation_id,
            proof=proof,
            claim_id=claim_id,
            begun_by=begun_by,
            begun_at=now,
        )
        .on_conflict_do_nothing()
        .returning(VehicleHolding.holding_id)
    )
    return session.scalars(query).one_or_none() is not None


def carry_over(session: Session, rows: Sequence[tuple[int, int]], now: datetime) -> None:
    """Let enterprises hold vehicles by the platform's own word: `(vehicle_id, organisation_id)` each."""
    values = [
        {"vehicle_id": vehicle_id, "organisation_id": owner, "proof": Proof.CARRIED_OVER, "begun_at": now}
        for vehicle_id, owner in rows
    ]
    if values:
        session.execute(insert(VehicleHolding).on_conflict_do_nothing(), values)


def end_holdings(
    session: Session, vehicle_id: int, organisation_ids: Collection[int], *, by: int | None, now: datetime
) -> list[int]:
    """End what some organisations hold of a vehicle; those that held it."""
    query = (
        update(VehicleHolding)
        .where(
            VehicleHolding.vehicle_id == vehicle_id,
            VehicleHolding.organisation_id.in_(organisation_ids),
            VehicleHolding.ended_at.is_(None),
        )
        .values(ended_at=now, ended_by=by)
        .returning(VehicleHolding.organisation_id)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(query))


def list_holdings(session: Session, organisation_ids: Collection[int], query: str = "") -> list[ListedHolding]:
    """What some organisations have proven, by plate, each with when it was heard of last; where it is, trips tell."""
    rows = session.execute(
        select(VehicleHolding, Vehicle.plate, LastPosition.time)
        .join(Vehicle, Vehicle.vehicle_id == VehicleHolding.vehicle_id)
        .outerjoin(LastPosition, LastPosition.vehicle_id == VehicleHolding.vehicle_id)
        .where(
            VehicleHolding.organisation_id.in_(organisation_ids),
            VehicleHolding.ended_at.is_(None),
            matches(query, Vehicle.plate, Vehicle.plate_norm),
        )
        .order_by(Vehicle.plate_norm)
        .limit(MAX_LISTED)
    )
    return [ListedHolding(*row) for row in rows]


def drivers_of(session: Session, vehicle_id: int) -> list[int]:
    """The accounts in use that drive a vehicle."""
    query = select(Account.account_id).where(
        Account.vehicle_id == vehicle_id, Account.role == "driver", Account.disabled_at.is_(None)
    )
    return list(session.scalars(query))


def unbind_drivers(session: Session, vehicle_id: int, organisation_ids: Collection[int]) -> list[int]:
    """Take a vehicle from the drivers of some organisations; the accounts that drove it."""
    query = (
        update(Account)
        .where(
            Account.vehicle_id == vehicle_id,
            Account.role == "driver",
            Account.organisation_id.in_(organisation_ids),
        )
        .values(vehicle_id=None)
        .returning(Account.account_id)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(query))


def list_devices(session: Session, visible: ColumnElement[bool]) -> list[ListedDevice]:
    """Devices in use that the condition on `Device` lets through, by plate."""
    rows = session.execute(
        select(
            Device.device_id,
            Device.key_hint,
            Device.kind,
            Device.imei,
            Device.vehicle_id,
            Vehicle.plate,
            Device.created_at,
            heard_at(),
            refused_as(),
        )
        .join(Vehicle, Vehicle.vehicle_id == Device.vehicle_id)
        .where(visible, Device.revoked_at.is_(None))
        .order_by(Vehicle.plate_norm, Device.device_id)
        .limit(MAX_LISTED)
    )
    return [ListedDevice(*row) for row in rows]


def count_unproven_devices(session: Session, organisation_ids: Collection[int]) -> int:
    """How many devices in use people of some organisations enrolled for vehicles that nobody holds."""
    ours = select(Account.account_id).where(Account.organisation_id.in_(organisation_ids))
    holding = select(VehicleHolding.vehicle_id).where(VehicleHolding.ended_at.is_(None))
    query = select(func.count()).where(
        Device.created_by.in_(ours), Device.revoked_at.is_(None), Device.vehicle_id.not_in(holding)
    )
    return int(session.scalar(query) or 0)


def count_enrolled(session: Session, since: datetime) -> int:
    """How many devices were enrolled since a moment."""
    return int(session.scalar(select(func.count()).where(Device.created_at >= since)) or 0)


def foreign_devices(session: Session, vehicle_id: int, organisation_ids: Collection[int]) -> int:
    """How many devices in use report for a vehicle that were not enrolled by accounts of some organisations."""
    theirs = select(Account.account_id).where(Account.organisation_id.in_(organisation_ids))
    query = select(func.count()).where(
        and_(
            Device.vehicle_id == vehicle_id,
            Device.revoked_at.is_(None),
            func.coalesce(Device.created_by.not_in(theirs), True),
        )
    )
    return int(session.scalar(query) or 0)


def revoke_devices(session: Session, vehicle_id: int, *, keep: Collection[int], now: datetime) -> int:
    """End the devices of a vehicle that enterprises or drivers enrolled who are not of the organisations `keep`.

    What an administrator or the platform enrolled belongs to the vehicle and stays, and so does the phone of a driver
    to whom the vehicle is given.
    """
    rows = session.execute(
        text(
            """
            UPDATE ingest.device d SET revoked_at = :now, imei = NULL
            FROM app.account a
            WHERE d.vehicle_id = :vehicle_id AND d.revoked_at IS NULL AND a.account_id = d.created_by
                AND a.role IN ('enterprise', 'driver')
                AND (a.organisation_id IS NULL OR NOT a.organisation_id = ANY(:keep))
                AND a.vehicle_id IS DISTINCT FROM d.vehicle_id
            RETURNING d.device_id
            """
        ),
        {"now": now, "vehicle_id": vehicle_id, "keep": list(keep)},
    )
    return len(rows.all())
