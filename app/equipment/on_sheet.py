"""What equipment adds to the sheet of a trip, and the barrier that opens when a step is confirmed there."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy.orm import Session

from app.equipment import barriers, command_store, store
from app.equipment.schemas import EquipmentOnSheet, ReadOnSheet, ScanOnSheet, SealOnSheet, WeighingOut
from app.equipment.seals import seal_state
from app.equipment.tables import PlateReadRow, Scan, SealEvent, Weighing
from app.equipment.vocabulary import CommandStatus, ReadStatus
from app.gates.vocabulary import WeighingVerdict
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import PERMISSIONS, Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.transshipments import service as transshipments
from app.trips.evidence import Evidence, EvidenceKind
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError


def show(session: Session, principal: Principal, trip: Trip) -> JsonObject | None:
    """The sheet's part `equipment`: `reads weighings scans seals barriers`; scans for border guard and customs only.

    `None` for whoever may not read equipment (enterprise, driver): they have the trip's timeline.
    """
    if not principal.may("equipment.read"):
        return None
    trip_id = trip.trip_id
    reads = store.reports_of_trip(session, PlateReadRow, trip_id)
    pictured = {read.report.passage_id or read.report.read_id for read in reads if read.report.image_ref is not None}
    seals: dict[str, list[SealEvent]] = defaultdict(list)
    for found in store.reports_of_trip(session, SealEvent, trip_id):
        seals[found.report.seal_number].append(found.report)
    shown = EquipmentOnSheet(
        reads=[
            ReadOnSheet.of(found, has_picture=found.report.read_id in pictured)
            for found in reads
            if found.report.status != ReadStatus.REPEAT
        ],
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


def witness_weighings(session: Session, trip: Trip) -> list[Evidence]:
    """The weighings of a trip at its gate, as evidence that it used the services there, and of what its goods weigh."""
    moved_kg = round(transshipments.moved_kg(session, trip.trip_id))
    return [
        Evidence(
            EvidenceKind.WEIGHING,
            found.report.time,
            found.device.name,
            goods_kg=None if moved_kg else _found_otherwise_kg(found.report),
        )
        for found in store.reports_of_trip(session, Weighing, trip.trip_id)
        if found.device.gate_id == trip.gate_id
    ]


def _found_otherwise_kg(weighing: Weighing) -> int | None:
    """What goods weigh by a scale that knew the empty truck, where that is not what was declared within tolerance."""
    if weighing.tare_kg is None or weighing.verdict == WeighingVerdict.WITHIN:
        return None
    return weighing.gross_kg - weighing.tare_kg


def guard_undo(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """A confirmation that opened a barrier is not undone: the truck may be through.

    Raises
    ------
    ConflictError
        If the barrier of the step was told to open, or opened by hand, since.
    """
    if change.act != "undo" or not Step.get(change.step).spec.is_barrier:
        return
    since = datetime.fromisoformat(change.data["done_at"])
    command = command_store.command_since(session, change.trip.trip_id, change.step, since)
    if command is not None and command.status != CommandStatus.FAILED:
        raise ConflictError(
            "The barrier was opened for it and the truck may be through; ask for a correction, which a second person "
            "confirms."
        )


def open_on_confirmation(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """A confirmed step at a barrier opens it, unless it was done before and is entered later, or the truck that it let
    in stands inside since and was compared again after a new declaration."""
    trip = change.trip
    if (
        change.act != "confirm"
        or not Step.get(change.step).spec.is_barrier
        or change.after.get(change.step) != StepStatus.DONE
        or "entered_later" in change.data
    ):
        return
    is_inside = trip.stage == Stage.IN_THE_YARD and trip.stage_since < change.now
    if is_inside and barriers.was_opened(session, trip.trip_id, trip.gate_id, change.step):
        return
    barriers.open_for_step(
        ActionContext(session, change.principal, change.now), trip.trip_id, trip.gate_id, change.step
    )
