"""Customs (VNACCS/VCIS, VASSCM): asked by declaration number; channel, release, hold, amendments and lines come back,
passages, weighings, containers and seals go there.

The form of these messages is assumed; no specification of customs' systems for such a link is public
(docs/integrations.md). What they do to trips is in `customs_effects`.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from pydantic import Field

from app.gates.vocabulary import Channel, System
from app.integrations import customs_effects, customs_store, store
from app.integrations.messages import Body, Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.integrations.vocabulary import CustomsState
from app.platform.actions import ActionContext
from app.platform.fields import Moment, PlainText
from app.platform.labels import N_
from app.sheets.service import Sheets
from app.trips.customs_numbers import NUMBER
from geo.errors import InvalidInputError

NAME: Final = customs_effects.NAME


class CustomsQuery(Body):
    """How does a declaration stand? It is carried by a truck, as far as is known with so many kg gross."""

    KIND: ClassVar[str] = "customs.query"

    number: PlainText
    trip_code: PlainText
    plate: PlainText
    gross_kg: int | None = None


class CustomsPassage(Body):
    """A truck passed a step of its sheet with goods of declarations."""

    KIND: ClassVar[str] = "customs.passage"

    numbers: list[PlainText]
    trip_code: PlainText
    plate: PlainText
    trailer_plate: PlainText | None
    container_numbers: list[PlainText]
    seal_numbers: list[PlainText]
    gate_id: PlainText
    direction: PlainText
    step: PlainText
    at: Moment


class CustomsWeighing(Body):
    """A truck with goods of declarations was weighed, in kg."""

    KIND: ClassVar[str] = "customs.weighing"

    numbers: list[PlainText]
    trip_code: PlainText
    plate: PlainText
    gross_kg: int
    tare_kg: int | None
    at: Moment


class CustomsLine(Body):
    """A goods line of a declaration, weights in kg."""

    number: int = Field(ge=1, le=10_000)
    hs_code: PlainText = Field("", max_length=20)
    description: PlainText = Field("", max_length=500)
    quantity: float | None = Field(None, ge=0, le=1e12)
    unit: PlainText = Field("", max_length=20)
    gross_kg: float | None = Field(None, ge=0, le=1e9)


class CustomsStatus(Body):
    """How a declaration stands; the message's `version` counts what was said of it."""

    KIND: ClassVar[str] = "customs.status"

    number: PlainText = Field(pattern=NUMBER.pattern.join(("^(", ")$")))
    state: CustomsState
    channel: Channel | None = None
    hold_reason: PlainText = Field("", max_length=500)
    released_at: Moment | None = None
    lines: list[CustomsLine] = Field(default_factory=list, max_length=1000)


def customs(sheets: Sheets) -> Neighbour:
    """The neighbour; what it says acts on `sheets`."""

    def take_status(action: ActionContext, message: Message, body: CustomsStatus) -> Taken:
        if message.version is None:
            raise InvalidInputError("The message cannot be read: {reason}", reason="version: missing")
        row = store.find_neighbour(action.session, NAME)
        values = body.model_dump(mode="json") | {
            "version": message.version,
            "released_at": body.released_at,
            "as_of": message.sent_at,
            "is_simulated": row is not None and row.is_simulated,
        }
        if not customs_store.keep_declaration(action.session, values):
            return Taken(is_superseded=True)
        for trip_id in customs_store.trips_with(action.session, body.number):
            customs_effects.apply(action, sheets, trip_id)
        return Taken()

    return Neighbour(
        name=NAME,
        label=N_("Customs (VNACCS/VCIS)"),
        icon="building-bank",
        sends=(CustomsQuery, CustomsPassage, CustomsWeighing),
        takes=(Incoming(CustomsStatus, take_status),),
        system=System.CUSTOMS_SYSTEM,
    )


def as_time(moment: datetime) -> str:
    """A time as it names a subject."""
    return moment.isoformat(timespec="seconds")
