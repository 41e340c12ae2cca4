"""Queries on advisories. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.dispatch.tables import Advisory
from app.platform.json import JsonObject
from app.trips.service import Trip, is_current
from geo.tables import RoadRow
from ingest.tables import LastPosition


@dataclass(frozen=True)
class AdvisoryLine:
    """An advisory with the name of who decided on it."""

    advisory: Advisory
    decider: str | None


@dataclass(frozen=True)
class TruckAhead:
    """A truck on its way to a gate with what it carries; `km` on `road` counts from the border, `direction` 1 to it."""

    gate_id: str
    perishable: bool
    regime: str
    goods_class: str
    road: str
    km: float | None
    direction: int
    site_id: str | None
    facts: JsonObject


# Advice


def standing_advisories(session: Session, *, lock: bool = False) -> Sequence[Advisory]:
    """Advisories whose risk still stands, whatever was decided."""
    query = select(Advisory).where(Advisory.over_at.is_(None)).order_by(Advisory.advisory_id)
    return session.scalars(query.with_for_update() if lock else query).all()


def list_advisories(
    session: Session, *, standing_only: bool, gate_id: str | None, before: int | None, limit: int
) -> list[AdvisoryLine]:
    """Advisories, newest first, with the name of who decided."""
    query = (
        select(Advisory, Account.full_name.label("decider"))
        .outerjoin(Account, Account.account_id == Advisory.decided_by)
        .order_by(Advisory.advisory_id.desc())
        .limit(limit)
    )
    if standing_only:
        query = query.where(Advisory.over_at.is_(None))
    if gate_id is not None:
        query = query.where(Advisory.gate_id == gate_id)
    if before is not None:
        query = query.where(Advisory.advisory_id < before)
    return [AdvisoryLine(advisory, decider) for advisory, decider in session.execute(query)]


def find_advisory(session: Session, advisory_id: int) -> AdvisoryLine | None:
    """One advisory with the name of who decided."""
    row = session.execute(
        select(Advisory, Account.full_name.label("decider"))
        .outerjoin(Account, Account.account_id == Advisory.decided_by)
        .where(Advisory.advisory_id == advisory_id)
    ).one_or_none()
    return None if row is None else AdvisoryLine(*row)


def lock_advisory(session: Session, advisory_id: int) -> Advisory | None:
    """An advisory, locked against other changes until the transaction ends."""
    return session.scalars(
        select(Advisory)
        .where(Advisory.advisory_id == advisory_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def insert_advisory(session: Session, values: Mapping[str, object]) -> int:
    """A new advisory; its id."""
    return int(session.scalars(insert(Advisory).values(**values).returning(Advisory.advisory_id)).one())


def update_advisory(session: Session, advisory_id: int, values: Mapping[str, object]) -> None:
    """Change an advisory."""
    session.execute(
        update(Advisory)
        .where(Advisory.advisory_id == advisory_id)
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )


def trucks_ahead(session: Session, since: datetime) -> list[TruckAhead]:
    """Open outbound trips on the move with a fresh position: what a measure could reach."""
    rows = session.execute(
        select(
            Trip.gate_id,
            Trip.perishable,
            Trip.regime,
            Trip.goods_class,
            RoadRow.road,
            LastPosition.km,
            LastPosition.direction,
            LastPosition.site_id,
            Trip.facts,
        )
        .join(LastPosition, LastPosition.vehicle_id == Trip.vehicle_id)
        .join(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .where(is_current(), Trip.direction == "export", LastPosition.time >= since)
    )
    return [TruckAhead(*row) for row in rows]
