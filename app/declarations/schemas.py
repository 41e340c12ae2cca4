"""Declarations as programs write and read them."""

from __future__ import annotations

from datetime import date, datetime
from operator import getitem
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from app.declarations.fields import HEAD_FIELDS, DeclaredField
from app.declarations.reading import ShownDeclaration
from app.platform.fields import Moment, PlainText
from app.platform.json import JsonObject
from app.trips.vocabulary import DeclarationStatus

Text80 = Annotated[PlainText, Field(max_length=80)]
OrganisationId = Annotated[int | None, Field(ge=1, le=2**31 - 1)]
EntryId = Annotated[int | None, Field(ge=1, le=2**31 - 1)]
Amount = Annotated[float | None, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Count = Annotated[int | None, Field(ge=0, le=2**31 - 1)]

EXAMPLE_LINE: dict[str, JsonValue] = {
    "hs_code": "0810.90",
    "description": "Thanh long tươi",
    "goods_class": "fresh_fruit",
    "quantity": 18000,
    "unit": "kg",
    "gross_weight_kg": 19500,
    "net_weight_kg": 18000,
    "packages": 900,
    "packaging": "carton",
    "temperature_c": 5,
}
EXAMPLE: dict[str, JsonValue] = {
    "gate_id": "huu-nghi",
    "regime": "export",
    "planned_arrival": "2026-03-02T15:00:00+07:00",
    "customs_number": "305123456780",
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "container": "40",
    "refrigerated": True,
    "payload_kg": 26000,
    "inspection_expires": "2026-12-31",
    "driver_name": "Nguyễn Văn An",
    "driver_phone": "0912345678",
    "driver_paper": "passport",
    "driver_paper_number": "C1234567",
    "driver_paper_expires": "2030-12-31",
    "driver_licence_number": "790123456789",
    "driver_licence_expires": "2029-12-31",
    "health_symptoms": "none",
    "lines": [EXAMPLE_LINE],
}


class LineIn(BaseModel):
    """One kind of goods. `goods_class` follows the HS code, `perishable` the class, unless given."""

    model_config = ConfigDict(extra="forbid")

    hs_code: PlainText = Field("", max_length=20, description="4, 6, 8 or 10 digits, with or without dots.")
    description: PlainText = Field("", max_length=300)
    goods_class: Text80 = ""
    quantity: Amount = None
    unit: Text80 = ""
    gross_weight_kg: Amount = None
    net_weight_kg: Amount = None
    packages: Count = None
    packaging: Text80 = ""
    perishable: bool | None = None
    temperature_c: Amount = None
    un_number: PlainText = Field("", max_length=10, description="Of dangerous goods: four digits, such as 1203.")
    hazard_class: PlainText = Field(
        "", max_length=20, description="Of dangerous goods: UN class 1 to 9, or division such as 2.1."
    )


def _field_in(declared: DeclaredField) -> tuple[Any, Any]:
    """Type and default with which the API takes a field of a declaration."""
    match declared.kind:
        case "choice":
            return getitem(cast(Any, Literal), ("", *map(str, declared.choices))), ""
        case "text" | "plate":
            return PlainText, Field("", max_length=declared.length if declared.kind == "text" else 40)
        case "whole" if declared is HEAD_FIELDS["driver_id"]:
            return Annotated[int | None, Field(ge=1, le=2**31 - 1)], None
        case kind:
            return {"whole": Count, "decimal": Amount, "date": date | None, "time": Moment | None, "flag": bool | None}[
                kind
            ], None


_HEAD_IN: Any = {name: _field_in(declared) for name, declared in HEAD_FIELDS.items()}
DeclarationHead: Any = create_model(
    "DeclarationHead", __config__=ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]}), **_HEAD_IN
)
"""The fields of a declaration but for its lines, as `HEAD_FIELDS` has them."""


class DeclarationIn(DeclarationHead):
    """A whole declaration. A draft needs gate, regime, arrival, plate and what is carried; to submit, the rest too."""

    lines: list[LineIn] = Field(default_factory=list, max_length=50)
    vehicle_entry: EntryId = Field(None, description="Of the register; fills what is left blank of the truck.")
    trailer_entry: EntryId = Field(None, description="Of the register; fills the trailer's plate.")
    driver_entry: EntryId = Field(None, description="Of the register; fills what is left blank of the driver.")
    container_entry: EntryId = Field(None, description="Of the register; fills number and size.")


class NewDeclaration(DeclarationIn):
    """A declaration to make; `submit` hands it in at once. A support desk names the organisation."""

    submit: bool = False
    organisation_id: OrganisationId = None


class ChangedDeclaration(DeclarationIn):
    """The declaration as it should be, as a whole; `submit` hands it in at once."""

    submit: bool = False


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DifferenceOut(_FromRow):
    """A field that changed; `lines.2.quantity` is the quantity of the second line."""

    field: str
    label: str
    old: object
    new: object


class NoteOut(BaseModel):
    """What deserves a second look but does not stand in the way."""

    field: str
    detail: str


class RevisionOut(_FromRow):
    """One revision; `return_reasons` has `step reasons text`."""

    revision: int
    status: DeclarationStatus
    created_at: datetime
    submitted_at: datetime | None
    submitted_by: str | None
    returned_at: datetime | None
    returned_by: str | None
    return_reasons: JsonObject | None
    data: JsonObject


class DeclarationOut(_FromRow):
    """A declaration: its latest revision, and how it differs from the one before (`compared_with`)."""

    trip_id: int
    code: str
    plate: str
    organisation_id: int
    organisation: str
    stage: str
    simulated: bool
    revision: int
    status: DeclarationStatus
    version: int
    may_edit: bool
    data: JsonObject
    compared_with: int | None
    differences: list[DifferenceOut]
    notes: list[NoteOut]
    revisions: list[RevisionOut]

    @classmethod
    def of(cls, found: ShownDeclaration, notes: list[NoteOut]) -> DeclarationOut:
        """A declaration, with its notes in the reader's language."""
        return cls.model_validate({**vars(found), "notes": notes})


class DeclarationItem(_FromRow):
    """A declaration in a list; `return_reasons` has `step reasons text`."""

    trip_id: int
    revision: int
    status: DeclarationStatus
    version: int
    code: str
    plate: str
    organisation: str
    goods: str
    gate_id: str
    stage: str
    planned_arrival: datetime
    simulated: bool
    submitted_at: datetime | None
    returned_at: datetime | None
    return_reasons: JsonObject | None


class DeclarationPage(BaseModel):
    """A page of declarations, newest trip first; the header `Link` points to the next."""

    items: list[DeclarationItem]


class HsCodeOut(_FromRow):
    """A chapter, heading or subheading; `goods_class` is what the form suggests."""

    code: str
    shown: str
    vi: str
    en: str
    zh: str
    goods_class: str


class HsPage(BaseModel):
    """Codes found; the list holds chapters and the headings that matter here, any well-formed code is accepted."""

    items: list[HsCodeOut]
