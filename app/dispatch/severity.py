"""How bad a queue is: from its length, its wait and its growth together. The one rule behind every page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from app.dispatch.policy import AdvicePolicy
from app.dispatch.vocabulary import Severity

Floats = npt.NDArray[np.float64]

MAX_LEVEL: Final = 5.0
"""Beyond the alarm a length or a wait goes on to count, up to this."""
GROWTH_LEVELS: Final = 0.5
"""A queue that grows fast is half a step worse, one that shrinks as fast half a step better."""
GROWTH_OVER_S: Final = 3600.0
"""Growth is that of the next hour."""
STEADY_LEVELS: Final = 0.3
"""So far below its step a severity that stands is kept."""
EACH_ALONE: Final = 1.0
"""Length or wait alone makes a queue at most so many steps worse than both together."""


def level_of(value: npt.ArrayLike, steps: Sequence[float]) -> Floats:
    """On a common scale: 1 at the step of a notice, 2 at that of a warning, 3 at that of an alarm, linear between them
    and on beyond as between the last two."""
    notice, warning, alarm = steps
    known = np.nan_to_num(np.asarray(value, float), nan=0.0, posinf=1e12)
    beyond = 3.0 + (known - alarm) / max(alarm - warning, 1e-9)
    within = np.interp(known, [0.0, notice, warning, alarm], [0.0, 1.0, 2.0, 3.0])
    return np.asarray(np.clip(np.where(known > alarm, beyond, within), 0.0, MAX_LEVEL))


def queue_levels(
    tail_km: npt.ArrayLike, wait_s: npt.ArrayLike, growth_veh_per_h: npt.ArrayLike, policy: AdvicePolicy
) -> Floats:
    """How bad queues are on the scale of `level_of`; arrays that broadcast.

    Length and wait count alike, the worse of them never for more than `EACH_ALONE` above their mean; growth moves it by
    up to `GROWTH_LEVELS`. No argument that rises makes it less.
    """
    length = level_of(tail_km, (policy.queue_notice_km, policy.queue_warning_km, policy.queue_alarm_km))
    wait = level_of(wait_s, (policy.wait_notice_s, policy.wait_warning_s, policy.wait_alarm_s))
    together = np.maximum(0.5 * (length + wait), np.maximum(length, wait) - EACH_ALONE)
    grows = np.clip(np.nan_to_num(np.asarray(growth_veh_per_h, float)) / policy.fast_growth_veh_per_h, -1.0, 1.0)
    return np.asarray(np.clip(together + GROWTH_LEVELS * grows, 0.0, MAX_LEVEL))


def severity_of(level: float) -> Severity | None:
    """The severity that a level stands for; `None` below a notice."""
    reached = min(int(level), len(Severity))
    return None if reached < 1 else list(Severity)[reached - 1]


def steady_severity(level: float, before: Severity) -> Severity | None:
    """The severity of a level that was `before`: it falls only when the level lies clearly below, so that a queue at
    the edge is not called one thing this minute and another the next."""
    order = list(Severity)
    now = severity_of(level)
    is_lower = now is None or order.index(now) < order.index(before)
    stays = is_lower and level >= order.index(before) + 1 - STEADY_LEVELS
    return before if stays else now


def queue_severity(tail_km: float, wait_s: float, growth_veh_per_h: float, policy: AdvicePolicy) -> Severity | None:
    """How bad one queue is."""
    return severity_of(float(queue_levels(tail_km, wait_s, growth_veh_per_h, policy)))


def growths(queue_veh: Floats, step_s: float) -> Floats:
    """By how many trucks an hour a queue grows over the hour after each sample, shape (T,); at the end, as last."""
    ahead = max(1, round(GROWTH_OVER_S / step_s))
    if queue_veh.size <= ahead:
        span_h = max(queue_veh.size - 1, 1) * step_s / 3600.0
        return np.full(queue_veh.size, (queue_veh[-1] - queue_veh[0]) / span_h if queue_veh.size else 0.0)
    known = (queue_veh[ahead:] - queue_veh[:-ahead]) / (ahead * step_s / 3600.0)
    return np.concatenate([known, np.full(ahead, known[-1])])


def severities(
    tail_km: Floats, wait_s: Floats, queue_veh: Floats, step_s: float, policy: AdvicePolicy
) -> list[Severity | None]:
    """How bad a forecast's median queue is at each of its samples; arrays of shape (T,)."""
    levels = queue_levels(tail_km, wait_s, growths(np.nan_to_num(queue_veh), step_s), policy)
    return [severity_of(float(level)) for level in levels]
