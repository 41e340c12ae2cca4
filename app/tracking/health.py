"""How devices fare: heard or silent, kept or refused and why, by the limits of the regulation; and what looks faked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.registers.scope import own_devices
from app.tracking import health_store
from app.tracking.health_store import DeviceRow, Gaps, Refused
from app.tracking.positions import overdue_s
from app.trips.gps_silence import MAX_MOVING_REPORT, MAX_RELAY, MAX_STANDING_REPORT
from ingest import trait_store
from ingest.formats.report import RefusalReason
from ingest.speeds import SpeedUnit, unit_of
from ingest.trait_store import RefusalNote

GAPS_OF: Final = timedelta(hours=24)
SHARED_WITHIN: Final = timedelta(minutes=10)
MIN_SHARED: Final = 3
"""So many vehicles at exactly one place are no coincidence: positions differ by metres even side by side."""
LOW_BATTERY: Final = 0.15
CLOCK_OFF_S: Final = 30.0
"""A clock that is further off is shown as such: beyond the noise of a relay."""
DOUBTFUL: Final = frozenset({RefusalReason.MOCK, RefusalReason.IMPOSSIBLE_JUMP, RefusalReason.SAME_PLACE})
"""What officers look at as perhaps faked."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How a device fares at a moment.

    `refused` is why its last report was refused (`None`: it was kept, or none came). `battery` is a share 0–1.
    `clock_offset_s` is how far its clock is ahead now, `clock_shift_s` what is taken from its times. `overdue_s` is how
    long a position of its truck is overdue by the regulation (TT 09/2015, article 4), `None` if none is.
    """

    number: int
    hint: str
    kind: str
    vehicle_id: int
    plate: str
    heard_at: datetime | None
    kept_at: datetime | None
    refused: RefusalReason | None
    refusals: list[Refused]
    gaps: Gaps | None
    battery: float | None
    clock_offset_s: float | None
    clock_shift_s: int
    weeks_rolled: bool
    speed_unit: SpeedUnit
    speed_unit_set: bool
    overdue_s: float | None

    @property
    def concern(self) -> int:
        """How much it asks to be looked at, for the order of a list: 0 most."""
        if self.refused is not None or self.overdue_s is not None:
            return 0
        if self.is_doubtful or self.is_clock_off or self.is_battery_low:
            return 1
        return 2 if self.heard_at is not None else 3

    @property
    def is_clock_off(self) -> bool:
        """Whether its clock is wrong, corrected or not."""
        off_s = 0.0 if self.clock_offset_s is None else self.clock_offset_s
        return self.clock_shift_s != 0 or self.weeks_rolled or off_s > CLOCK_OFF_S

    @property
    def is_battery_low(self) -> bool:
        """Whether it may soon be silent."""
        return self.battery is not None and self.battery < LOW_BATTERY

    @property
    def is_doubtful(self) -> bool:
        """Whether some of its positions look faked."""
        return any(refusal.reason in DOUBTFUL for refusal in self.refusals)


def list_health(
    session: Session, principal: Principal, now: datetime, *, after: int = 0, limit: int = 100, with_gaps: bool = True
) -> list[DeviceHealth]:
    """How the devices fare that the caller may see, by number: an enterprise's own, all of them for officers.

    Gaps are left out unless `with_gaps`: they read a day of fixes.
    """
    rows = health_store.list_devices(session, own_devices(principal, "device_health.read"), after=after, limit=limit)
    refusals = health_store.list_refusals(session, [row.number for row in rows])
    gaps = health_store.load_gaps(
        session,
        [(row.number, row.vehicle_id) for row in rows if with_gaps],
        now - GAPS_OF,
        moving_s=MAX_MOVING_REPORT.total_seconds(),
        standing_s=MAX_STANDING_REPORT.total_seconds(),
        relay_s=MAX_RELAY.total_seconds(),
    )
    return [_health(row, refusals.get(row.number, []), gaps.get(row.number), now) for row in rows]


def _health(row: DeviceRow, refusals: list[Refused], gaps: Gaps | None, now: datetime) -> DeviceHealth:
    leads = row.position_device == row.number
    kept = [moment for moment in (row.kept_at, row.position_at if leads else None) if moment is not None]
    heard_at = row.position_at if row.position_device is not None and row.position_device > 0 else None
    return DeviceHealth(
        number=row.number,
        hint=row.hint,
        kind=row.kind,
        vehicle_id=row.vehicle_id,
        plate=row.plate,
        heard_at=row.heard_at,
        kept_at=max(kept, default=None),
        refused=None if row.refused is None else RefusalReason(row.refused),
        refusals=refusals,
        gaps=gaps,
        battery=_battery(row.battery) if leads else None,
        clock_offset_s=row.clock_offset_s,
        clock_shift_s=row.clock_shift_s or 0,
        weeks_rolled=bool(row.weeks_rolled),
        speed_unit=unit_of(1.0 if row.speed_factor is None else row.speed_factor),
        speed_unit_set=bool(row.speed_set),
        overdue_s=overdue_s(row.place, heard_at, row.speed_mps, now),
    )


def _battery(said: str | None) -> float | None:
    try:
        share = float(said) if said is not None else None
    except ValueError:
        return None
    return share if share is not None and 0.0 <= share <= 1.0 else None


def flag_shared_places(session: Session, now: datetime) -> int:
    """Note devices of several vehicles that report exactly the same place; how many.

    Such positions are made on one computer: they are shown to officers with the devices they came from.
    """
    flagged = 0
    for device_ids, lon, lat in health_store.find_shared_places(session, now - SHARED_WITHIN, MIN_SHARED):
        for device_id in device_ids:
            detail = f"lat={lat:.7f}, lon={lon:.7f}: × {len(device_ids)}"
            note = RefusalNote(device_id, RefusalReason.SAME_PLACE, 1, now, now, detail)
            trait_store.set_refusal(session, note)
            flagged += 1
    return flagged
