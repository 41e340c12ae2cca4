"""Closed formulas of queueing and traffic flow theory: for checking the engine, and for a quick look.

Symbols: arrival rate and service rate in trucks a second, times in seconds, numbers in trucks. Steady state.

Sources: L. Kleinrock, Queueing Systems, vol. 1 (Wiley, 1975); D. Gross et al., Fundamentals of Queueing Theory,
4th ed. (Wiley, 2008), chapters 2, 3 and 6; C. Daganzo, Fundamentals of Transportation and Traffic Operations
(Pergamon, 1997), chapters 2 and 4; J. D. C. Little, Operations Research 9 (1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, factorial

from geo.errors import InvalidInputError


@dataclass(frozen=True)
class Steady:
    """A queue in steady state.

    `utilisation` of each server; `waiting_veh` before service, `inside_veh` with those in service; `wait_s` before
    service, `stay_s` with service; `blocked` the share of arrivals turned away.
    """

    utilisation: float
    waiting_veh: float
    inside_veh: float
    wait_s: float
    stay_s: float
    blocked: float = 0.0


def _check(arrivals_veh_per_s: float, service_mean_s: float, servers: int = 1, *, stable: bool = True) -> float:
    for name, value in (("arrivals_veh_per_s", arrivals_veh_per_s), ("service_mean_s", service_mean_s)):
        if not value > 0.0:
            raise InvalidInputError("{name} is {value}; it must be above 0.", field=name, name=name, value=value)
    if servers < 1:
        raise InvalidInputError("{value} servers are not possible; give 1 or more.", field="servers", value=servers)
    load = arrivals_veh_per_s * service_mean_s / servers
    if stable and load >= 1.0:
        raise InvalidInputError(
            "The servers are loaded to {value:.3f} and the queue grows for ever; steady state needs below 1.",
            field="arrivals_veh_per_s",
            value=load,
        )
    return load


def mm1(arrivals_veh_per_s: float, service_mean_s: float) -> Steady:
    """M/M/1 (Kleinrock 1975, section 3.2).

    Raises
    ------
    InvalidInputError
        If a rate is not positive or the queue has no steady state; so for all formulas here.
    """
    return mg1(arrivals_veh_per_s, service_mean_s, 1.0)


def md1(arrivals_veh_per_s: float, service_mean_s: float) -> Steady:
    """M/D/1: Poisson arrivals, equal service times (Gross et al. 2008, section 5.1)."""
    return mg1(arrivals_veh_per_s, service_mean_s, 0.0)


def mg1(arrivals_veh_per_s: float, service_mean_s: float, service_cv: float) -> Steady:
    """M/G/1 by Pollaczek and Khinchine (Kleinrock 1975, section 5.6)."""
    load = _check(arrivals_veh_per_s, service_mean_s)
    wait_s = load * service_mean_s * (1.0 + service_cv**2) / (2.0 * (1.0 - load))
    return _by_little(arrivals_veh_per_s, service_mean_s, load, wait_s)


def _by_little(arrivals_veh_per_s: float, service_mean_s: float, load: float, wait_s: float) -> Steady:
    """All averages from the mean wait by Little's law."""
    stay_s = wait_s + service_mean_s
    return Steady(load, arrivals_veh_per_s * wait_s, arrivals_veh_per_s * stay_s, wait_s, stay_s)


def erlang_c(offered: float, servers: int) -> float:
    """Probability that an arrival waits in M/M/c; `offered` = arrivals × service time (Gross et al. 2008, 2.3)."""
    load = offered / servers
    last = offered**servers / (factorial(servers) * (1.0 - load))
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


def mmc(arrivals_veh_per_s: float, service_mean_s: float, servers: int) -> Steady:
    """M/M/c by Erlang's C formula (Gross et al. 2008, section 2.3)."""
    load = _check(arrivals_veh_per_s, service_mean_s, servers)
    offered = arrivals_veh_per_s * service_mean_s
    wait_s = erlang_c(offered, servers) * service_mean_s / (servers * (1.0 - load))
    return _by_little(arrivals_veh_per_s, service_mean_s, load, wait_s)


def mmck(arrivals_veh_per_s: float, service_mean_s: float, servers: int, places: int) -> Steady:
    """M/M/c/K: `places` in all, in service included; who finds none goes away (Gross et al. 2008, section 2.5)."""
    _check(arrivals_veh_per_s, service_mean_s, servers, stable=False)
    if places < servers:
        raise InvalidInputError(
            "{value} places for {servers} servers are too few; count those in service.",
            field="places",
            value=places,
            servers=servers,
        )
    weights = [1.0]
    for n in range(1, places + 1):
        weights.append(weights[-1] * arrivals_veh_per_s * service_mean_s / min(n, servers))
    total = sum(weights)
    share = [w / total for w in weights]
    accepted = arrivals_veh_per_s * (1.0 - share[-1])
    waiting = sum((n - servers) * p for n, p in enumerate(share) if n > servers)
    inside = sum(n * p for n, p in enumerate(share))
    return Steady(
        utilisation=accepted * service_mean_s / servers,
        waiting_veh=waiting,
        inside_veh=inside,
        wait_s=waiting / accepted,
        stay_s=inside / accepted,
        blocked=share[-1],
    )


@dataclass(frozen=True)
class PeakQueue:
    """A deterministic queue over one peak: the most trucks that stand, the longest wait, when the last one is gone
    (seconds from the start of the peak), and all waits added up."""

    longest_veh: float
    longest_wait_s: float
    clears_at_s: float
    delay_truck_s: float


def peak(peak_veh_per_s: float, after_veh_per_s: float, capacity_veh_per_s: float, peak_s: float) -> PeakQueue:
    """D/D/1 with a peak: arrivals above capacity for `peak_s`, below it afterwards (Daganzo 1997, section 2.1).

    Raises
    ------
    InvalidInputError
        If the queue never clears.
    """
    if after_veh_per_s >= capacity_veh_per_s:
        raise InvalidInputError(
            "After the peak {value} trucks/s still come for a capacity of {capacity}; the queue never clears.",
            field="after_veh_per_s",
            value=after_veh_per_s,
            capacity=capacity_veh_per_s,
        )
    longest = max(0.0, (peak_veh_per_s - capacity_veh_per_s) * peak_s)
    drain_s = longest / (capacity_veh_per_s - after_veh_per_s)
    return PeakQueue(
        longest_veh=longest,
        longest_wait_s=longest / capacity_veh_per_s,
        clears_at_s=peak_s + drain_s if longest > 0.0 else 0.0,
        delay_truck_s=0.5 * longest * (peak_s + drain_s),
    )


def shock_speed(
    flow_up_veh_per_s: float, density_up_veh_per_m: float, flow_down_veh_per_s: float, density_down_veh_per_m: float
) -> float:
    """Speed (m/s, positive downstream) of the border between two traffic states (Daganzo 1997, section 4.4)."""
    return (flow_down_veh_per_s - flow_up_veh_per_s) / (density_down_veh_per_m - density_up_veh_per_m)


def queued_density(flow_veh_per_s: float, jam_density_veh_per_m: float, wave_mps: float) -> float:
    """Density in a queue that moves on at a given flow, on the congested branch of the triangular diagram."""
    return jam_density_veh_per_m - flow_veh_per_s / wave_mps


def lanes_needed(arrivals_veh_per_s: float, service_mean_s: float, wait_s: float) -> int:
    """The fewest lanes with which the mean wait in M/M/c stays at or below `wait_s`."""
    lanes = max(1, ceil(arrivals_veh_per_s * service_mean_s + 1e-9))
    while (
        arrivals_veh_per_s * service_mean_s >= lanes or mmc(arrivals_veh_per_s, service_mean_s, lanes).wait_s > wait_s
    ):
        lanes += 1
    return lanes
