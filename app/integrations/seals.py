"""A service of electronic seals: what its devices report, locked, opened, tampered with, as messages of a neighbour.

Beside the door that a seal reports to by itself (docs/equipment.md); what comes of a report is the same: kept on the
trip, compared with the seals that are declared, warned of at customs and the barriers. The form of the message is
assumed.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from app.equipment import reports
from app.equipment.reports import Subject
from app.gates.vocabulary import SealEventKind
from app.integrations.messages import Body, Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.platform.actions import ActionContext
from app.platform.fields import Moment, PlainText
from app.platform.labels import N_

NAME: Final = "seals"
KINDS: Final = {"locked": SealEventKind.CLOSED, "opened": SealEventKind.OPENED, "tampered": SealEventKind.TAMPERED}


class SealEventBody(Body):
    """What a seal reports; `plate` or `trip_code` where the service knows the truck, else it is of the trip that the
    seal was locked on."""

    KIND: ClassVar[str] = "seal.event"

    seal_number: PlainText = Field(min_length=1, max_length=60)
    event: Literal["locked", "opened", "tampered"]
    at: Moment
    plate: PlainText | None = Field(None, max_length=40)
    trip_code: PlainText | None = Field(None, max_length=40)
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)


def seals() -> Neighbour:
    """The neighbour; it is told nothing."""
    return Neighbour(
        name=NAME, label=N_("Electronic seals"), icon="lock-access", takes=(Incoming(SealEventBody, take_event),)
    )


def take_event(action: ActionContext, message: Message, body: SealEventBody) -> Taken:
    """Keep a report as the door of seals does; raises InvalidInputError if its time or plate is none."""
    device = reports.seal_service(action.session, action.now)
    row = reports.report_seal(
        action.session,
        device,
        Subject(message.id, body.at, body.plate, body.trip_code),
        seal_number=body.seal_number,
        kind=KINDS[body.event],
        lon=body.lon,
        lat=body.lat,
        now=action.now,
    )
    return Taken(note="" if row.trip_id is not None else "of no trip that is known")
