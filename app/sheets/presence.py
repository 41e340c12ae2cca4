"""Where officers stand who do the steps of sheets: what presence needs to know of procedures."""

from __future__ import annotations

from app.procedures.steps import Step
from app.trips.presence_keeping import PresenceKeeper
from app.trips.presence_reading import StepPlaces
from app.trips.vocabulary import Direction


def make_keeper() -> PresenceKeeper:
    """What keeps presence up in a process, with the places of all steps there are.

    A trip leaves by the last barrier of its way; a sheet that ends elsewhere says so in its act.
    """
    places = {step.value: step.spec.place for step in Step}
    exits = {Direction.EXPORT: {Step.BARRIER_2.value}, Direction.IMPORT: {Step.BARRIER_1.value}}
    return PresenceKeeper(StepPlaces(places, exits))
