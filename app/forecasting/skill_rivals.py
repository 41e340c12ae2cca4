"""What a forecast has to beat: “it stays as it is”, and the drivers' own rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Final

from app.forecasting.skill_store import Visit
from app.forecasting.skill_vocabulary import Quantity, Source

HOUR: Final = timedelta(hours=1)
JOINED_WITHIN: Final = timedelta(minutes=15)
"""The wait at a moment is that of the trucks that joined the queue within this of it."""


@dataclass(frozen=True)
class GateRules:
    """What the drivers' rules say of one gate now.

    `head_age_s` is how long the truck at the head of the queue has stood (0: nobody stands), `throughput_veh_per_h`
    the trucks let in within the last hour, `last_wait_s` the usual wait of those (`None`: none waited),
    `joined_at` when each waiting truck joined, by trip.
    """

    queue_veh: float
    head_age_s: float
    throughput_veh_per_h: int
    last_wait_s: float | None
    joined_at: Mapping[int, datetime]

    @classmethod
    def of(cls, visits: Sequence[Visit], queue_veh: float, now: datetime) -> GateRules:
        """The rules at a gate.

        Args:
            visits: The gate's trucks of the last hours.
            queue_veh: Its queue as measured.
            now: The present moment.
        """
        joined = {visit.trip_id: visit.joined_at for visit in visits if visit.is_waiting and visit.joined_at}
        head_age_s = max(((now - at).total_seconds() for at in joined.values()), default=0.0)
        entered = [visit for visit in visits if visit.entered_at and now - HOUR < visit.entered_at <= now]
        waits_s = [wait for visit in entered if (wait := wait_of(visit)) is not None]
        last_wait_s = median_low(waits_s) if waits_s else None
        return cls(queue_veh, max(head_age_s, 0.0), len(entered), last_wait_s, joined)

    def _served(self, ahead_veh: float) -> float:
        """How long it takes to let so many trucks in; the age of the head where none were."""
        if ahead_veh <= 0.0:
            return 0.0
        return ahead_veh * 3600.0 / self.throughput_veh_per_h if self.throughput_veh_per_h else self.head_age_s

    def waits_s(self) -> dict[Source, float]:
        """The wait of a truck that joins, by source."""
        stands = self.last_wait_s if self.last_wait_s is not None else self.head_age_s
        return {
            Source.PERSISTENCE: stands if self.queue_veh > 0.0 or self.joined_at else 0.0,
            Source.AGE_OF_HEAD: self.head_age_s,
            Source.QUEUE_OVER_THROUGHPUT: self._served(self.queue_veh),
        }

    def entry_s(self, trip_id: int, free_s: float, now: datetime) -> dict[Source, float]:
        """In how many seconds a truck is let in, by source; `free_s`, when it would be with nobody before it."""
        joined_at = self.joined_at.get(trip_id)
        if joined_at is None:
            waits_s = self.waits_s()
            return {source: free_s + waits_s[source] for source in Quantity.ENTRY.rivals}
        ahead_veh = sum(at < joined_at for at in self.joined_at.values())
        rest_s = max(self.head_age_s - (now - joined_at).total_seconds(), 0.0)
        return {
            Source.AGE_OF_HEAD: free_s + rest_s,
            Source.QUEUE_OVER_THROUGHPUT: free_s + self._served(float(ahead_veh)),
        }


def wait_of(visit: Visit) -> float | None:
    """How long a truck waited, seconds; `None` if it did not, or still does."""
    if visit.joined_at is None or visit.entered_at is None:
        return None
    return max((visit.entered_at - visit.joined_at).total_seconds(), 0.0)


def realised_wait_s(visits: Sequence[Visit], moment: datetime) -> float | None:
    """The wait of a truck that joined a queue at a moment: the median of those that joined within `JOINED_WITHIN`.

    Those that still stand have waited longer than any other; `None` while the median is one of them, or if nobody
    joined then.
    """
    waits_s = []
    for visit in visits:
        if visit.joined_at is None or abs(visit.joined_at - moment) > JOINED_WITHIN:
            continue
        wait_s = wait_of(visit)
        if wait_s is not None:
            waits_s.append(wait_s)
        elif visit.is_waiting:
            waits_s.append(float("inf"))
    if not waits_s:
        return None
    found = median_low(waits_s)
    return None if found == float("inf") else found


def has_joined(visits: Sequence[Visit], moment: datetime) -> bool:
    """Whether any truck joined within `JOINED_WITHIN` of a moment."""
    return any(visit.joined_at is not None and abs(visit.joined_at - moment) <= JOINED_WITHIN for visit in visits)
