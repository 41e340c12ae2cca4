"""What equipment adds to the sheet of a trip, and the barrier that opens when a step is confirmed there."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy.orm import Session

from app.equipment import barriers, reports, store
from app.equipment.seals import seal_state
from app.equipment.tables import PlateReadRow, Scan, SealEvent, Weighing
from app.platform.actions import ActionContext
from app.platform.permissions import PERMISSIONS, Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.trips.service import Trip


def show(session: Session, principal: Principal, trip: Trip) -> dict[str, Any] | None:
    """The sheet's part `equipment`: `reads weighings scans seals barriers`; scans for border guard and customs only.

    `None` for whoever may not read equipment (enterprise, driver): they have the trip's timeline.
    """
    if not principal.may("equipment.read"):
        return None
    trip_id = trip.trip_id
    seals: dict[str, list[SealEvent]] = defaultdict(list)
    for row in store.reports_of_trip(session, SealEvent, trip_id):
        seals[row.SealEvent.seal_number].append(row.SealEvent)
    shown: dict[str, Any] = {
        "reads": [
            _read(row.PlateReadRow, row.Equipment) for row in store.reports_of_trip(session, PlateReadRow, trip_id)
        ],
        "weighings": [
            reports.describe_weighing(row.Weighing, row.Equipment)
            for row in store.reports_of_trip(session, Weighing, trip_id)
        ],
        "seals": [
            {
                "seal_number": number,
                "state": seal_state(one.kind for one in events),
                "events": [reports.describe_seal_event(one) for one in events],
            }
            for number, events in seals.items()
        ],
        "barriers": barriers.list_commands(session, principal, trip_id=trip_id),
    }
    if principal.role in PERMISSIONS["scans.read"]:
        rows = store.reports_of_trip(session, Scan, trip_id)
        shown["scans"] = [reports.describe_scan(row.Scan, row.Equipment) for row in rows]
    return shown


def _read(row: PlateReadRow, device: Any) -> dict[str, Any]:
    return {
        "read_id": row.read_id,
        "camera": device.name,
        "station": device.station,
        "site_id": device.site_id,
        "time": row.time,
        "plate": row.plate_norm,
        "status": row.status,
        "confidence": row.confidence,
        "probability": row.probability,
        "by_person": row.decided_by is not None,
        "has_picture": row.image_ref is not None,
    }


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
