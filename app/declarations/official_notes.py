"""What the register of vehicles says of the truck and trailer of a declaration, as notes that stop nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.declarations.form import Form
from app.platform.labels import N_
from app.registers.official import find_records
from app.web.forms import Problem
from geo.clock import LOCAL_ZONE
from ingest.plates import display_plate, find_plate

ENDS = N_("By the register the inspection of {plate} ends on {day}, before the truck comes.")


def notes_of(session: Session, form: Form, now: datetime) -> list[Problem]:
    """A note for each plate whose inspection is known to end before the truck comes."""
    written = {"plate": find_plate(form.plate), "trailer_plate": find_plate(form.trailer_plate)}
    records = find_records(session, [plate for plate in written.values() if plate])
    arrival = (form.planned_arrival or now).astimezone(LOCAL_ZONE).date()
    found = []
    for name, plate in written.items():
        until = records[plate].inspection_expires if plate in records else None
        if plate is not None and until is not None and until < arrival:
            values = {"plate": display_plate(plate), "day": until.strftime("%d/%m/%Y")}
            found.append(Problem(name, ENDS, values, is_note=True))
    return found
