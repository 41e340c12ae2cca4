"""What is sent and answered of the registers, claims and own accounts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.platform.personal_fields import mask
from app.registers.claim_store import ListedClaim, ListedHolding
from app.registers.container_number import show_container_number
from app.registers.expiry import Due
from app.registers.service import Register
from app.registers.store import ListedDriver, ListedVehicle
from app.registers.tables import RegisteredContainer, RegisteredDocument, VehicleClaim
from app.registers.vocabulary import (
    ClaimStatus,
    ContainerSize,
    DocumentKind,
    DriverLanguage,
    IdentityPaper,
    Proof,
    Subject,
    VehicleClass,
)

OrganisationId = Annotated[int | None, Field(ge=1, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Short = Annotated[PlainText, Field(max_length=100)]
Note = Annotated[PlainText, Field(max_length=600)]

VEHICLE_EXAMPLE: dict[str, JsonValue] = {
    "plate": "29C-123.45",
    "vehicle_class": "tractor",
    "payload_kg": 26000,
    "axles": 3,
    "chassis_number": "LZZ5ELND8NW123456",
    "inspection_expires": "2026-12-31",
}
DRIVER_EXAMPLE: dict[str, JsonValue] = {
    "full_name": "Nguyễn Văn An",
    "phone": "0912345678",
    "language": "vi",
    "paper": "passport",
    "paper_number": "C1234567",
    "paper_expires": "2030-12-31",
    "licence_number": "790123456789",
    "licence_class": "CE",
    "licence_expires": "2029-12-31",
}
CONTAINER_EXAMPLE: dict[str, JsonValue] = {"number": "CSQU3054383", "size": "40", "refrigerated": True}


class _EntryIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Note = ""
    organisation_id: OrganisationId = Field(None, description="Whose file; the own unless a power of attorney is used.")


class VehicleIn(_EntryIn):
    """A truck or trailer to put on file. It is not proven by that."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [VEHICLE_EXAMPLE]})

    plate: Annotated[PlainText, Field(max_length=40)]
    vehicle_class: VehicleClass
    payload_kg: int | None = Field(None, ge=0, le=2**31 - 1)
    axles: int | None = Field(None, ge=0, le=100)
    chassis_number: Annotated[PlainText, Field(max_length=40)] = Field(
        "", description="Needed to book a place: the vehicle's identity whatever plate it carries."
    )
    inspection_expires: date | None = None


class DriverIn(_EntryIn):
    """A driver to put on file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [DRIVER_EXAMPLE]})

    full_name: Short
    phone: Annotated[PlainText, Field(max_length=40)] = ""
    language: DriverLanguage = DriverLanguage.VI
    account_id: OrganisationId = None
    paper: IdentityPaper | None = None
    paper_number: Annotated[PlainText, Field(max_length=40)] = ""
    paper_expires: date | None = None
    licence_number: Annotated[PlainText, Field(max_length=40)] = ""
    licence_class: Annotated[PlainText, Field(max_length=20)] = ""
    licence_expires: date | None = None


class ContainerIn(_EntryIn):
    """A container to put on file; the number's check digit is checked (ISO 6346)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CONTAINER_EXAMPLE]})

    number: Annotated[PlainText, Field(max_length=40)]
    size: ContainerSize
    refrigerated: bool = False


class DocumentIn(BaseModel):
    """A document of an entry, or of the enterprise itself (`subject` organisation, no `entry_id`)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "subject": "vehicle",
                    "entry_id": 3,
                    "kind": "insurance",
                    "number": "BH 0123456",
                    "expires_on": "2026-10-01",
                }
            ]
        },
    )

    subject: Subject
    entry_id: OrganisationId = None
    kind: DocumentKind
    number: Short
    expires_on: date | None = None
    note: Note = ""
    organisation_id: OrganisationId = None


class _EntryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    entry_id: int
    organisation_id: int
    note: str
    version: int


class VehicleOut(_EntryOut):
    """A vehicle on file."""

    vehicle_id: int
    plate: str = ""
    vehicle_class: VehicleClass
    payload_kg: int | None
    axles: int | None
    inspection_expires: date | None
    chassis_number: str

    @classmethod
    def of(cls, listed: ListedVehicle) -> Self:
        """With its plate."""
        return cls.model_validate(listed.entry).model_copy(update={"plate": listed.plate})


class DriverOut(_EntryOut):
    """A driver on file."""

    account_id: int | None
    username: str | None = None
    usual_plate: str | None = None
    full_name: str
    phone: str
    language: DriverLanguage
    paper: IdentityPaper | None
    paper_number: str
    paper_expires: date | None
    licence_number: str
    licence_class: str
    licence_expires: date | None

    @classmethod
    def of(cls, listed: ListedDriver, *, is_own: bool = True) -> Self:
        """With the user name and the plate usually driven; for others than the enterprise the end of numbers."""
        named: JsonObject = {"username": listed.username, "usual_plate": listed.usual_plate}
        driver = cls.model_validate(listed.entry)
        if not is_own:
            numbers = {"phone": driver.phone, "paper_number": driver.paper_number}
            numbers["licence_number"] = driver.licence_number
            named |= {name: mask(number) if number else "" for name, number in numbers.items()} | {"note": ""}
        return driver.model_copy(update=named)


class ContainerOut(_EntryOut):
    """A container on file."""

    number: str
    shown: str = ""
    size: ContainerSize
    refrigerated: bool

    @classmethod
    def of(cls, container: RegisteredContainer) -> Self:
        """With the number as it stands on the container."""
        return cls.model_validate(container).model_copy(update={"shown": show_container_number(container.number)})


class DocumentOut(BaseModel):
    """A document on file."""

    model_config = ConfigDict(from_attributes=True)

    document_id: int
    organisation_id: int
    subject: Subject
    entry_id: int | None
    kind: DocumentKind
    number: str
    expires_on: date | None
    note: str

    @classmethod
    def of(cls, document: RegisteredDocument, *, is_own: bool) -> Self:
        """A document; for others than its enterprise the end of its number."""
        told = cls.model_validate(document)
        return told if is_own else told.model_copy(update={"number": mask(told.number), "note": ""})


class RegisterOut(BaseModel):
    """All that is on file."""

    vehicles: list[VehicleOut]
    drivers: list[DriverOut]
    containers: list[ContainerOut]
    documents: list[DocumentOut]

    @classmethod
    def of(cls, register: Register) -> Self:
        """Out of what the service read."""
        return cls(
            vehicles=[VehicleOut.of(vehicle) for vehicle in register.vehicles],
            drivers=[DriverOut.of(driver, is_own=register.is_own) for driver in register.drivers],
            containers=[ContainerOut.of(container) for container in register.containers],
            documents=[DocumentOut.of(document, is_own=register.is_own) for document in register.documents],
        )


class DueOut(BaseModel):
    """A date that comes near or is over; `days_left` below 0 is over."""

    organisation_id: int
    subject: str
    what: str
    name: str
    expires_on: date
    days_left: int

    @classmethod
    def of(cls, due: Due) -> Self:
        """Out of what the service found."""
        found = due.expiring
        return cls(
            organisation_id=found.organisation_id,
            subject=found.subject,
            what=found.what,
            name=found.name,
            expires_on=found.expires_on,
            days_left=due.days_left,
        )


class ClaimIn(BaseModel):
    """A claim to a vehicle."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"plate": "29C-123.45", "paper_number": "29 012345"}]}
    )

    plate: Annotated[PlainText, Field(max_length=40)]
    paper_number: Annotated[PlainText, Field(max_length=100, description="Of the registration certificate.")] = ""
    note: Note = ""
    organisation_id: OrganisationId = None


class ClaimAnswer(BaseModel):
    """A yes or no to a claim; `ends_others` is a desk's: what other enterprises hold of the vehicle ends."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"accept": True}]})

    accept: bool
    reason: Note = ""
    ends_others: bool = False


class ClaimOut(BaseModel):
    """A claim and how it stands; who holds the vehicle now is told to a desk only."""

    model_config = ConfigDict(from_attributes=True)

    claim_id: int
    vehicle_id: int
    plate: str = ""
    organisation_id: int
    organisation: str = ""
    paper_number: str
    note: str
    status: ClaimStatus
    proof: Proof | None
    reason: str
    claimed_at: datetime
    decided_at: datetime | None
    holders: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, listed: ListedClaim, *, with_holders: bool) -> Self:
        """With the names of its sides."""
        holders = list(listed.holders) if with_holders else []
        named = {"plate": listed.plate, "organisation": listed.organisation, "holders": holders}
        return cls.model_validate(listed.claim).model_copy(update=named)

    @classmethod
    def plain(cls, claim: VehicleClaim) -> Self:
        """The claim alone."""
        return cls.model_validate(claim)


class HoldingOut(BaseModel):
    """A vehicle that the caller's organisation has proven."""

    vehicle_id: int
    plate: str
    organisation_id: int
    proof: Proof
    begun_at: datetime
    last_seen_at: datetime | None

    @classmethod
    def of(cls, listed: ListedHolding) -> Self:
        """Out of what the store listed."""
        holding = listed.holding
        return cls(
            vehicle_id=holding.vehicle_id,
            plate=listed.plate,
            organisation_id=holding.organisation_id,
            proof=Proof.get(holding.proof),
            begun_at=holding.begun_at,
            last_seen_at=listed.last_seen_at,
        )


class HandOnIn(BaseModel):
    """To whom a vehicle is handed on: the enterprise's number, or its whole name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to_id": 7}]})

    to_id: OrganisationId = None
    name: Annotated[PlainText, Field(max_length=200)] = ""


class OwnAccountIn(BaseModel):
    """An account of the caller's enterprise to make."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=64, examples=["nguyen.van.an"])
    password: str = Field(max_length=200)
    full_name: Annotated[PlainText, Field(max_length=200)]
    role: Literal["enterprise", "driver"]


class OwnAccountOut(BaseModel):
    """An account of the caller's enterprise."""

    model_config = ConfigDict(from_attributes=True)

    account_id: int
    username: str
    full_name: str
    role: str
    vehicle_id: int | None
    disabled_at: datetime | None


class OwnAccountChange(BaseModel):
    """Whether the account is out of use."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool
