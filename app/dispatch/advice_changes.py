"""What has changed in an advice since it told something else: one story that goes on, not a pile of them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NotRequired, TypedDict

from app.dispatch.advice_inputs import Advice

MOVED: Final = timedelta(minutes=15)
"""An hour that moves by less is the same story."""
SURER: Final = 0.15


class ToldRecord(TypedDict):
    """What an advice told: how bad, how far a queue reaches, by when, how sure."""

    severity: str
    by: str
    probability: float
    km: NotRequired[float]


class ChangeRecord(TypedDict, total=False):
    """What differs from what was told before, each before and after; what does not is left out."""

    severity: list[str]
    km: list[float]
    by: list[str]
    probability: list[float]


def told_of(advice: Advice) -> ToldRecord:
    """What an advice tells."""
    told: ToldRecord = {
        "severity": str(advice.severity),
        "by": advice.by.isoformat(),
        "probability": round(advice.probability, 4),
    }
    if "km" in advice.message.values:
        told["km"] = float(str(advice.message.values["km"]))
    return told


def find_change(before: ToldRecord | None, after: ToldRecord, now: datetime) -> ChangeRecord | None:
    """What of a new advice differs enough from what was told to be told; `None` if it is the same story.

    When a risk comes true no longer moves once it is there. Hours and chances of two different kilometres are not
    compared.
    """
    if before is None:
        return None
    found: ChangeRecord = {}
    if before["severity"] != after["severity"]:
        found["severity"] = [before["severity"], after["severity"]]
    if before.get("km") != after.get("km"):
        if "km" in before and "km" in after:
            found["km"] = [before["km"], after["km"]]
        return found or None
    first, last = (datetime.fromisoformat(change["by"]) for change in (before, after))
    if abs(last - first) >= MOVED and max(first, last) > now + MOVED:
        found["by"] = [before["by"], after["by"]]
    if abs(after["probability"] - before["probability"]) >= SURER:
        found["probability"] = [before["probability"], after["probability"]]
    return found or None
