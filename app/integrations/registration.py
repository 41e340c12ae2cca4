"""Vehicle registration and inspection (đăng kiểm): a plate is asked for, its record is kept with its age.

The form of these messages is assumed; no specification of the register's systems is public (docs/integrations.md).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.integrations import service, store
from app.integrations.messages import Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.integrations.registration_messages import NAME, RegistrationQuery, RegistrationRecord
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.registers import official
from app.registers.official import OfficialRecord
from ingest.plates import find_plate

ASK_AGAIN: Final = timedelta(hours=12)
"""A record older than this is asked for again when its truck comes up; assumed."""


def registration() -> Neighbour:
    """The neighbour."""
    return Neighbour(
        name=NAME,
        label=N_("Vehicle registration and inspection"),
        icon="id-badge-2",
        sends=(RegistrationQuery,),
        takes=(Incoming(RegistrationRecord, take_record),),
    )


def ask(session: Session, plate: str, now: datetime) -> bool:
    """Ask for the record of a plate in normal form, unless a young one is kept; whether a question was put down."""
    known = official.find_record(session, plate)
    if known is not None and now - known.as_of < ASK_AGAIN:
        return False
    period = int(now.timestamp() // ASK_AGAIN.total_seconds())
    subject = f"record {plate} {period}"
    return service.send(session, NAME, RegistrationQuery(plate=plate), about=plate, subject=subject, now=now)


def take_record(action: ActionContext, message: Message, body: RegistrationRecord) -> Taken:
    """Keep what is on record, unless something newer was said before."""
    plate = find_plate(body.plate) or body.plate
    row = store.find_neighbour(action.session, NAME)
    record = OfficialRecord(
        plate=plate,
        is_found=body.is_found,
        vehicle_class=body.vehicle_class,
        payload_kg=body.payload_kg,
        axles=body.axles,
        inspection_expires=body.inspection_expires,
        owner=body.owner,
        as_of=message.sent_at,
        is_simulated=row is not None and row.is_simulated,
    )
    return Taken(is_superseded=not official.keep_record(action.session, record))
