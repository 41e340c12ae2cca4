"""How long trucks stay: what is left of those inside, and of those who come, step by step.

Stays are counted in *working time*: nobody leaves a yard while the gate behind it is closed.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from capacity.problem import Floats, Ints


def staying_share(worked_s: Floats, mean_s: float, spread: float | None = None) -> Floats:
    """Share of trucks placed at the start of step t' that are still there at the start of step t, shape (T, T).

    Arguments: `worked_s` (T,), working time from the start of the first step to the start of each; `mean_s`, the mean
    stay; `spread`, its standard deviation over its mean: lognormal stays (A. Crow and K. Shimizu, *Lognormal
    Distributions*, 1988), exponential ones where it is `None`.
    """
    between_s = worked_s[None, :] - worked_s[:, None]
    passed = np.maximum(between_s, 0.0) / max(mean_s, 1.0)
    if spread is None:
        share = np.exp(-passed)
    else:
        sigma = np.sqrt(np.log1p(max(spread, 1e-3) ** 2))
        share = ndtr(-(np.log(np.maximum(passed, 1e-12)) + sigma**2 / 2.0) / sigma)
    steps = np.arange(len(worked_s))
    present: Floats = np.where(steps[None, :] >= steps[:, None], share, 0.0)
    return present


def expected_stays(
    *,
    inside_veh: Floats,
    dwell_s: Floats,
    release_veh_per_s: Floats,
    working_s: Floats,
    gate: Ints,
) -> tuple[Floats, Floats]:
    """What becomes of those inside now, and of those who come.

    Arguments, for Y yards and T steps: `inside_veh` (Y,); `dwell_s` (Y,), mean stay while the gate works;
    `release_veh_per_s` (Y,), how fast the gate behind the yard can take trucks, from all its yards together;
    `working_s` (Y, T), seconds of each step in which that gate is open (stays do not shorten while it is closed);
    `gate` (Y,), index of the gate behind each yard.

    Returns `remaining_veh` (Y, T) and `stay_share` (Y, T, T) for `YardProblem`.

    Stays are taken as exponential in working time. Yards cannot empty faster than their gate works, so those inside
    leave at most at that rate, each yard's in proportion to how many it holds (the gate takes who has waited longest,
    wherever it stands), and newcomers stay at least as long as the gate needs to work off those before them:
    N = λ·W (Little 1961, doi:10.1287/opre.9.3.383).
    """
    Y, T = working_s.shape
    worked = np.concatenate([np.zeros((Y, 1)), np.cumsum(working_s, axis=1)[:, :-1]], axis=1)
    rate = np.maximum(release_veh_per_s, 1e-9)
    before_veh = np.bincount(gate, inside_veh, minlength=1)[gate] if Y else np.zeros(0)
    share_of_gate = np.divide(inside_veh, before_veh, out=np.ones(Y), where=before_veh > 0.0)
    by_dwell = inside_veh[:, None] * np.exp(-worked / np.maximum(dwell_s, 1.0)[:, None])
    by_gate = inside_veh[:, None] - (rate * share_of_gate)[:, None] * worked
    remaining = np.maximum(np.maximum(by_dwell, by_gate), 0.0)
    mean_s = np.maximum(np.maximum(dwell_s, 1.0), before_veh / rate)
    share = np.zeros((Y, T, T))
    for j in range(Y):
        share[j] = staying_share(worked[j], mean_s[j])
    return remaining, share
