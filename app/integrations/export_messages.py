"""What is said of exports between the platform, the National Single Window and Nanning customs.

The declaration inside is WCO DEC (`app.integrations.forms`); what stands around it is assumed, for no specification of
the exchange is public (docs/integrations.md).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from app.integrations.forms import codec
from app.integrations.forms.record import DeclarationMessage
from app.integrations.messages import Body
from app.platform.fields import PlainText
from app.platform.json import JsonObject

SINGLE_WINDOW: Final = "single-window"
NANNING: Final = "nanning"
ROUTES: Final[dict[str, codec.Syntax]] = {SINGLE_WINDOW: "xml", NANNING: "json"}
"""The neighbours that exports are exchanged with, and in which syntax each is written to; both are read of both."""
MAX_ENTRIES: Final = 20_000


class ExportData(Body):
    """An export declaration: WCO DEC, as a JSON object or as the text of an XML document."""

    KIND: ClassVar[str] = "export.data"

    declaration: JsonObject | PlainText

    @classmethod
    def of(cls, record: DeclarationMessage, syntax: codec.Syntax) -> ExportData:
        """A declaration in a syntax; raises as `codec.write`."""
        written = codec.write(record, syntax)
        return cls(declaration=json.loads(written) if syntax == "json" else written.decode())

    def record(self) -> DeclarationMessage:
        """The declaration; raises as `codec.read`."""
        return codec.read(
            self.declaration.encode()
            if isinstance(self.declaration, str)
            else json.dumps(self.declaration, ensure_ascii=False).encode()
        )


class ExportReceipt(Body):
    """A version of an export declaration arrived, and had its effect or was overtaken."""

    KIND: ClassVar[str] = "export.receipt"

    reference: PlainText = Field(max_length=35)
    version: int = Field(ge=0, le=999_999_999)


class DayQuery(Body):
    """Which exports did you send us, and have of us, that were issued on this day (of the border's calendar)?"""

    KIND: ClassVar[str] = "export.day-query"

    day: date


class DayEntry(BaseModel):
    """An export declaration and its newest version of the day."""

    model_config = ConfigDict(frozen=True)

    reference: PlainText = Field(max_length=35)
    version: int = Field(ge=0, le=999_999_999)


class DayList(Body):
    """The exports of a day: what the sender of this message sent, and what it has of the other side."""

    KIND: ClassVar[str] = "export.day"

    day: date
    sent: list[DayEntry] = Field(max_length=MAX_ENTRIES)
    received: list[DayEntry] = Field(max_length=MAX_ENTRIES)


def digest(record: DeclarationMessage) -> str:
    """What tells two versions of a declaration apart that say different things."""
    said = codec.write(replace(record, version=None, issued_at=None), "json")
    return hashlib.sha256(said).hexdigest()
