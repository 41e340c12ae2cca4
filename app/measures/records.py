"""The JSON forms in which tried acts and effects are kept."""

from __future__ import annotations

from typing import TypedDict

from app.dispatch.records import DraftRecord, MessageRecord


class RangeRecord(TypedDict):
    """A paired difference over the runs: its mean, and between what it lies in eight of ten."""

    mean: float
    low: float
    high: float


class TriedRecord(TypedDict):
    """An act and what it brings, see `trying.Tried`; `exceeded_h` without and with it, of the advice it is kept for."""

    kind: str
    message: MessageRecord
    draft: DraftRecord
    saved_h: RangeRecord
    perishable_h: RangeRecord
    queue_h: RangeRecord
    peak_veh: list[float]
    exceeded_h: list[float]


class ImpossibleRecord(TypedDict):
    """An act that is not offered, and why."""

    kind: str
    message: MessageRecord
