"""Queries on advisories. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.dispatch.tables import AdviceTelling, Advisory
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


def last_telling(session: Session, advisory_id: int) -> AdviceTelling | None:
    """What an advisory told last."""
    query = select(AdviceTelling).where(AdviceTelling.advisory_id == advisory_id)
    return session.scalars(query.order_by(AdviceTelling.told_at.desc()).limit(1)).one_or_none()


def insert_telling(session: Session, values: Mapping[str, object]) -> None:
    """Keep what an advisory tells."""
    session.execute(insert(AdviceTelling).values(**values))


def list_tellings(session: Session, begin: datetime, end: datetime) -> list[AdviceTelling]:
    """What was told from `begin` until before `end`, and before it last of what stood then; oldest first."""
    before = (
        select(AdviceTelling.advisory_id, func.max(AdviceTelling.told_at).label("told_at"))
        .join(Advisory, Advisory.advisory_id == AdviceTelling.advisory_id)
        .where(AdviceTelling.told_at < begin, or_(Advisory.over_at.is_(None), Advisory.over_at > begin))
        .group_by(AdviceTelling.advisory_id)
        .subquery()
    )
    is_last_before = and_(before.c.advisory_id == AdviceTelling.advisory_id, before.c.told_at == AdviceTelling.told_at)
    query = (
        select(AdviceTelling)
        .outerjoin(before, is_last_before)
        .where(or_(before.c.advisory_id.is_not(None), AdviceTelling.told_at.between(begin, end)))
        .where(AdviceTelling.told_at < end)
        .order_by(AdviceTelling.told_at, AdviceTelling.advisory_id)
    )
    return list(session.scalars(query))


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
