"""Where trucks wait until their place is free: areas filled in order of arrival, and who is left on the road."""

from __future__ import annotations

import numpy as np

from capacity.problem import Floats, Ints, YardProblem


def stage(problem: YardProblem, yard: Ints, step: Ints) -> tuple[Ints, Floats]:
    """The area each truck waits in, shape (N,), −1 for none; and how many stand on the road, shape (T,).

    A truck waits from its arrival until its place is free, or to the horizon's end. Who comes first has the choice, and
    takes the area that serves the fewest gates; who finds none free stands on the road until one is. Trucks that have
    not set out wait where they are.
    """
    N, T = len(yard), problem.steps
    area, overflow = np.full(N, -1, np.int64), np.zeros(T)
    waiting = problem.waiting
    if waiting is None or N == 0:
        return area, overflow
    room = waiting.staging_veh.copy()
    arrival = problem.arrival_steps()
    # Whoever drives on to a yard farther off leaves that much sooner.
    come = arrival.min(axis=1, initial=T)
    drive = np.where(yard >= 0, arrival[np.arange(N), yard] - come, 0)
    leave = np.minimum(step - drive, T)
    narrow_first = np.argsort(waiting.serves.sum(axis=1), kind="stable")
    waits = waiting.on_road & (waiting.home_gate >= 0) & (leave > come)
    for i in np.lexsort((problem.declared_s, come)):
        if not waits[i]:
            continue
        for t in range(int(come[i]), int(leave[i])):
            found = [s for s in narrow_first if waiting.serves[s, waiting.home_gate[i]] and room[s, t] >= 1.0]
            if not found:
                overflow[t] += 1.0
                continue
            area[i] = found[0]
            room[found[0], t : leave[i]] -= 1.0
            break
    return area, overflow
