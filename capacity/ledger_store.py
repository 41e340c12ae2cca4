"""Rows of the yards' ledger: movements as evidence, stays, and the balance that is kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from capacity.ledger import Flag, LedgerTruck, Movement, Stay, YardBalance
from capacity.tables import MovementRow, PresenceRow, YardStateRow


def insert_new_movements(session: Session, reports: list[tuple[str, Movement]]) -> list[tuple[str, Movement]]:
    """Keep the reports as evidence; those that were not known yet."""
    if not reports:
        return []
    by_ref = {(movement.source, movement.source_ref): (yard_id, movement) for yard_id, movement in reports}
    unreferenced = [report for report in reports if report[1].source_ref is None]
    referenced = [report for key, report in by_ref.items() if key[1] is not None]
    rows = [
        {
            "yard_id": yard_id,
            "vehicle_id": movement.truck.vehicle_id,
            "plate_norm": movement.truck.plate_norm,
            "kind": movement.kind,
            "time": movement.time,
            "source": movement.source,
            "source_ref": movement.source_ref,
            "recorded_by": movement.recorded_by,
        }
        for yard_id, movement in unreferenced + referenced
    ]
    statement = pg_insert(MovementRow).on_conflict_do_nothing(index_elements=["source", "source_ref"])
    new = session.execute(statement.returning(MovementRow.source, MovementRow.source_ref), rows).all()
    return unreferenced + [by_ref[source, ref] for source, ref in new if ref is not None]


def lock_balances(session: Session) -> dict[str, YardBalance]:
    """The balance of all yards, locked in one order: a truck that changes yards concerns two of them."""
    rows = session.scalars(
        select(YardStateRow).order_by(YardStateRow.yard_id).with_for_update().execution_options(populate_existing=True)
    )
    return {row.yard_id: balance_of(row) for row in rows}


def balance_of(row: YardStateRow) -> YardBalance:
    """The balance that a row holds."""
    return YardBalance(row.unidentified_veh, row.counted_at, row.counted_veh, row.expected_veh)


def save_balances(session: Session, balance: Mapping[str, YardBalance]) -> None:
    """Store the balances of some yards, whose rows are locked."""
    for yard_id, kept in balance.items():
        session.execute(
            update(YardStateRow)
            .where(YardStateRow.yard_id == yard_id)
            .values(
                unidentified_veh=kept.unidentified_veh,
                counted_at=kept.counted_at,
                counted_veh=kept.counted_veh,
                expected_veh=kept.expected_veh,
            )
            .execution_options(synchronize_session=False)
        )


def load_stays(session: Session, trucks: Sequence[LedgerTruck]) -> dict[tuple[str, str], Stay]:
    """The last stays of trucks, by yard and ledger key; those under a bare plate included."""
    keys = {truck.key for truck in trucks}
    keys |= {LedgerTruck(plate_norm=truck.plate_norm).key for truck in trucks if truck.plate_norm is not None}
    rows = session.scalars(
        select(PresenceRow).where(PresenceRow.truck_key.in_(sorted(keys))).execution_options(populate_existing=True)
    )
    return {
        (row.yard_id, row.truck_key): Stay(
            LedgerTruck(row.vehicle_id, row.plate_norm),
            row.entered_at,
            row.entered_source,
            row.left_at,
            row.left_source,
            Flag(row.flag) if row.flag is not None else None,
        )
        for row in rows
    }


def save_stays(session: Session, stays: Mapping[tuple[str, str], Stay]) -> None:
    """Store stays, by yard and ledger key."""
    if not stays:
        return
    rows = [
        {
            "yard_id": yard_id,
            "truck_key": key,
            "vehicle_id": stay.truck.vehicle_id,
            "plate_norm": stay.truck.plate_norm,
            "entered_at": stay.entered_at,
            "entered_source": stay.entered_source,
            "left_at": stay.left_at,
            "left_source": stay.left_source,
            "flag": stay.flag.value if stay.flag is not None else None,
        }
        for (yard_id, key), stay in stays.items()
    ]
    statement = pg_insert(PresenceRow)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in ("yard_id", "truck_key")}
    session.execute(statement.on_conflict_do_update(index_elements=["yard_id", "truck_key"], set_=changed), rows)


def delete_stays(session: Session, keys: Iterable[tuple[str, str]]) -> None:
    """Delete stays, by yard and ledger key."""
    for yard_id, key in keys:
        session.execute(
            delete(PresenceRow)
            .where(PresenceRow.yard_id == yard_id, PresenceRow.truck_key == key)
            .execution_options(synchronize_session=False)
        )


def count_open(session: Session, yard_id: str) -> int:
    """How many stays in a yard have no end."""
    inside = select(func.count()).select_from(PresenceRow)
    return session.scalar(inside.where(PresenceRow.yard_id == yard_id, PresenceRow.left_at.is_(None))) or 0


def net_since(session: Session, yard_id: str, time: datetime) -> int:
    """How many more vehicles are inside now than at `time`, from the stays."""
    row = session.execute(
        text(
            """
            SELECT count(*) FILTER (WHERE entered_at > :time)
                   - count(*) FILTER (WHERE left_at > :time AND flag IS DISTINCT FROM 'left_never_entered')
            FROM capacity.presence
            WHERE yard_id = :yard_id AND (entered_at > :time OR left_at > :time)
            """
        ),
        {"yard_id": yard_id, "time": time},
    ).scalar_one()
    return int(row)
