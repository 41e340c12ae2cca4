"""What is said to and by customs' system. Assumed forms: no specification for such a link is public."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field

from app.gates.vocabulary import Channel
from app.integrations.messages import Body
from app.integrations.vocabulary import CustomsState
from app.platform.fields import Moment, PlainText
from app.trips.customs_numbers import NUMBER

NAME: Final = "customs"


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
