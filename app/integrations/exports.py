"""Exports, exchanged with the National Single Window and Nanning customs in both directions.

What an enterprise here declares to export is said to both that are connected; what the other side exports fills in
import declarations beforehand (`app.declarations.prefilled`). Every version is acknowledged, acts once, and is never
overtaken by an older one, whichever way it comes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app.accounts.service import find_organisation
from app.declarations import prefilled
from app.declarations import shares as declarations
from app.declarations.form import Form
from app.declarations.prefilled import Prefill
from app.declarations.vocabulary import PrefillSource
from app.gates.vocabulary import System
from app.integrations import export_store, service, store
from app.integrations.export_messages import (
    NANNING,
    ROUTES,
    SINGLE_WINDOW,
    DayList,
    DayQuery,
    ExportData,
    ExportReceipt,
    digest,
)
from app.integrations.export_translation import HERE, ExportedTrip, to_form, to_message
from app.integrations.forms.record import DeclarationMessage
from app.integrations.forms.table import load
from app.integrations.messages import Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.integrations.reconciliation import take_day
from app.integrations.vocabulary import ExportDirection
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.sheets.service import SheetChange, Sheets
from app.trips.service import Trip
from app.trips.vocabulary import Direction, Stage
from geo.errors import InvalidInputError

ORIGINAL, REPLACEMENT, CANCELLATION = "original", "replacement", export_store.CANCELLATION
DECLARING: Final = frozenset({"opened", "redeclare", "facts", "moved"})
"""Acts on a sheet that can change what is declared."""
LOOK_BACK: Final = timedelta(days=70)
"""An export is taken back when its trip ends without crossing: no trip is planned further ahead than 60 days."""
MAX_ENDED: Final = 200
MAX_UNSAID: Final = 100

log = structlog.get_logger("neighbours")


def single_window() -> Neighbour:
    """The National Single Window."""
    return _neighbour(SINGLE_WINDOW, N_("National Single Window"), "world-share", System.SINGLE_WINDOW)


def nanning() -> Neighbour:
    """Nanning customs, where it is reached without the Single Window between."""
    return _neighbour(NANNING, N_("Nanning customs"), "building-community")


# Our exports


def follow_declaration(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """A listener of the sheet: say what is declared to be exported, and every change of it."""
    if change.act not in DECLARING or change.trip.direction != Direction.EXPORT:
        return
    connected = _connected(session)
    form = declarations.declared_form(session, change.trip.trip_id) if connected else None
    if form is not None and not form.is_empty_run:
        _say(session, change.trip, form, REPLACEMENT, change.now, connected)


def take_back_ended(session: Session, now: datetime) -> int:
    """Take back what was said of trips that ended without crossing; how many. Called by control each minute."""
    connected = _connected(session)
    if not connected:
        return 0
    ended = export_store.ended_exports(session, Stage.without_crossing(), now - LOOK_BACK, limit=MAX_ENDED)
    for trip_id in ended:
        form = declarations.declared_form(session, trip_id) or Form()
        _say(session, session.get_one(Trip, trip_id), form, CANCELLATION, now, connected)
    return len(ended)


def say_unsaid(session: Session, now: datetime) -> int:
    """Say to each neighbour that is connected what was declared before it was; of how many trips. Called by control
    each minute."""
    said = 0
    for name in _connected(session):
        for trip_id in export_store.unsaid_exports(session, name, Stage.open(), now - LOOK_BACK, limit=MAX_UNSAID):
            form = declarations.declared_form(session, trip_id)
            if form is not None and not form.is_empty_run:
                _say(session, session.get_one(Trip, trip_id), form, REPLACEMENT, now, [name], is_first=True)
                said += 1
    return said


def _say(
    session: Session,
    trip: Trip,
    form: Form,
    function: str,
    now: datetime,
    connected: list[str],
    *,
    is_first: bool = False,
) -> None:
    """Say a version of an export, unless it says what the one before did; `is_first`: to neighbours that were told
    nothing of it, whatever others know."""
    last = export_store.lock_exports_of_trip(session, trip.trip_id)
    exporter = find_organisation(session, trip.organisation_id)
    said = ExportedTrip(
        reference=f"VN-{trip.code}",
        version=1 if last is None else last.version + (0 if is_first else 1),
        function=ORIGINAL if last is None or is_first else function,
        issued_at=now,
        exporter="" if exporter is None else exporter.name,
        exporter_number="" if exporter is None else exporter.tax_number,
        gate_id=trip.gate_id,
        planned_arrival=trip.planned_arrival,
    )
    record = to_message(form, said, load())
    try:
        content = digest(replace(record, function=CANCELLATION if function == CANCELLATION else REPLACEMENT))
        bodies = {name: ExportData.of(record, ROUTES[name]) for name in connected}
    except InvalidInputError as error:  # a neighbour's form stops nobody here
        log.warning("an export cannot be said", trip=trip.code, reason=str(error))
        return
    if last is not None and last.sha256_digest == content and not is_first:
        return
    for name, body in bodies.items():
        subject = f"export {record.reference} {record.version}"
        if service.send(session, name, body, about=record.reference, subject=subject, now=now):
            export_store.insert_export(
                session, _row(name, ExportDirection.OUT, record, now, sha256_digest=content, trip_id=trip.trip_id)
            )


def _connected(session: Session) -> list[str]:
    connected = store.connected(session)
    return [name for name in ROUTES if name in connected]


# The neighbours


def _neighbour(name: str, label: str, icon: str, system: System | None = None) -> Neighbour:
    def take_data(action: ActionContext, message: Message, body: ExportData) -> Taken:
        return _take_export(action, name, message, body)

    def take_receipt(action: ActionContext, _message: Message, body: ExportReceipt) -> Taken:
        is_news = export_store.note_receipt(action.session, name, body.reference, body.version, action.now)
        return Taken(is_superseded=not is_news)

    def take_list(action: ActionContext, _message: Message, body: DayList) -> Taken:
        return take_day(action, name, body)

    return Neighbour(
        name=name,
        label=label,
        icon=icon,
        sends=(ExportData, ExportReceipt, DayQuery),
        takes=(Incoming(ExportData, take_data), Incoming(ExportReceipt, take_receipt), Incoming(DayList, take_list)),
        system=system,
    )


def _take_export(action: ActionContext, name: str, message: Message, body: ExportData) -> Taken:
    """Offer, change or withdraw a pre-filled declaration, and acknowledge it.

    Raises
    ------
    MalformedError, InvalidInputError
        If it cannot be read, by path and value, is for another country, or has no version.
    """
    record = body.record()
    version = message.version if record.version is None else record.version
    if version is None:
        raise InvalidInputError("{path} is missing.", field="VersionID", path="Declaration/VersionID")
    if record.destination not in ("", HERE):
        raise InvalidInputError(
            "{path}: {value} is not one of {known}.",
            field="Destination",
            path="Declaration/GoodsShipment/Destination/CountryCode",
            value=record.destination,
            known=HERE,
        )
    record = replace(record, version=version)
    session, now = action.session, action.now
    export_store.insert_export(session, _row(name, ExportDirection.IN, record, message.sent_at, receipt_at=now))
    if record.function == CANCELLATION:
        is_news = prefilled.withdraw(action, PrefillSource.NANNING, record.reference, version)
    else:
        is_news = prefilled.offer(action, _prefill(session, name, record, version))
    receipt = ExportReceipt(reference=record.reference, version=version)
    subject = f"receipt {record.reference} {version}"
    service.send(session, name, receipt, about=record.reference, subject=subject, now=now)
    return Taken(is_superseded=not is_news)


def _prefill(session: Session, name: str, record: DeclarationMessage, version: int) -> Prefill:
    row = store.find_neighbour(session, name)
    return Prefill(
        source=PrefillSource.NANNING,
        reference=record.reference,
        version=version,
        form=to_form(record, load()),
        number=record.number,
        consignee=record.consignee.name,
        consignee_number=record.consignee.number,
        consignor=record.exporter.name,
        is_simulated=row is not None and row.is_simulated,
    )


def _row(
    name: str, direction: ExportDirection, record: DeclarationMessage, at: datetime, **more: object
) -> dict[str, object]:
    return {
        "neighbour": name,
        "direction": direction,
        "reference": record.reference,
        "version": record.version,
        "function": record.function,
        "issued_at": record.issued_at or at,
        **more,
    }
