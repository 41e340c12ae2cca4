"""Tables of the registers: entries that an enterprise keeps, and who has proven which vehicle.

An entry gives no sight of anything: it is what an enterprise wrote down. What opens a vehicle is a row of
`vehicle_holding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Text, event, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.digest_columns import made_of
from app.platform.encryption import EncryptedText
from app.platform.personal_fields import digest
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
from geo.database import Base, one_of

_STANDS = "removed_at IS NULL"


class _Entry:
    """Columns that all entries share. What is removed stays, for those trips that took it over."""

    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    removed_at: Mapped[datetime | None]


class RegisteredVehicle(_Entry, Base):
    """A truck or trailer as its enterprise keeps it on file."""

    __tablename__ = "registered_vehicle"
    __table_args__ = (
        CheckConstraint(one_of("vehicle_class", VehicleClass), name="vehicle_class"),
        Index("uq_registered_vehicle", "organisation_id", "vehicle_id", unique=True, postgresql_where=text(_STANDS)),
        Index("ix_registered_vehicle_vehicle_id", "vehicle_id", postgresql_where=text(_STANDS)),
        Index("ix_registered_vehicle_expiry", "inspection_expires", postgresql_where=text(_STANDS)),
        {"schema": "app"},
    )

    entry_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    vehicle_class: Mapped[str]
    payload_kg: Mapped[int | None]
    axles: Mapped[int | None]
    inspection_expires: Mapped[date | None]
    chassis_number: Mapped[str] = mapped_column(server_default="")
    """In normal form; what tells the vehicle from others whatever plate it carries. Empty: not known."""


NUMBERS: Final = ("phone", "paper_number", "licence_number")
"""What identifies a driver beside the name."""


def digests_of(values: Mapping[str, object]) -> list[str]:
    """The digests of a driver's numbers, by the columns that hold these."""
    return sorted({digest(values[name]) for name in NUMBERS if values.get(name)})


def digest_of_paper(values: Mapping[str, object]) -> str:
    """The digest of the number of a registration certificate, empty where none is given."""
    return digest(values["paper_number"]) if values["paper_number"] else ""


class RegisteredDriver(_Entry, Base):
    """A driver as the enterprise keeps them on file; `account_id` if they sign in here.

    Telephone, numbers of papers and the remark are encrypted; `number_digests` finds one that is typed whole.
    """

    __tablename__ = "registered_driver"
    __table_args__ = (
        CheckConstraint(one_of("paper", IdentityPaper), name="paper"),
        CheckConstraint(one_of("language", DriverLanguage), name="language"),
        Index(
            "uq_registered_driver_account",
            "organisation_id",
            "account_id",
            unique=True,
            postgresql_where=text(f"account_id IS NOT NULL AND {_STANDS}"),
        ),
        Index("ix_registered_driver_organisation_id", "organisation_id", postgresql_where=text(_STANDS)),
        Index("ix_registered_driver_number_digests", "number_digests", postgresql_using="gin"),
        {"schema": "app"},
    )

    entry_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    usual_vehicle_id: Mapped[int | None] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    full_name: Mapped[str]
    note: Mapped[str] = mapped_column(EncryptedText, server_default="")
    phone: Mapped[str] = mapped_column(EncryptedText, default="")
    language: Mapped[str] = mapped_column(server_default=DriverLanguage.VI)
    paper: Mapped[str | None]
    paper_number: Mapped[str] = mapped_column(EncryptedText, default="")
    paper_expires: Mapped[date | None]
    licence_number: Mapped[str] = mapped_column(EncryptedText, default="")
    number_digests: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), info=made_of(NUMBERS, digests_of)
    )
    licence_class: Mapped[str] = mapped_column(server_default="")
    licence_expires: Mapped[date | None]


@event.listens_for(RegisteredDriver, "before_insert")
@event.listens_for(RegisteredDriver, "before_update")
def _keep_digests(_mapper: object, _connection: object, driver: RegisteredDriver) -> None:
    """Keep the digests of what is encrypted, whoever changes it."""
    driver.number_digests = digests_of({name: getattr(driver, name) for name in NUMBERS})


class RegisteredContainer(_Entry, Base):
    """A container that an enterprise uses again; `number` in the normal form of ISO 6346."""

    __tablename__ = "registered_container"
    __table_args__ = (
        CheckConstraint(one_of("size", ContainerSize), name="size"),
        Index("uq_registered_container", "organisation_id", "number", unique=True, postgresql_where=text(_STANDS)),
        {"schema": "app"},
    )

    entry_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    number: Mapped[str]
    size: Mapped[str]
    refrigerated: Mapped[bool]


class RegisteredDocument(_Entry, Base):
    """A document of an entry (`entry_id` of its register), or of the enterprise itself."""

    __tablename__ = "registered_document"
    __table_args__ = (
        CheckConstraint(one_of("subject", Subject), name="subject"),
        CheckConstraint(one_of("kind", DocumentKind), name="kind"),
        Index("ix_registered_document_subject", "organisation_id", "subject", "entry_id"),
        Index("ix_registered_document_expiry", "expires_on", postgresql_where=text(_STANDS)),
        {"schema": "app"},
    )

    document_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    subject: Mapped[str]
    entry_id: Mapped[int | None]
    kind: Mapped[str]
    number: Mapped[str] = mapped_column(EncryptedText)
    note: Mapped[str] = mapped_column(EncryptedText, server_default="")
    expires_on: Mapped[date | None]


class ExpiryWarning(Base):
    """An enterprise was warned that something expires; each date is warned of once at each distance."""

    __tablename__ = "expiry_warning"
    __table_args__ = ({"schema": "app"},)

    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    expires_on: Mapped[date] = mapped_column(primary_key=True)
    days_before: Mapped[int] = mapped_column(primary_key=True)
    warned_at: Mapped[datetime]


class VehicleClaim(Base):
    """An enterprise says that a vehicle is one of its own."""

    __tablename__ = "vehicle_claim"
    __table_args__ = (
        CheckConstraint(one_of("status", ClaimStatus), name="status"),
        CheckConstraint(one_of("proof", Proof), name="proof"),
        Index(
            "uq_vehicle_claim_open",
            "vehicle_id",
            "organisation_id",
            unique=True,
            postgresql_where=text(f"status = '{ClaimStatus.OPEN}'"),
        ),
        Index("ix_vehicle_claim_status", "status", "claim_id"),
        {"schema": "app"},
    )

    claim_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    paper_number: Mapped[str] = mapped_column(EncryptedText, server_default="")
    """Number of the registration certificate, which a desk compares with the paper."""
    paper_digest: Mapped[str] = mapped_column(server_default="", info=made_of(("paper_number",), digest_of_paper))
    """Finds it where it is typed whole."""
    note: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=ClaimStatus.OPEN)
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    claimed_at: Mapped[datetime]
    proof: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]


class VehicleHolding(Base):
    """From when to when an enterprise had proven a vehicle to be one of its own; several may at a time (lease)."""

    __tablename__ = "vehicle_holding"
    __table_args__ = (
        CheckConstraint(one_of("proof", Proof), name="proof"),
        Index(
            "uq_vehicle_holding_open",
            "vehicle_id",
            "organisation_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_vehicle_holding_organisation_id", "organisation_id", postgresql_where=text("ended_at IS NULL")),
        {"schema": "app"},
    )

    holding_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    proof: Mapped[str]
    claim_id: Mapped[int | None] = mapped_column(ForeignKey("app.vehicle_claim.claim_id"))
    begun_at: Mapped[datetime]
    begun_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))


class PositionForwarding(Base):
    """From when to when an enterprise agreed that the positions of a vehicle that it has proven go to `receiver`."""

    __tablename__ = "position_forwarding"
    __table_args__ = (
        Index(
            "uq_position_forwarding_open",
            "vehicle_id",
            "organisation_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        {"schema": "app"},
    )

    forwarding_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    receiver: Mapped[str]
    agreed_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    agreed_at: Mapped[datetime]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    ended_at: Mapped[datetime | None]


class VehicleRecordRow(Base):
    """What the authority that registers and inspects vehicles said of a plate, as of when."""

    __tablename__ = "vehicle_record"
    __table_args__ = ({"schema": "app"},)

    plate: Mapped[str] = mapped_column(primary_key=True)
    is_found: Mapped[bool]
    vehicle_class: Mapped[str] = mapped_column(server_default="")
    payload_kg: Mapped[int | None]
    axles: Mapped[int | None]
    inspection_expires: Mapped[date | None]
    owner: Mapped[str] = mapped_column(EncryptedText, server_default="")
    as_of: Mapped[datetime]
    is_simulated: Mapped[bool] = mapped_column(server_default=text("false"))
