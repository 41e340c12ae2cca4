"""What equipment adds to the sheet of a trip, and the barrier that opens when a step is confirmed there."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy.orm import Session

from app.equipment import barriers, store
from app.equipment.schemas import EquipmentOnSheet, ReadOnSheet, ScanOnSheet, SealOnSheet, WeighingOut
from app.equipment.seals import seal_state
from app.equipment.tables import PlateReadRow, Scan, SealEvent, Weighing
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import PERMISSIONS, Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.trips.service import Trip


def show(session: Session, principal: Principal, trip: Trip) -> JsonObject | None:
    """The sheet's part `equipment`: `reads weighings scans seals barriers`; scans for border guard and customs only.

    `None` for whoever may not read equipment (enterprise, driver): they have the trip's timeline.
    """
    if not principal.may("equipment.read"):
        return None
    trip_id = trip.trip_id
    seals: dict[str, list[SealEvent]] = defaultdict(list)
    for found in store.reports_of_trip(session, SealEvent, trip_id):
        seals[found.report.seal_number].append(found.report)
    shown = EquipmentOnSheet(
        reads=[ReadOnSheet.of(found) for found in store.reports_of_trip(session, PlateReadRow, trip_id)],
        weighings=[WeighingOut.of(found) for found in store.reports_of_trip(session, Weighing, trip_id)],
        seals=[
            SealOnSheet.of(number, seal_state(event.kind for event in events), events)
            for number, events in seals.items()
        ],
        barriers=barriers.list_commands(session, principal, trip_id=trip_id),
    )
    if principal.role in PERMISSIONS["scans.read"]:
        shown.scans = [ScanOnSheet.of(found) for found in store.reports_of_trip(session, Scan, trip_id)]
    return shown.model_dump(exclude_unset=True)


def open_on_confirmation(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """A confirmed step at a barrier opens it."""
    if (
        change.act == "confirm"
        and Step.get(change.step).spec.is_barrier
        and change.after.get(change.step) == StepStatus.DONE
    ):
        barriers.open_for_step(
            ActionContext(session, change.principal, change.now), change.trip.trip_id, change.trip.gate_id, change.step
        )
