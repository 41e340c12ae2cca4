"""What a transshipment makes of a procedure for each vehicle that took part in it. Pure.

A procedure says the way of a vehicle that carries its own load. What takes over goods in the yard does not begin that
way at its beginning, and what is emptied there does not go it to its end; both ways follow from the procedure itself,
from what its steps vouch for, so that they hold for every gate, direction and regime, and for every version.

Assumed, since no order says it: the goods and their papers are the same in another vehicle, so that what was checked of
them is not checked again; vehicle, driver and health are another's and are checked like anybody's. A vehicle goes home
by the barrier on the side of its country.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Final, Literal

from app.procedures.procedure import Procedure, StepDefinition
from app.procedures.steps import Step, VehicleRole

OF_THE_VEHICLE: Final = frozenset({"vehicle", "driver", "health"})
"""Parts of a declaration that are another's when goods go on in another vehicle."""


HOME_BARRIER: Final[Mapping[str, Step]] = {
    VehicleRole.EMPTY_INWARD: Step.BARRIER_1,
    VehicleRole.EMPTY_OUTWARD: Step.BARRIER_2,
}
NOT_FOR_THIS_VEHICLE: Final = {"vehicle_role": VehicleRole.CARRIER.value}
"""The condition of steps that fall away for a vehicle of another role."""


def procedure_of(procedure: Procedure, role: str) -> Procedure:
    """The way of a vehicle of a role through a gate; all steps of the procedure stand in it, some not needed."""
    if Step.TRANSSHIPMENT not in procedure.steps or role == VehicleRole.CARRIER:
        return procedure
    return _receiving(procedure) if role == VehicleRole.RECEIVER else _going_home(procedure, HOME_BARRIER[role])


def carried_over(procedure: Procedure) -> frozenset[str]:
    """The steps before transshipment that vouch for the goods: done for one vehicle, they are done for the next.

    Neither barriers nor the yard nor what vouches for vehicle or driver; where nothing is said (`checks`), a quarantine
    is about the goods.
    """
    ahead = procedure.ancestors.get(Step.TRANSSHIPMENT, frozenset())
    return frozenset(
        name for name in ahead if _is(name, "is_quarantine") and not procedure.steps[name].checks & OF_THE_VEHICLE
    )


def _receiving(procedure: Procedure) -> Procedure:
    """From transshipment on. No barrier lets the vehicle in on this sheet; what vouches for vehicle, driver or health
    and came before is done beside the rest, and before the exit."""
    ahead = procedure.ancestors[Step.TRANSSHIPMENT]
    again = {name for name in ahead - {Step.DECLARATION} if procedure.steps[name].checks & OF_THE_VEHICLE}
    again -= _barriers(again)
    steps: dict[str, StepDefinition] = {}
    for name, step in procedure.steps.items():
        if name in again:
            steps[name] = replace(step, after=(Step.TRANSSHIPMENT.value,))
        elif name in ahead or name == Step.TRANSSHIPMENT:
            is_entry = name in _barriers(ahead)
            when = NOT_FOR_THIS_VEHICLE if is_entry else step.when
            steps[name] = replace(step, after=_without(procedure, step.after, again), when=when)
        else:
            steps[name] = step
    end = steps[procedure.exit]
    steps[procedure.exit] = replace(end, after=tuple(dict.fromkeys((*end.after, *sorted(again)))))
    return _in_order(procedure, steps, procedure.exit)


def _going_home(procedure: Procedure, barrier: Step) -> Procedure:
    """What was done stays to be seen; only the barrier on the way home is left, even if it let the vehicle in."""
    end = barrier.value if barrier in procedure.steps else procedure.exit
    kept = procedure.ancestors[Step.TRANSSHIPMENT] | {Step.TRANSSHIPMENT.value}
    steps = {
        name: replace(
            step,
            after=_without(procedure, step.after, {end}),
            when=step.when if name in kept else NOT_FOR_THIS_VEHICLE,
        )
        for name, step in procedure.steps.items()
        if name != end
    }
    steps[end] = replace(procedure.steps[end], after=tuple(steps), when=None, at_once=None)
    return _in_order(procedure, steps, end)


def _barriers(names: Collection[str]) -> set[str]:
    return {name for name in names if _is(name, "is_barrier")}


def _is(name: str, what: Literal["is_barrier", "is_quarantine"]) -> bool:
    step = Step.lookup(name)
    return step is not None and bool(getattr(step.spec, what))


def _without(procedure: Procedure, after: tuple[str, ...], gone: Collection[str]) -> tuple[str, ...]:
    """What comes before a step once some steps stand elsewhere: in their place what came before those."""
    found: list[str] = []
    for name in after:
        found += _without(procedure, procedure.steps[name].after, gone) if name in gone else (name,)
    return tuple(dict.fromkeys(found))


def _in_order(procedure: Procedure, steps: Mapping[str, StepDefinition], end: str) -> Procedure:
    order = TopologicalSorter({name: step.after for name, step in steps.items()}).static_order()
    return type(procedure)({name: steps[name] for name in order}, end)
