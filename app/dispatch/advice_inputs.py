"""What advice is made from and consists of. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from app.dispatch.policy import AdvicePolicy
from app.dispatch.records import DraftRecord
from app.gates.profile import GateProfile
from app.trips.places import TO_BORDER, GatePlace, Places

Floats = npt.NDArray[np.float64]
MEDIAN: Final = 1
OVER_S: Final = 3600.0
"""A risk that is improbable for so long is over; one that comes back sooner had only paused."""


@dataclass(frozen=True)
class GateOutlook:
    """One gate's forecast, and how it works.

    Arguments: `queue_veh`, `wait_s`, `tail_km`, shape (3, T); `tail_reached_km`, (3, T), the farthest that the tail
    has come to by then; `service_veh_per_h`, what it lets in;
    `opens_at`, when it opens next (`None`: it is open); `closes_at`, when it closes next (`None`: it never does);
    `profile`, what it takes (`None`: everything).
    """

    gate_id: str
    queue_veh: Floats
    wait_s: Floats
    tail_km: Floats
    tail_reached_km: Floats
    service_veh_per_h: float
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    profile: GateProfile | None = None


@dataclass(frozen=True)
class YardOutlook:
    """One yard's forecast occupancy, shape (3, T), and its places."""

    yard_id: str
    gate_id: str
    capacity_veh: int
    occupancy_veh: Floats


@dataclass(frozen=True)
class Truck:
    """A truck on its way to a gate; `km` on `road` counts from the border, `direction` 1 to it."""

    gate_id: str
    perishable: bool
    road: str | None
    km: float | None
    direction: int = TO_BORDER
    site_id: str | None = None
    regime: str | None = None
    goods_class: str | None = None
    hazards: frozenset[str] = frozenset()
    """Classes of the dangerous goods that it carries."""


@dataclass(frozen=True)
class Outlook:
    """What the advice is made from: the forecast of all gates and yards, and the trucks on the way."""

    made_at: datetime
    step_s: float
    quantiles: tuple[float, ...]
    gates: Mapping[str, GateOutlook]
    yards: Mapping[str, YardOutlook] = field(default_factory=dict)
    trucks: Sequence[Truck] = ()

    def at(self, index: int) -> datetime:
        """The moment of a sample."""
        return self.made_at + timedelta(seconds=self.step_s * index)

    def index(self, moment: datetime) -> int:
        """The sample at or after a moment."""
        return max(0, math.ceil((moment - self.made_at).total_seconds() / self.step_s))


@dataclass(frozen=True)
class Message:
    """A text to be put in the reader's language: a code of `wording.MESSAGES` and what fills it."""

    code: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class Measure:
    """What would help, and the order that the composer opens for it (as `POST /api/v1/orders` takes it)."""

    kind: str
    message: Message
    draft: DraftRecord


@dataclass(frozen=True)
class Advice:
    """One risk at one gate; `by` is when it comes true with `probability`, `until` when it is expected to be over."""

    gate_id: str
    kind: str
    severity: str
    by: datetime
    until: datetime
    probability: float
    message: Message
    causes: tuple[Message, ...]
    measures: tuple[Measure, ...]
    level: float | None = None
    """How bad it is on the scale of `app.dispatch.severity`, of a queue."""


def exceedance(quantiles: Sequence[float], values: Floats, threshold: float) -> Floats:
    """The probability that a quantity reaches `threshold`, from its quantiles, shape (T,).

    The distribution is taken as linear between the quantiles and goes on beyond them for as far as the outer one lies
    from the median (never below 0): a triangle's foot, which over- rather than understates the tails.
    Arguments: `values`, shape (Q, T), ascending along Q and not negative.
    """
    levels = np.concatenate([[0.0], np.asarray(quantiles, float), [1.0]])
    known = np.minimum(np.nan_to_num(np.maximum.accumulate(np.asarray(values, float), axis=0)), 1e30)
    middle = known[len(quantiles) // 2]
    low = np.maximum(known[0] - (middle - known[0]), 0.0)
    high = known[-1] + (known[-1] - middle)
    points = np.vstack([low, known, high])
    below = np.zeros(points.shape[1])
    for lower, upper, start, end in zip(points, points[1:], levels, levels[1:], strict=False):
        width = upper - lower
        share = np.divide(threshold - lower, width, out=np.zeros_like(width), where=width > 0.0)
        inside = np.where(width > 0.0, np.clip(share, 0.0, 1.0), (threshold > upper).astype(float))
        below = np.maximum(below, np.where(threshold > lower, start + (end - start) * inside, below))
    return 1.0 - below


def find_first(chance: Floats, reached: Floats, needed: float, policy: AdvicePolicy) -> int | None:
    """The sample at which a risk is sure, else the one at which it is most probable; `None`: it is not told of.

    Arguments: `chance`, (T,), that it is there at each sample; `reached`, (T,), that it has been there by each, which
    is greater: a risk is told of when this is `needed`, as it is to come true at some time and not at a certain one.
    """
    if not len(chance) or float(reached.max()) < needed:
        return None
    sure = np.flatnonzero(chance >= policy.sure)
    return int(sure[0] if len(sure) else chance.argmax())


@dataclass(frozen=True)
class Case:
    """A gate's outlook, looked through for one kind of risk; `told` is how much the advice that stands tells of."""

    outlook: Outlook
    gate: GateOutlook
    places: Places
    policy: AdvicePolicy
    now: datetime
    told: float | None

    @property
    def place(self) -> GatePlace:
        return self.places.gates[self.gate.gate_id]

    def needed(self, level: float) -> float:
        """How probable it must be that `level` is reached: less for what is told of already than for what is worse."""
        stands = self.told is not None and level <= self.told + 1e-9
        return self.policy.keep if stands else self.policy.likely

    def first(self, level: float, chance: Floats, reached: Floats | None = None) -> int | None:
        """The sample of `find_first` from now on, of the risk that `level` is reached."""
        offset = self.outlook.index(self.now)
        known = (chance if reached is None else reached)[offset:]
        found = find_first(chance[offset:], known, self.needed(level), self.policy)
        return None if found is None else offset + found

    def until(self, chance: Floats, index: int) -> datetime:
        """The first sample after `index` from which on the risk is improbable for `OVER_S` (or to the forecast's end),
        else the forecast's end: one that comes back sooner is not over."""
        stays = max(1, round(OVER_S / self.outlook.step_s))
        probable = np.concatenate((chance[index:] >= self.policy.keep, np.zeros(stays, bool)))
        soon = np.lib.stride_tricks.sliding_window_view(probable, stays)[: len(chance) - index].any(axis=1)
        gone = np.flatnonzero(~soon)
        return self.outlook.at(index + int(gone[0]) if len(gone) else len(chance) - 1)
