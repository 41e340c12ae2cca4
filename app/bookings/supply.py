"""How many places each yard has in each hour, and how many are taken: from what gates let through and yards hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.bookings import store
from app.bookings.store import Taken
from app.forecasting.pace_learning import UsualPace, find_pace
from app.forecasting.stay_learning import find_estimate
from app.gates.service import profiles_without_bans
from capacity import store as capacity_store
from capacity import zone_store
from capacity.kinds import places_of_kind
from capacity.slots import HOUR, HourLoad, SlotRules, YardHour, places_of_hour
from capacity.vocabulary import ZoneKind

OPEN_ENDED: Final = timedelta(hours=24)
"""As far as the yard plan looks (assumed)."""


@dataclass
class HourSupply:
    """One hour at a gate: the load of each yard."""

    starts_at: datetime
    yards: dict[str, YardHour] = field(default_factory=dict)

    @property
    def load(self) -> HourLoad:
        """Of all yards together."""
        loads = [yard.load for yard in self.yards.values()]
        return HourLoad(
            sum(load.places for load in loads),
            sum(load.priority for load in loads),
            sum(load.ordinary for load in loads),
        )

    @property
    def kinds(self) -> dict[ZoneKind, int]:
        """How many trucks the places of each kind take, in yards with zones."""
        found: dict[ZoneKind, int] = defaultdict(int)
        for yard in self.yards.values():
            for kind, places in (yard.kinds or {}).items():
                found[kind] += places
        return dict(found)

    def has_kind(self, need: ZoneKind) -> bool:
        """Whether any yard has places of a kind that a truck may stand on, free or not."""
        return any(yard.has_kind(need) for yard in self.yards.values())

    def roomiest(self, need: ZoneKind) -> str | None:
        """The yard with the most places left for who needs a kind of place; `None` if none has any."""
        rooms = {yard_id: yard.room(need) for yard_id, yard in self.yards.items()}
        best = max(rooms, key=lambda yard_id: (rooms[yard_id], yard_id), default=None)
        return best if best is not None and rooms[best] > 0 else None

    def take(self, yard_id: str, need: ZoneKind, *, is_priority: bool) -> None:
        """Count one place more as taken."""
        self.yards[yard_id] = self.yards[yard_id].with_truck(need, is_priority=is_priority)

    def free(self, rules: SlotRules, need: ZoneKind, *, is_priority: bool) -> int:
        """Places that can be booked by who needs a kind of place: the shares are of all places of the hour."""
        room = sum(yard.room(need) for yard in self.yards.values())
        return min(self.load.free(rules, is_priority=is_priority), room)


def hours_of_gate(session: Session, gate_id: str, start: datetime, hours: int, now: datetime) -> list[HourSupply]:
    """The hours of a gate from a whole hour on.

    A yard takes its share by places of what the gate lets through in the hours in which it works, by the pace that was
    learned where that is surer than what is set, and no more than its places turn over, by the stays that were learned;
    nobody outside its own hours. A closure that nobody has given an end to is taken to last `OPEN_ENDED` from now.
    """
    profile = profiles_without_bans(session, now).get(gate_id)
    if profile is None:
        return []
    exports = profile.exports.compile(gate_id, "export")
    step_s = HOUR.total_seconds()
    pace = find_pace(session, exports, now)
    learned = find_estimate(session, gate_id)
    stay_s = exports.dwell.mean_s if learned is None else learned.mean_s
    open_share = exports.crossing.hours.open_seconds_by_step(start, step_s, hours) / step_s
    whole = {
        yard.yard_id: yard.capacity_veh
        for yard in capacity_store.list_yards(session)
        if yard.gate_id == gate_id and yard.kind == "yard"
    }
    ahead = zone_store.places_ahead(session, start, step_s, hours, open_until=now + OPEN_ENDED)
    kinds_ahead = zone_store.kinds_ahead(session, start, step_s, hours, open_until=now + OPEN_ENDED)
    opens = zone_store.open_ahead(session, start, step_s, hours)
    taken = _taken(session, gate_id, start, start + hours * HOUR)
    found = []
    for n in range(hours):
        starts_at = start + n * HOUR
        present = {yard_id: ahead[yard_id][n] if opens[yard_id][n] else 0 for yard_id in whole}
        total = max(sum(present.values()), 1)
        supply = HourSupply(starts_at)
        for yard_id, capacity_veh in present.items():
            rate = pace.veh_per_h * capacity_veh / total
            share = float(open_share[n]) if capacity_veh else 0.0
            places = places_of_hour(rate, capacity_veh, stay_s / step_s, share)
            kinds = None
            if yard_id in kinds_ahead:
                kinds = {
                    kind: places_of_kind(of_kind, stay_s / step_s, share, int(starts_at.timestamp() // step_s))
                    for kind, of_kind in kinds_ahead[yard_id][n].items()
                }
            supply.yards[yard_id] = _with_taken(places, kinds, taken.get((yard_id, starts_at), ()))
        found.append(supply)
    return found


def hour_of_gate(session: Session, gate_id: str, starts_at: datetime, now: datetime) -> HourSupply:
    """One hour of a gate; without yards where the gate has none or is unknown."""
    found = hours_of_gate(session, gate_id, starts_at, 1, now)
    return found[0] if found else HourSupply(starts_at)


def pace_of_gate(session: Session, gate_id: str, now: datetime) -> UsualPace | None:
    """The pace that the hours of a gate are counted by; `None` for an unknown gate."""
    profile = profiles_without_bans(session, now).get(gate_id)
    return None if profile is None else find_pace(session, profile.exports.compile(gate_id, "export"), now)


def next_hour(moment: datetime) -> datetime:
    """The next whole hour after a moment. Hours of Viet Nam begin with those of UTC."""
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _taken(
    session: Session, gate_id: str, since: datetime, until: datetime
) -> Mapping[tuple[str, datetime], Sequence[Taken]]:
    found: dict[tuple[str, datetime], list[Taken]] = defaultdict(list)
    for row in store.taken(session, [gate_id], since, until):
        found[row.yard_id, row.starts_at].append(row)
    return found


def _with_taken(places: int, kinds: Mapping[ZoneKind, int] | None, taken: Sequence[Taken]) -> YardHour:
    load = HourLoad(places, sum(row.priority for row in taken), sum(row.ordinary for row in taken))
    return YardHour(load, kinds, {row.need: row.priority + row.ordinary for row in taken})
