"""The declaration of a vehicle that took over goods of another: the same, with its own vehicle, driver and share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.declarations import store
from app.declarations.form import Form, Line
from app.declarations.on_sheet import facts_of
from app.declarations.tables import DeclarationRow
from app.gates.vocabulary import GoodsClass
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.procedures.procedure import Facts
from app.trips.receiving import GoodsOnBoard
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import DeclarationStatus

OF_THE_VEHICLE = (
    "plate",
    "trailer_plate",
    "container",
    "refrigerated",
    "payload_kg",
    "inspection_expires",
    "driver_id",
    "driver_name",
    "driver_phone",
    "driver_paper",
    "driver_paper_number",
    "driver_paper_expires",
    "driver_licence_number",
    "driver_licence_expires",
    "health_symptoms",
    "health_temperature_c",
    "health_note",
)
"""What another vehicle does not have from the declaration of the goods."""


def declared_form(session: Session, trip_id: int) -> Form | None:
    """The declaration in force of a trip; `None` if there is none."""
    row = _in_force(session, trip_id)
    return None if row is None else Form.from_record(row.data)


def is_declared(trip_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition on a column of trips that a declaration stands behind them."""
    return (
        select(DeclarationRow.revision)
        .where(DeclarationRow.trip_id == trip_id, DeclarationRow.status.in_(DeclarationStatus.declared()))
        .exists()
    )


def form_of_share(given: Form, vehicle: JsonObject, lines: Sequence[Line]) -> Form:
    """The declaration of `given` goods in another vehicle; `vehicle` are fields of `OF_THE_VEHICLE` as JSON."""
    shared = {name: value for name, value in given.to_record().items() if name not in OF_THE_VEHICLE}
    return replace(Form.from_record({**shared, **vehicle}), lines=tuple(lines))


def declare_share(action: ActionContext, trip_id: int, form: Form) -> None:
    """Keep the declaration of a receiving vehicle; one it had before is superseded."""
    rows = store.revisions_of(action.session, trip_id)
    for row in rows:
        if row.status != DeclarationStatus.SUPERSEDED:
            store.update_revision(action.session, trip_id, row.revision, {"status": DeclarationStatus.SUPERSEDED})
    version = max((row.version for row in rows), default=0) + 1
    values = {
        "trip_id": trip_id,
        "revision": rows[0].revision + 1 if rows else 1,
        "status": DeclarationStatus.SUBMITTED,
        "data": form.to_record(),
        "created_at": action.now,
        "created_by": action.actor_id,
        "submitted_at": action.now,
        "submitted_by": action.actor_id,
        "version": version,
    }
    store.insert_revision(action.session, values)
    TimelineEntry(trip_id, "declaration_amended" if rows else "declared", {"revision": values["revision"]}).write(
        action
    )
    before = rows[0].data if rows else None
    action.record("declarations.share", "declaration", trip_id, before, values["data"])


def facts_of_share(form: Form) -> Facts:
    """The facts that a procedure's conditions ask of a share."""
    return facts_of(form)


def goods_of(form: Form) -> GoodsOnBoard:
    """What the trip says of the goods."""
    main = form.main_line or Line()
    return GoodsOnBoard(
        description="; ".join(dict.fromkeys(line.description for line in form.lines if line.description)),
        goods_class=main.goods_class or GoodsClass.GENERAL,
        perishable=any(line.spoils for line in form.lines),
    )


def _in_force(session: Session, trip_id: int) -> DeclarationRow | None:
    rows = store.revisions_of(session, trip_id)
    return next((row for row in rows if row.status in DeclarationStatus.declared()), None)
