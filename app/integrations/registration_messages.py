"""What is said to and by the register of vehicles. Assumed forms: no specification of its systems is public."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Final

from pydantic import Field

from app.integrations.messages import Body
from app.platform.fields import PlainText

NAME: Final = "registration"


class RegistrationQuery(Body):
    """What is on record of a plate?"""

    KIND: ClassVar[str] = "registration.query"

    plate: PlainText


class RegistrationRecord(Body):
    """What is on record of a plate; `is_found` false if nothing is. Weights in kg."""

    KIND: ClassVar[str] = "registration.record"

    plate: PlainText = Field(min_length=1, max_length=20)
    is_found: bool = True
    vehicle_class: PlainText = Field("", max_length=100)
    payload_kg: int | None = Field(None, ge=0, le=200_000)
    axles: int | None = Field(None, ge=1, le=20)
    inspection_expires: date | None = None
    owner: PlainText = Field("", max_length=300)
