"""Places that are promised beforehand: the yard problem without them, for everybody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity.problem import Floats, Ints, YardProblem


def kept_veh(problem: YardProblem, yard: Ints, step: Ints) -> Floats:
    """Expected trucks in each yard and step, shape (Y, T), of M trucks with promised places: `yard` (M,) and `step`
    (M,) of each; steps beyond the horizon count nothing. They stay as the first class of stay does."""
    within = step < problem.steps
    kept = np.zeros(problem.capacity_veh.shape)
    np.add.at(kept, yard[within], problem.stays()[0][yard[within], step[within]])
    return kept


def keep_places(problem: YardProblem, yard: Ints, step: Ints) -> YardProblem:
    """The problem that is left once M trucks have their promised places: fewer places, and less of the entrances.

    Arguments: as `kept_veh`. What is promised beyond what there is leaves nothing, never less.
    """
    within = step < problem.steps
    intake = problem.intake_veh.copy()
    np.subtract.at(intake, (problem.entrance[yard[within]], step[within]), 1.0)
    capacity = np.maximum(problem.capacity_veh - kept_veh(problem, yard, step), 0.0)
    cleared = problem.cleared_veh
    if cleared is not None:  # they pass the gate too: whom it clears of them, it does not clear of others
        come = np.zeros(problem.capacity_veh.shape)
        np.add.at(come, (yard[within], step[within]), 1.0)
        left = np.cumsum(come, axis=1) - (problem.capacity_veh - capacity)
        cleared = cleared.copy()
        np.subtract.at(cleared, problem.gate, left)
    return replace(problem, capacity_veh=capacity, intake_veh=np.maximum(intake, 0.0), cleared_veh=cleared)
