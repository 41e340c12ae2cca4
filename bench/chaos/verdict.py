"""Whether everything that was acknowledged is there once, asked of the database itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.platform import audit
from app.platform.redis_servers import open_redis
from bench.chaos.fleet import Truck
from bench.chaos.office import YARD, Deeds
from bench.chaos.platform import Loaded
from capacity import store as capacity_store
from ingest.stream import stream_key

SETTLE_S = 90.0
DOUBLED_LINES = (
    "SELECT count(*) FROM (SELECT 1 FROM app.trip_event GROUP BY trip_id, kind, at, data, actor_id "
    "HAVING count(*) > 1) AS doubled"
)
DOUBLED_EVENTS = (
    "SELECT count(*) FROM (SELECT 1 FROM ingest.site_event GROUP BY vehicle_id, site_id, kind, time "
    "HAVING count(*) > 1) AS doubled"
)


@dataclass
class Verdict:
    """What was acknowledged and what of it is stored, missing, or there more than once; `faults` says which."""

    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    stale_positions: int = 0
    deeds: int = 0
    deeds_lost: int = 0
    deeds_doubled: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, what: str, acknowledged: int, found: int) -> None:
        """Compare how many deeds of a kind were acknowledged with how many there are."""
        if found < acknowledged:
            self.deeds_lost += acknowledged - found
            self.faults.append(f"{what}: {acknowledged} acknowledged, {found} found")
        elif found > acknowledged:
            self.deeds_doubled += found - acknowledged
            self.faults.append(f"{what}: {acknowledged} acknowledged, {found} found")


def settle(platform: Loaded, shards: int = 2) -> None:
    """Wait until the workers have stored all that the doors took.

    Raises
    ------
    RuntimeError
        If they do not come to an end.
    """
    deadline = time.monotonic() + SETTLE_S
    with contextlib.closing(open_redis(platform.redis_url, client_name="cuakhau-chaos")) as redis:
        while waiting := sum(int(redis.xlen(stream_key(shard))) for shard in range(shards)):  # type: ignore[arg-type]
            if time.monotonic() > deadline:
                raise RuntimeError(f"{waiting} entries are still in the streams after {SETTLE_S:.0f} s.")
            time.sleep(0.1)


def judge(platform: Loaded, trucks: Sequence[Truck], deeds: Deeds | None = None) -> Verdict:
    """Compare what was acknowledged with what is stored."""
    verdict = Verdict()
    with platform.engine.connect() as connection:
        _judge_fixes(connection, trucks, verdict)
        if deeds is not None:
            _judge_deeds(connection, deeds, verdict)
    with Session(platform.engine) as session:
        if deeds is not None:
            states = capacity_store.yard_states(session, datetime.now(UTC))
            inside = next(state.inside_veh for state in states if state.yard_id == YARD)
            verdict.note("trucks inside", deeds.inside, inside)
        verdict.faults += [f"audit: {fault}" for fault in audit.verify(session)]
    return verdict


def _judge_fixes(connection: Connection, trucks: Sequence[Truck], verdict: Verdict) -> None:
    rows = connection.execute(
        text(
            "SELECT vehicle_id, round(extract(epoch FROM time) * 1000)::bigint, count(*) FROM ingest.fix "
            "WHERE vehicle_id = ANY(:ids) GROUP BY 1, 2"
        ),
        {"ids": [truck.vehicle_id for truck in trucks]},
    )
    stored = {(vehicle_id, int(moment_ms)): count for vehicle_id, moment_ms, count in rows}
    last = connection.execute(
        text("SELECT vehicle_id, round(extract(epoch FROM time) * 1000)::bigint FROM ingest.last_position")
    )
    newest = {vehicle_id: int(moment_ms) for vehicle_id, moment_ms in last}
    verdict.stored = sum(stored.values())
    verdict.doubled = sum(count - 1 for count in stored.values())
    for truck in trucks:
        verdict.acknowledged += len(truck.acknowledged_ms)
        missing = [moment for moment in truck.acknowledged_ms if (truck.vehicle_id, moment) not in stored]
        verdict.lost += len(missing)
        if missing:
            verdict.faults.append(f"truck {truck.vehicle_id}: {len(missing)} fixes lost, the first of {missing[0]}")
        if truck.acknowledged_ms and newest.get(truck.vehicle_id, 0) < max(truck.acknowledged_ms):
            verdict.stale_positions += 1
            verdict.faults.append(f"truck {truck.vehicle_id}: its last position is not its newest fix")
    doubled = connection.scalar(text(DOUBLED_EVENTS)) or 0
    verdict.doubled += doubled


def _judge_deeds(connection: Connection, deeds: Deeds, verdict: Verdict) -> None:
    def count(query: str, **values: object) -> int:
        return int(connection.scalar(text(query), values) or 0)

    verdict.deeds = len(deeds)
    verdict.note("movements", deeds.movements, count("SELECT count(*) FROM capacity.movement WHERE source = 'manual'"))
    verdict.note("orders", len(set(deeds.orders)), count("SELECT count(*) FROM app.dispatch_order"))
    entered = "SELECT count(*) FROM app.trip t JOIN ingest.vehicle v USING (vehicle_id) WHERE plate_norm LIKE '14C%'"
    verdict.note("trips", len(set(deeds.trips)), count(entered))
    verdict.note("payments", len(deeds.paid_fees), count("SELECT count(*) FROM app.payment"))
    verdict.note(
        "paid fees", len(deeds.paid_fees), count("SELECT count(DISTINCT fee_id) FROM app.payment WHERE method = 'cash'")
    )
    receipts = count("SELECT sum(last_number) FROM app.receipt_series")
    verdict.note("receipts", len(deeds.paid_fees), receipts)
    verdict.note("doubled lines of trips", 0, count(DOUBLED_LINES))
    verdict.note("answers of success without a thing of their own", len(deeds.orders), len(set(deeds.orders)))
