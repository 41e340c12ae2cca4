"""When the platform would have told of a long queue on a day, by its own rule of advice, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.dispatch.advice_inputs import exceedance, find_first
from app.dispatch.advice_outcomes import GRACE
from app.dispatch.policy import AdvicePolicy
from bench.days.published import PublishedQueue
from routing.series import QUANTILES

Floats = NDArray[np.float64]

AHEAD_S: Final = 3600.0
"""A queue is foreseen when it was told of so long before it came, and until then."""


@dataclass(frozen=True)
class Alarm:
    """Told at `given_s` that the queue will be long at `by_s`; `over_s`, when it was withdrawn; inf = never."""

    given_s: float
    by_s: float
    over_s: float

    def foresees(self, onset_s: float) -> bool:
        """Whether it was given in time and stood until the queue was long."""
        return self.given_s <= onset_s - AHEAD_S and self.over_s >= onset_s

    def is_false(self, time_s: Floats, queue_veh: Floats, limit_veh: float) -> bool:
        """Whether the queue [T] at `time_s` was not long from when it was given until it was over, or an hour after
        the time told."""
        until_s = max(self.by_s + GRACE.total_seconds(), self.over_s if np.isfinite(self.over_s) else 0.0)
        told = (time_s >= self.given_s) & (time_s <= until_s)
        return not (queue_veh[told] > limit_veh).any()


def tell(
    made_s: Floats,
    published: Sequence[PublishedQueue],
    step_s: float,
    limit_veh: float,
    until_s: float,
    policy: AdvicePolicy | None = None,
) -> tuple[Alarm, ...]:
    """The alarms of a day, in order.

    Arguments: `published`, by the forecasts made at `made_s`; `limit_veh`, a queue of more trucks is told of;
    `until_s`, when the day ends: what is said of later is not judged.
    """
    policy = policy or AdvicePolicy()
    found: list[Alarm] = []
    given_s, by_s = np.inf, np.inf
    for at_s, forecast in zip(made_s, published, strict=True):
        known = round((until_s - at_s) / step_s) + 1
        chance, reached = (exceedance(QUANTILES, veh[:, :known], limit_veh + 0.5) for veh in forecast)
        stands = bool(np.isfinite(given_s))
        first = find_first(chance, reached, policy.keep if stands else policy.likely, policy)
        if first is not None and not stands:
            given_s, by_s = float(at_s), float(at_s + step_s * first)
        elif first is None and stands:
            found.append(Alarm(given_s, by_s, float(at_s)))
            given_s = np.inf
    return (*found, Alarm(given_s, by_s, np.inf)) if np.isfinite(given_s) else tuple(found)
