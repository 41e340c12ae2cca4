"""A month of a yard whose cameras miss some plates and misread others, and what is made of it without any count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity.reconciling import Reads, estimate

DAY_S = 86_400.0
CAPACITY_VEH = 450
REMEMBERED_S = 7 * DAY_S
STAY_MEAN_S, STAY_SPREAD = 5 * 3600.0, 0.7


@dataclass(frozen=True)
class ReadMonth:
    """Errors of a month, hour by hour, trucks: of the estimate, and of the plain list of who was not seen leaving."""

    error_veh: np.ndarray
    list_error_veh: np.ndarray
    covered: float
    """Share of the hours in which the truth lies in the estimate's 95 % range."""


def play_month(seed: int, *, missed: float = 0.05, false: float = 0.02, days: int = 30) -> ReadMonth:
    """A month of about 1,100 trucks a day, busier by day; reads are missed and misread independently."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    rate = 46.0 * (1.0 + 0.6 * np.sin((hours % 24 - 8.0) / 24.0 * 2.0 * np.pi)) * rng.uniform(0.7, 1.3, days).repeat(24)
    hour_s = np.repeat(hours, rng.poisson(rate)) * 3600.0
    enter = np.sort(hour_s + rng.uniform(0.0, 3600.0, len(hour_s)))
    sigma = np.sqrt(np.log1p(STAY_SPREAD**2))
    stay = rng.lognormal(np.log(STAY_MEAN_S) - sigma**2 / 2.0, sigma, len(enter))
    leave = enter + stay
    N = len(enter)
    read_in, read_out = rng.random(N) >= missed, rng.random(N) >= missed
    wrong_in, wrong_out = rng.random(N) < false, rng.random(N) < false
    # Who was seen coming in, and when that plate was seen leaving: a misread plate is never seen again.
    matched = read_in & read_out & ~wrong_in & ~wrong_out
    seen_enter = enter[read_in]
    seen_leave = np.where(matched, leave, np.inf)[read_in]
    seen_exit = leave[read_out]
    entry_of_exit = np.where(matched, enter, -np.inf)[read_out]
    errors, list_errors, covered = [], [], []
    for now in np.arange(2 * DAY_S, days * DAY_S, 3600.0):
        since = now - REMEMBERED_S
        here = (seen_enter <= now) & (seen_enter > since)
        is_open = here & (seen_leave > now)
        done = here & (seen_leave <= now)
        gone = (seen_exit > since) & (seen_exit <= now)
        found = estimate(
            Reads(
                open_age_s=now - seen_enter[is_open],
                stay_s=(seen_leave - seen_enter)[done],
                entry_age_s=now - seen_enter[here],
                exit_age_s=now - seen_exit[gone],
                unmatched_exits=int((entry_of_exit[gone] <= since).sum()),
                false_share=false,
            )
        )
        inside = int(((enter <= now) & (leave > now)).sum())
        errors.append(found.inside_veh - inside)
        list_errors.append(int(((seen_enter <= now) & (seen_leave > now)).sum()) - inside)
        covered.append(found.low_veh <= inside <= found.high_veh)
    return ReadMonth(np.array(errors), np.array(list_errors), float(np.mean(covered)))
