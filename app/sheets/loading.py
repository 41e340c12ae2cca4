"""A trip's sheet put together from its procedure, its facts and its rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord
from app.procedures.vehicle_roles import procedure_of
from app.sheets import store
from app.sheets.store import NamedStep
from app.sheets.view import LoadedSheet
from app.trips.service import Trip


def load_sheet(session: Session, trip: Trip) -> Sheet:
    """The sheet of a trip that has a procedure."""
    assert trip.procedure_id is not None
    procedure = procedures.get_procedure(session, trip.procedure_id)
    return _sheet(procedure, trip, store.steps_of(session, trip.trip_id))


def load_for_reading(session: Session, trip: Trip) -> LoadedSheet | None:
    """The sheet of a trip with its rows, as `app.sheets.view` shows it; `None` before it is opened."""
    if trip.procedure_id is None:
        return None
    steps = store.steps_of(session, trip.trip_id)
    return LoadedSheet(_sheet(procedures.get_procedure(session, trip.procedure_id), trip, steps), steps)


def _sheet(procedure: Procedure, trip: Trip, steps: Sequence[NamedStep]) -> Sheet:
    records = {step.step: StepRecord(step.status, step.since) for step in steps}
    facts = Facts.from_record(trip.facts)
    return Sheet(procedure_of(procedure, facts.vehicle_role), facts, records)
