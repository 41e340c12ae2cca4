"""How much longer trucks of a customs channel are checked at a gate's entrance than the others. Pure.

All channels stand in one queue, so counts of who passes show the mix and not the pace of each. What shows it is how
long each truck stood where trucks are served. The logarithm of a check is normal with a mean of the gate and one of
each channel, shrunk to the gate's as if it had been seen on `STRENGTH_TRUCKS` trucks more (A. Gelman et al., Bayesian
Data Analysis, 3rd ed., chapter 5). A factor is relative to the gate's pace, which the filter of `routing.pace` knows:
so a channel of which nothing is known has the gate's, and a change of the gate's pace is one of every channel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from app.forecasting.state_store import STOP_ERROR_KM, GatePassage
from app.gates.served_place import ServedPlace
from routing.arrays import FloatArray

STRENGTH_TRUCKS: Final = 20.0
MIN_CHECK_S, MAX_CHECK_S = 20.0, 3600.0
"""Shorter ones were not noticed to begin or end, longer ones were something else."""
OUTLYING: Final = 2.0
"""Checks farther from the mean than so many standard deviations count as if they were that far."""


def channel_factors(
    passages: Iterable[GatePassage], places: Mapping[str, ServedPlace]
) -> dict[str, dict[str | None, float]]:
    """Gate → channel → how many times as long its trucks are checked as the gate's average truck.

    `None` are trucks without a channel. Gates of which it is not known where trucks are served are left out.
    """
    seen: dict[str, dict[str | None, list[float]]] = defaultdict(lambda: defaultdict(list))
    for passage in passages:
        place, since, until = places.get(passage.gate_id), passage.served_since, passage.served_until
        if place is None or since is None or until is None or passage.stop_km is None:
            continue
        check_s = (until - since).total_seconds()
        if abs(passage.stop_km - place.km) <= STOP_ERROR_KM and MIN_CHECK_S <= check_s <= MAX_CHECK_S:
            seen[passage.gate_id][passage.channel].append(float(np.log(check_s)))
    return {gate_id: _factors(own) for gate_id, own in seen.items()}


def _factors(log_s: Mapping[str | None, Sequence[float]]) -> dict[str | None, float]:
    values = np.concatenate([np.array(own) for own in log_s.values()])
    mean, sd = float(np.median(values)), max(float(np.std(values)), 1e-6)
    effect = {}
    for channel, own in log_s.items():
        off = np.clip(np.array(own) - mean, -OUTLYING * sd, OUTLYING * sd)
        effect[channel] = float(off.sum() / (STRENGTH_TRUCKS + off.size))
    share = {channel: len(own) / values.size for channel, own in log_s.items()}
    average = sum(share[channel] * np.exp(effect[channel]) for channel in log_s)
    return {channel: float(np.exp(effect[channel]) / average) for channel in log_s}


def check_factors(
    factors: Mapping[str, Mapping[str | None, float]],
    gates: Sequence[str | None],
    channels: Sequence[str | None],
) -> FloatArray | None:
    """[N] how many times as long each truck is checked as the average one; None where nothing is known of any gate."""
    if not factors:
        return None
    return np.array(
        [factors.get(gate_id or "", {}).get(channel, 1.0) for gate_id, channel in zip(gates, channels, strict=True)],
        float,
    )
