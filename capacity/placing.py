"""The ledger made to say what is known of trucks from elsewhere: that each is in a certain yard, or in none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from capacity import ledger
from capacity import ledger_store as ledger_rows
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement, Stay

AFTER: timedelta = timedelta(milliseconds=1)
"""A truck that is inside again is so after it left."""


@dataclass(frozen=True)
class Placement:
    """A truck is in the yard `yard_id` since `time`, or (`None`) in none of them; `source` shows it (see `Movement`).

    It left only yards of `only_from` (`None`: any) and those of other gates than `gate_id`, if it is in the area of
    that one; and of them only yards that it entered until `entered_by` (`None`: at any time).
    """

    truck: LedgerTruck
    yard_id: str | None
    time: datetime
    source: str
    only_from: Collection[str] | None = None
    gate_id: str | None = None
    entered_by: datetime | None = None


def place_trucks(session: Session, placements: Sequence[Placement]) -> set[str]:
    """Enter what is missing for the ledger to agree; which yards changed. What already agrees is left alone.

    A place without a ledger is none of its yards. A stay that is ended so carries no flag, since it is known that the
    truck left; a stay under a bare plate counts as the truck's own.
    """
    if not placements:
        return set()
    stays = ledger_rows.load_stays(session, [placement.truck for placement in placements])
    gate_of = capacity_store.gates_of_yards(session)
    if all(not moves_of(placement, stays, gate_of) for placement in placements):
        return set()
    balance = ledger_rows.lock_balances(session)
    stays = ledger_rows.load_stays(session, [placement.truck for placement in placements])
    reports: list[tuple[str, Movement]] = []
    changed: dict[tuple[str, str], Stay] = {}
    for placement in placements:
        for yard_id, key, movement in moves_of(placement, stays, gate_of):
            if yard_id not in balance:
                continue
            before = stays.get((yard_id, key))
            stays[yard_id, key], balance[yard_id] = ledger.apply_movement(before, balance[yard_id], movement)
            changed[yard_id, key] = stays[yard_id, key]
            reports.append((yard_id, movement))
    touched = {yard_id for yard_id, _ in reports}
    ledger_rows.insert_new_movements(session, reports)
    ledger_rows.save_stays(session, changed)
    ledger_rows.save_balances(session, {yard_id: balance[yard_id] for yard_id in touched})
    return touched


def moves_of(
    placement: Placement, stays: Mapping[tuple[str, str], Stay], gate_of: Mapping[str, str]
) -> list[tuple[str, str, Movement]]:
    """What has to be entered for the ledger to agree: yard, ledger key and movement, none if it does. Pure.

    Arguments: `stays`, the last ones of the truck, by yard and ledger key; `gate_of`, the gate of each yard.
    """
    truck, source = placement.truck, placement.source
    keys = [truck.key]
    if truck.plate_norm is not None and truck.vehicle_id is not None:
        keys.append(LedgerTruck(plate_norm=truck.plate_norm).key)
    own = {(yard_id, key): stay for (yard_id, key), stay in stays.items() if key in keys}
    found = []
    for (yard_id, key), stay in own.items():
        if stay.is_open and yard_id != placement.yard_id and _may_leave(placement, yard_id, stay, gate_of):
            time = max(placement.time, stay.entered_at) if stay.entered_at is not None else placement.time
            found.append((yard_id, key, Movement(stay.truck, "leave", time, source)))
    if placement.yard_id is None:
        return found
    here = [own[placement.yard_id, key] for key in keys if (placement.yard_id, key) in own]
    if not any(stay.is_open for stay in here):
        ended = [stay.left_at for stay in here[:1] if stay.left_at is not None]
        time = max([placement.time, *(left_at + AFTER for left_at in ended)])
        found.append((placement.yard_id, truck.key, Movement(truck, "enter", time, source)))
    return found


def _may_leave(placement: Placement, yard_id: str, stay: Stay, gate_of: Mapping[str, str]) -> bool:
    if placement.entered_by is not None and stay.entered_at is not None and stay.entered_at > placement.entered_by:
        return False
    is_of_another_gate = placement.gate_id is not None and gate_of.get(yard_id, placement.gate_id) != placement.gate_id
    return placement.only_from is None or is_of_another_gate or yard_id in placement.only_from
