"""What the schema `capacity` holds: yards, their ledger, and plans.

Cost does not grow with history: a yard's state is its row in `yard_state`, its trucks inside and the
stays that ended within `KEEP_STAYS`; movements are kept as evidence and not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from capacity import ledger
from capacity import ledger_store as ledger_rows
from capacity.counting import shift_at
from capacity.ledger import Flag, LedgerTruck, Movement, YardState
from capacity.records import Assignment, Inside, PlanInSum, Yard
from capacity.tables import (
    AssignmentRow,
    CountRow,
    FeedRow,
    MovementRow,
    PlanRow,
    PresenceRow,
    YardRow,
    YardStateRow,
)
from capacity.vocabulary import ZoneKind
from capacity.zone_store import list_closures, places_ahead
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import stale

__all__ = ["Assignment", "Inside", "Yard"]
"""Records that callers take from here; the functions are reached through the module."""

KEEP_STAYS = timedelta(days=1)
"""How long an ended stay is kept, so that late reports of it are recognised."""
KEEP_ASSIGNMENTS = timedelta(hours=6)
RESERVED_AHEAD = timedelta(hours=6)
"""A place that is given for later is not reserved yet: others stand there until then."""
KEEP_PLANS = timedelta(days=30)
MAX_COUNT_AGE = timedelta(hours=1)
"""A count older than this is refused: the ledger no longer knows that moment exactly."""


# Yards


def seed_yards(session: Session, corridor: Corridor, *, now: datetime) -> None:
    """Make a yard of each yard site that is not one yet; what planners changed is left alone."""
    sites = [*corridor.yards(), *corridor.temporary_yards()]
    rows = [
        {
            "yard_id": site.site_id,
            "gate_id": site.gate_id,
            "kind": site.kind,
            "capacity_veh": site.capacity_veh or 0,
            "updated_at": now,
        }
        for site in sites
    ]
    if not rows:
        return
    session.execute(pg_insert(YardRow).values(rows).on_conflict_do_nothing())
    states = [{"yard_id": row["yard_id"]} for row in rows]
    session.execute(pg_insert(YardStateRow).values(states).on_conflict_do_nothing())


def list_yards(session: Session) -> list[Yard]:
    """All yards, by gate and name."""
    rows = session.scalars(select(YardRow).order_by(YardRow.gate_id, YardRow.kind.desc(), YardRow.yard_id))
    return [_yard(row) for row in rows]


def get_yard(session: Session, yard_id: str) -> Yard:
    """One yard; raises NotFoundError."""
    row = session.get(YardRow, yard_id, populate_existing=True)
    if row is None:
        raise NotFoundError("There is no yard {yard_id}.", field="yard_id", yard_id=yard_id)
    return _yard(row)


def set_capacity(
    session: Session,
    yard_id: str,
    capacity_veh: int,
    *,
    version: int,
    now: datetime,
    by: int,
    opening_hours: str | None = None,
) -> Yard:
    """Change how many vehicles a yard holds, and when it takes them in unless `opening_hours` is `None`.

    Raises
    ------
    StaleError
        If `version` is no longer the present one.
    """
    hours = get_yard(session, yard_id).opening_hours if opening_hours is None else opening_hours
    changed = session.scalar(
        update(YardRow)
        .where(YardRow.yard_id == yard_id, YardRow.version == version)
        .values(capacity_veh=capacity_veh, opening_hours=hours, version=version + 1, updated_at=now, updated_by=by)
        .returning(YardRow)
        .execution_options(populate_existing=True)
    )
    if changed is None:
        raise stale(get_yard(session, yard_id).version, version)
    return _yard(changed)


def _yard(row: YardRow) -> Yard:
    return Yard(
        row.yard_id,
        row.gate_id,
        row.kind,
        row.capacity_veh,
        row.opening_hours,
        row.version,
        row.updated_at,
        row.updated_by,
    )


# The ledger


def record_movements(
    session: Session, movements: Iterable[tuple[str, Movement]], *, now: datetime | None = None
) -> set[str]:
    """Enter reports of entering and leaving, given as (yard, movement); which yards changed.

    A report whose source and reference are already known is skipped, so feeding one twice is harmless. What the ledger
    holds of after `now`, if given, a clock wrote that was wrong: it does not hide what is reported since.
    """
    reports = ledger_rows.insert_new_movements(session, list(movements))
    if not reports:
        return set()
    balance = ledger_rows.lock_balances(session)
    stays = ledger_rows.load_stays(session, [movement.truck for _, movement in reports])
    known, renamed = dict(stays), []
    if now is not None:
        balance = {yard_id: ledger.counted_no_later_than(now, kept) for yard_id, kept in balance.items()}
        stays = {key: ledger.no_later_than(now, stay) for key, stay in stays.items()}
    touched: set[str] = set()
    for yard_id, movement in sorted(reports, key=lambda report: report[1].time):
        key = movement.truck.key
        by_plate = LedgerTruck(plate_norm=movement.truck.plate_norm).key if movement.truck.plate_norm else key
        if by_plate != key and (yard_id, key) not in stays and (yard_id, by_plate) in stays:
            stays[yard_id, key] = stays.pop((yard_id, by_plate))  # the plate's vehicle is known by now
            renamed.append((yard_id, by_plate))
        before = stays.get((yard_id, key))
        after, balance[yard_id] = ledger.apply_movement(before, balance[yard_id], movement)
        stays[yard_id, key] = after
        touched.add(yard_id)
        if movement.kind != "enter" or not after.is_open or after is before:
            continue
        for other_id, other_key in list(stays):
            if other_key == key and other_id != yard_id and stays[other_id, key].is_open:
                closed, balance[other_id] = ledger.leave_unseen(stays[other_id, key], balance[other_id], movement.time)
                stays[other_id, key] = closed
                touched.add(other_id)
    ledger_rows.delete_stays(session, renamed)
    ledger_rows.save_stays(session, {key: stay for key, stay in stays.items() if known.get(key) is not stay})
    ledger_rows.save_balances(session, {yard_id: balance[yard_id] for yard_id in touched})
    return touched


def first_entry(
    session: Session, *, gate_id: str, vehicle_id: int, plate_norm: str, since: datetime
) -> MovementRow | None:
    """The first entry of a truck into a yard of a gate since a time, as a camera or a person saw it; `None`: none.

    What the truck's own device reports does not count: its owner sends it. Nor does an entry that follows from an act
    elsewhere, nor one into a temporary yard before the gate.
    """
    query = (
        select(MovementRow)
        .join(YardRow, YardRow.yard_id == MovementRow.yard_id)
        .where(
            YardRow.gate_id == gate_id,
            MovementRow.kind == "enter",
            YardRow.kind == "yard",
            MovementRow.source.in_(["camera", "manual"]),
            MovementRow.time >= since,
            or_(MovementRow.vehicle_id == vehicle_id, MovementRow.plate_norm == plate_norm),
        )
        .order_by(MovementRow.time)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def close_stays(session: Session, vehicle_ids: Sequence[int], now: datetime) -> set[str]:
    """End the stays of vehicles known to be gone (their trip is over); which yards changed."""
    balance = ledger_rows.lock_balances(session)
    stays = {
        key: stay
        for key, stay in ledger_rows.load_stays(session, [LedgerTruck(v) for v in vehicle_ids]).items()
        if stay.is_open
    }
    closed = {}
    for (yard_id, key), stay in stays.items():
        closed[yard_id, key], balance[yard_id] = ledger.leave_unseen(stay, balance[yard_id], now)
    ledger_rows.save_stays(session, closed)
    ledger_rows.save_balances(session, {yard_id: balance[yard_id] for yard_id, _ in closed})
    return {yard_id for yard_id, _ in closed}


def record_count(
    session: Session,
    yard_id: str,
    inside_veh: int,
    *,
    time: datetime,
    now: datetime,
    counted_by: int | None,
    is_confirmed: bool = False,
) -> int:
    """Enter a person's count of the vehicles inside; the ledger follows it and shows the difference. Its id.

    Raises
    ------
    InvalidInputError
        If the count is of the future, or so old that the ledger no longer knows that moment.
    ConflictError
        If a later count is already entered.
    """
    if time > now or time < now - MAX_COUNT_AGE:
        raise InvalidInputError(
            "A count is entered within an hour; {time} is not in the past hour.", field="time", time=time.isoformat()
        )
    get_yard(session, yard_id)
    balance = ledger.counted_no_later_than(now, ledger_rows.lock_balances(session)[yard_id])
    if balance.counted_at is not None and time < balance.counted_at:
        raise ConflictError(
            "A later count, of {time}, is already entered.", field="time", time=balance.counted_at.isoformat()
        )
    raw_veh = ledger_rows.count_open(session, yard_id) + balance.unidentified_veh
    raw_then_veh = raw_veh - ledger_rows.net_since(session, yard_id, time)
    after = ledger.apply_count(balance, raw_then_veh=raw_then_veh, counted_veh=inside_veh, counted_at=time)
    count_id = session.execute(
        insert(CountRow)
        .values(
            yard_id=yard_id,
            time=time,
            inside_veh=inside_veh,
            expected_veh=raw_then_veh,
            counted_by=counted_by,
            shift=shift_at(time),
            confirmed=is_confirmed,
        )
        .returning(CountRow.count_id)
    ).scalar_one()
    settled = update(PresenceRow).where(PresenceRow.yard_id == yard_id, PresenceRow.flag.is_not(None))
    settled = settled.where(func.coalesce(PresenceRow.left_at, PresenceRow.entered_at) <= time)
    session.execute(settled.values(flag=None).execution_options(synchronize_session=False))
    ledger_rows.save_balances(session, {yard_id: after})
    return count_id


def gates_of_yards(session: Session) -> dict[str, str]:
    """The gate of each yard, by `yard_id`."""
    return {yard_id: gate_id for yard_id, gate_id in session.execute(select(YardRow.yard_id, YardRow.gate_id))}


def yard_states(session: Session, now: datetime, *, gate_id: str | None = None) -> list[YardState]:
    """All yards (of a gate) as of now: places, inside, reserved, free, and what contradicts."""
    yards = select(YardRow, YardStateRow).join(YardStateRow, YardStateRow.yard_id == YardRow.yard_id)
    if gate_id is not None:
        yards = yards.where(YardRow.gate_id == gate_id)
    rows = session.execute(yards.order_by(YardRow.gate_id, YardRow.kind.desc(), YardRow.yard_id)).all()
    present = select(PresenceRow.yard_id, func.count()).where(PresenceRow.left_at.is_(None))
    inside = {yard_id: count for yard_id, count in session.execute(present.group_by(PresenceRow.yard_id))}
    flagged: dict[str, dict[Flag, list[str]]] = defaultdict(lambda: defaultdict(list))
    odd = select(PresenceRow.yard_id, PresenceRow.flag, func.coalesce(PresenceRow.plate_norm, PresenceRow.truck_key))
    odd = odd.where(PresenceRow.flag.in_([flag.value for flag in ledger.CONTRADICTORY]), _recent(now))
    for yard_id, flag, name in session.execute(odd.order_by(PresenceRow.truck_key)):
        flagged[yard_id][Flag(str(flag))].append(name)
    reserved = _reserved(session)
    places = places_ahead(session, now, 0.0, 1)
    closed = {closure.yard_id for closure in list_closures(session, now) if closure.holds_at(now)}
    return [
        ledger.summarise(
            yard_id=yard.yard_id,
            gate_id=yard.gate_id,
            kind=yard.kind,
            capacity_veh=places[yard.yard_id][0],
            identified_veh=inside.get(yard.yard_id, 0),
            balance=ledger_rows.balance_of(state),
            flagged=flagged[yard.yard_id],
            reserved_veh=reserved.get(yard.yard_id, 0),
            as_of=now,
            version=yard.version,
            is_closed=yard.yard_id in closed,
        )
        for yard, state in rows
    ]


def get_yard_state(session: Session, yard_id: str, now: datetime) -> YardState:
    """One yard as of now; raises NotFoundError."""
    yard = get_yard(session, yard_id)
    return next(state for state in yard_states(session, now, gate_id=yard.gate_id) if state.yard_id == yard_id)


def list_inside(session: Session, yard_id: str, *, limit: int = 2000) -> list[Inside]:
    """The trucks the ledger knows inside a yard, longest stay first."""
    rows = session.scalars(
        select(PresenceRow)
        .where(PresenceRow.yard_id == yard_id, PresenceRow.left_at.is_(None))
        .order_by(PresenceRow.entered_at)
        .limit(limit)
    )
    return [
        Inside(row.vehicle_id, row.plate_norm, row.entered_at, row.entered_source or "manual", row.flag)
        for row in rows
        if row.entered_at is not None
    ]


def feed_position(session: Session, feed: str) -> int:
    """How far a feed of movements was read; 0 at the start."""
    return session.scalar(select(FeedRow.position).where(FeedRow.feed == feed)) or 0


def set_feed_position(session: Session, feed: str, position: int) -> None:
    """Remember how far a feed was read."""
    statement = pg_insert(FeedRow).values(feed=feed, position=position)
    session.execute(statement.on_conflict_do_update(index_elements=["feed"], set_={"position": position}))


def prune(session: Session, now: datetime) -> None:
    """Drop ended stays that no late report can concern any more."""
    session.execute(
        delete(PresenceRow).where(PresenceRow.left_at < now - KEEP_STAYS).execution_options(synchronize_session=False)
    )


def _recent(now: datetime) -> ColumnElement[bool]:
    return PresenceRow.left_at.is_(None) | (PresenceRow.left_at > now - KEEP_STAYS)


def _reserved(session: Session) -> dict[str, int]:
    """Trucks the last plan promised a place that are not inside yet, for each yard."""
    newest = select(func.max(PlanRow.plan_id)).scalar_subquery()
    inside = select(PresenceRow.vehicle_id).where(
        PresenceRow.vehicle_id == AssignmentRow.vehicle_id, PresenceRow.left_at.is_(None)
    )
    rows = session.execute(
        select(AssignmentRow.yard_id, func.count())
        .join(PlanRow, PlanRow.plan_id == AssignmentRow.plan_id)
        .where(AssignmentRow.plan_id == newest, AssignmentRow.yard_id.is_not(None), ~inside.exists())
        .where(AssignmentRow.place_free_at <= PlanRow.made_at + RESERVED_AHEAD)
        .group_by(AssignmentRow.yard_id)
    )
    return {yard_id: count for yard_id, count in rows if yard_id is not None}


# Plans


def save_plan(
    session: Session,
    *,
    made_at: datetime,
    status: str,
    objective: float,
    gap: float | None,
    duration_s: float,
    summary: Mapping[str, object],
    assignments: Sequence[Mapping[str, object]],
) -> int:
    """Keep a plan and its assignments (`trip_id vehicle_id yard_id arrive_at place_free_at wait_s reason`, in
    yards with zones `zone_id place_kind`); its id."""
    plan_id = session.execute(
        insert(PlanRow)
        .values(
            made_at=made_at,
            status=status,
            objective=objective,
            gap=gap,
            duration_ms=round(duration_s * 1000),
            summary=summary,
        )
        .returning(PlanRow.plan_id)
    ).scalar_one()
    if assignments:
        session.execute(insert(AssignmentRow), [{**assignment, "plan_id": plan_id} for assignment in assignments])
    return plan_id


def assignments(session: Session, trip_ids: Sequence[int] | None = None) -> dict[int, Assignment]:
    """What the newest plan says about some trips, or about all it covers, by trip."""
    newest = select(func.max(PlanRow.plan_id)).scalar_subquery()
    rows = select(AssignmentRow, PlanRow.made_at).join(PlanRow).where(PlanRow.plan_id == newest)
    if trip_ids is not None:
        rows = rows.where(AssignmentRow.trip_id.in_(trip_ids))
    return {
        row.trip_id: Assignment(
            plan_id=row.plan_id,
            made_at=made_at,
            trip_id=row.trip_id,
            vehicle_id=row.vehicle_id,
            yard_id=row.yard_id,
            arrive_at=row.arrive_at,
            place_free_at=row.place_free_at,
            wait_s=row.wait_s,
            reason=row.reason,
            zone_id=row.zone_id,
            place_kind=None if row.place_kind is None else ZoneKind(row.place_kind),
        )
        for row, made_at in session.execute(rows)
    }


def latest_plan(session: Session) -> PlanInSum | None:
    """The newest plan in sum; `None` if there is none."""
    row = session.scalars(select(PlanRow).order_by(PlanRow.plan_id.desc()).limit(1)).one_or_none()
    return None if row is None else PlanInSum(row.made_at, row.summary)


def prune_plans(session: Session, now: datetime) -> None:
    """Drop old plans: assignments soon, since each minute makes hundreds; what a plan says in sum much later."""
    kept = select(func.min(PlanRow.plan_id)).where(PlanRow.made_at >= now - KEEP_ASSIGNMENTS).scalar_subquery()
    for table, condition in (
        (AssignmentRow, AssignmentRow.plan_id < kept),
        (PlanRow, PlanRow.made_at < now - KEEP_PLANS),
    ):
        session.execute(delete(table).where(condition).execution_options(synchronize_session=False))
