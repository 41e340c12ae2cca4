"""What a worker knows of the devices of its shards: units of speed, clocks, when they were last heard.

Factors are asked for again every `ASK_AGAIN_S`, since a person may set one; what was heard goes to the database every
`SAVE_EVERY_S`. Only the owner of a shard learns of its devices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine

from ingest import trait_store
from ingest.clocks import ClocksBehind
from ingest.fixes import (
    FLAG_RECEIPT_TIME,
    FLAG_SPEED_DERIVED,
    FLAG_SPEED_DOUBTED,
    FLAG_SPEED_UNIT,
    FixArray,
)
from ingest.formats.report import from_microseconds
from ingest.speeds import UNIT, judge_speeds, new_units

ASK_AGAIN_S: Final = 30.0
SAVE_EVERY_S: Final = 30.0
MAX_DEVICES: Final = 200_000
MEND_SPEEDS_OF: Final = timedelta(days=1)
"""How far back speeds are corrected when a device's unit is learned."""

HEARD = np.dtype([("received_us", "i8"), ("kept_us", "i8"), ("offset_s", "f8"), ("asked_s", "f8"), ("changed", "?")])


_UNSAID_US: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class _Runs:
    """Rows of one device after the other: where each begins, how many it has. A device may have several."""

    begin: npt.NDArray[np.intp]
    length: npt.NDArray[np.intp]

    @classmethod
    def of(cls, device_ids: npt.NDArray[np.int64]) -> Self:
        begin = np.flatnonzero(np.concatenate([[True], device_ids[1:] != device_ids[:-1]]))
        return cls(begin, np.diff(begin, append=len(device_ids)))


class DeviceTraits:
    """Rows of `UNIT` and of `HEARD` by device."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._saved_s = monotonic()
        self.clear()

    def clear(self) -> None:
        """Know nothing."""
        self._slot: dict[int, int] = {}
        self._behind = ClocksBehind()
        self.units: npt.NDArray[np.void] = np.zeros(0, UNIT)
        self.heard: npt.NDArray[np.void] = np.zeros(0, HEARD)

    def judge(self, fixes: FixArray, engine: Engine, now: datetime) -> FixArray:
        """`fixes`, by vehicle and time, with speeds that can be true, marked where they were corrected or doubted.

        What is learned of a device's unit or clock goes to the database at once; its speeds of the last day are
        corrected there.
        """
        is_device = fixes["device_id"] > 0
        if not is_device.any():
            return fixes
        is_all = bool(is_device.all())
        own = fixes.copy() if is_all else fixes[is_device]
        runs = _Runs.of(own["device_id"])
        slots = self._slots(own["device_id"][runs.begin].tolist(), engine)
        slot = np.repeat(slots, runs.length)
        factor = self.units["factor"].copy()
        judged = judge_speeds(own, slot, self.units)
        if judged.corrected.any() or judged.doubted.any():
            own["flags"] |= np.where(judged.corrected, FLAG_SPEED_UNIT, 0).astype(np.int32)
            own["flags"] |= np.where(judged.doubted, FLAG_SPEED_DOUBTED, 0).astype(np.int32)
        own["speed_mps"] = judged.speed_mps
        self._hear(own, slots, runs)
        behind = self._behind.note(own["device_id"], own["time_us"], own["received_us"])
        if len(judged.learned) or behind:
            with engine.begin() as connection:
                self._learn(connection, judged.learned, factor, behind, now)
        if is_all:
            return own
        fixes = fixes.copy()
        fixes[is_device] = own
        return fixes

    def save_due(self, engine: Engine) -> None:
        """Save what was heard, if it is time to."""
        if self._monotonic() - self._saved_s >= SAVE_EVERY_S:
            self.save(engine)

    def save(self, engine: Engine) -> None:
        """Save when devices were last heard and kept, and how far their clocks are ahead."""
        self._saved_s = self._monotonic()
        changed = np.flatnonzero(self.heard["changed"])
        rows = sorted(
            (
                int(self.units["device_id"][slot]),
                int(heard["received_us"]),
                int(heard["kept_us"]),
                float(heard["offset_s"]),
            )
            for slot, heard in zip(changed.tolist(), self.heard[changed], strict=True)
        )
        with engine.begin() as connection:
            trait_store.save_heard(
                connection,
                [
                    trait_store.Heard(
                        device_id,
                        from_microseconds(received_us),
                        from_microseconds(kept_us),
                        None if np.isnan(offset_s) else offset_s,
                    )
                    for device_id, received_us, kept_us, offset_s in rows
                ],
            )
        self.heard["changed"][changed] = False

    def _slots(self, device_ids: list[int], engine: Engine) -> npt.NDArray[np.intp]:
        if len(self._slot) > MAX_DEVICES:
            self.clear()
        new = list(dict.fromkeys(device_id for device_id in device_ids if device_id not in self._slot))
        if new:
            start = len(self.units)
            self._slot.update((device_id, start + number) for number, device_id in enumerate(new))
            self.units = np.concatenate([self.units, new_units(new)])
            fresh = np.zeros(len(new), HEARD)
            fresh["offset_s"], fresh["asked_s"] = np.nan, -np.inf
            self.heard = np.concatenate([self.heard, fresh])
        slots = np.array([self._slot[device_id] for device_id in device_ids], np.intp)
        now_s = self._monotonic()
        is_stale = now_s - self.heard["asked_s"][slots] > ASK_AGAIN_S
        if is_stale.any():
            stale = np.unique(slots[is_stale])
            self._ask(stale, engine)
            self.heard["asked_s"][stale] = now_s
        return slots

    def _ask(self, slots: npt.NDArray[np.intp], engine: Engine) -> None:
        with engine.connect() as connection:
            known = trait_store.load_speed_factors(connection, self.units["device_id"][slots].tolist())
        for device_id, (factor, is_set) in known.items():
            unit = self.units[self._slot[device_id]]
            unit["factor"], unit["is_set"] = factor, is_set

    def _hear(self, fixes: FixArray, slots: npt.NDArray[np.intp], runs: _Runs) -> None:
        heard = self.heard
        np.maximum.at(heard["received_us"], slots, np.maximum.reduceat(fixes["received_us"], runs.begin))
        np.maximum.at(heard["kept_us"], slots, fixes["time_us"][runs.begin + runs.length - 1])
        heard["changed"][slots] = True
        ahead_us = fixes["time_us"] - fixes["received_us"]
        ahead_us[(fixes["flags"] & FLAG_RECEIPT_TIME) != 0] = _UNSAID_US
        newest_us = np.maximum.reduceat(ahead_us, runs.begin)
        known, offset_s = heard["offset_s"][slots], np.where(newest_us == _UNSAID_US, np.nan, newest_us / 1e6)
        # a live report is heard a little late: the least late one is nearest to the clock's own offset
        nearer = (np.isnan(known) & np.isfinite(offset_s)) | (offset_s > known)
        drifts = ~nearer & (offset_s > known - 60.0)
        heard["offset_s"][slots] = np.where(nearer, offset_s, np.where(drifts, known + 0.1 * (offset_s - known), known))

    def _learn(
        self,
        connection: Connection,
        learned: npt.NDArray[np.intp],
        before: npt.NDArray[np.float64],
        behind: dict[int, int],
        now: datetime,
    ) -> None:
        for slot in learned.tolist():
            device_id, factor = int(self.units["device_id"][slot]), float(self.units["factor"][slot])
            trait_store.save_speed_factor(connection, device_id, factor, now=now)
            if before[slot] == 1.0:
                trait_store.correct_speeds(
                    connection,
                    device_id,
                    factor,
                    now - MEND_SPEEDS_OF,
                    flag=FLAG_SPEED_UNIT,
                    skip=FLAG_SPEED_DERIVED,
                )
        for device_id, behind_s in behind.items():
            trait_store.add_clock_shift(connection, device_id, -behind_s, now=now)
