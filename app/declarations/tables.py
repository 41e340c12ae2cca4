"""Tables of declarations with their revisions, imports of many, and vehicles that came undeclared."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, event, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.declarations.documents import Question, Remarks, ReturnReasons, StoredProblem
from app.declarations.personal import digests_in, digests_of
from app.declarations.vocabulary import ImportStatus, RowState, SightingOutcome
from app.platform.digest_columns import made_of
from app.platform.encryption import EncryptedBytes
from app.platform.json import JsonObject
from app.platform.sealed_json import SealedJson
from app.trips.vocabulary import DeclarationStatus
from geo.database import Base, one_of

IS_WAITING = "submitted_at IS NULL AND left_at IS NULL"
IS_RUNNING = "status IN ('checking', 'making')"
IS_RINGING = "outcome IS NULL"


class DeclarationRow(Base):
    """One revision of what is declared of a trip. At most one is a draft, at most one submitted.

    `version` counts over all revisions of the trip, so that it tells any two states of the declaration apart.
    """

    __tablename__ = "declaration"
    __table_args__ = (
        CheckConstraint(one_of("status", DeclarationStatus), name="status"),
        Index("uq_declaration_draft", "trip_id", unique=True, postgresql_where=text("status = 'draft'")),
        Index("uq_declaration_submitted", "trip_id", unique=True, postgresql_where=text("status = 'submitted'")),
        Index("ix_declaration_driver_digests", "driver_digests", postgresql_using="gin"),
        Index(
            "ix_declaration_container",
            text("regexp_replace(upper(data ->> 'container_number'), '[^A-Z0-9]', '', 'g')"),
            postgresql_where=text("status = 'submitted' AND data ->> 'container_number' <> ''"),
        ),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    data: Mapped[JsonObject] = mapped_column(SealedJson)
    """A `Form` as JSON; what it says of the driver and of health is encrypted."""
    driver_digests: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), info=made_of(("data",), digests_in("data"))
    )
    """Digests of the driver's name, its words and numbers (`personal.digests_of`), which find what is encrypted."""
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    returned_at: Mapped[datetime | None]
    returned_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    return_reasons: Mapped[ReturnReasons | None] = mapped_column(SealedJson(also=("text",)))
    version: Mapped[int] = mapped_column(server_default=text("1"))


class DeclarationImport(Base):
    """A file of declarations, and how far the platform is with it.

    `content` is the file while it has `questions`. `worked_by` is who asked for what is being done; `submit` whether
    what is declared is submitted. An enterprise has one import at a time that the platform works on.
    """

    __tablename__ = "declaration_import"
    __table_args__ = (
        CheckConstraint(one_of("status", ImportStatus), name="status"),
        Index("ix_declaration_import_organisation_id", "organisation_id", "import_id"),
        Index("uq_declaration_import_running", "organisation_id", unique=True, postgresql_where=text(IS_RUNNING)),
        {"schema": "app"},
    )

    import_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    file_name: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    done_at: Mapped[datetime | None]
    content: Mapped[bytes | None] = deferred(mapped_column(EncryptedBytes))
    questions: Mapped[list[Question]] = mapped_column(JSONB, server_default=text("'[]'"))
    remarks: Mapped[Remarks | None] = mapped_column(JSONB(none_as_null=True))
    worked_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    worked_at: Mapped[datetime | None]
    submit: Mapped[bool] = mapped_column(server_default=text("true"))


class DeclarationImportRow(Base):
    """One declaration of a file: the rows it stands in, what they say, what was found and the trip that came of it.

    `written` is what the file or a person wrote, as `form.read` takes it; `reading` what reading it restored or lost.
    """

    __tablename__ = "declaration_import_row"
    __table_args__ = (
        CheckConstraint(one_of("state", RowState), name="state"),
        Index("ix_declaration_import_row_plate", "import_id", "plate"),
        Index("ix_declaration_import_row_state", "import_id", "state", "number"),
        Index("ix_declaration_import_row_trip_id", "trip_id"),
        Index("ix_declaration_import_row_driver_digests", "driver_digests", postgresql_using="gin"),
        {"schema": "app"},
    )

    import_id: Mapped[int] = mapped_column(ForeignKey("app.declaration_import.import_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    rows: Mapped[list[int]] = mapped_column(JSONB)
    reference: Mapped[str] = mapped_column(server_default="")
    plate: Mapped[str] = mapped_column(server_default="")
    goods: Mapped[str] = mapped_column(server_default="")
    written: Mapped[JsonObject] = mapped_column(SealedJson)
    driver_digests: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), info=made_of(("written",), digests_in("written"))
    )
    reading: Mapped[list[StoredProblem]] = mapped_column(SealedJson, server_default=text("'[]'"))
    problems: Mapped[list[StoredProblem]] = mapped_column(SealedJson, server_default=text("'[]'"))
    notes: Mapped[list[StoredProblem]] = mapped_column(SealedJson, server_default=text("'[]'"))
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))


@event.listens_for(DeclarationImportRow, "before_update")
def _keep_digests(_mapper: object, _connection: object, row: DeclarationImportRow) -> None:
    """Keep the digests of what is encrypted, whoever changes it."""
    row.driver_digests = digests_of(row.written)


class UndeclaredArrival(Base):
    """A vehicle that came undeclared and stands in the temporary yard `site_id` until it is declared or sent away.

    `arrived_at` when it came, `opened_at` when the desk began to declare with it, `submitted_at` when that was done.
    """

    __tablename__ = "undeclared_arrival"
    __table_args__ = (
        Index("uq_undeclared_arrival_waiting", "plate_norm", unique=True, postgresql_where=text(IS_WAITING)),
        Index("ix_undeclared_arrival_gate_id", "gate_id", "arrived_at"),
        Index("ix_undeclared_arrival_trip_id", "trip_id"),
        {"schema": "app"},
    )

    arrival_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    site_id: Mapped[str]
    plate_norm: Mapped[str]
    arrived_at: Mapped[datetime]
    registered_at: Mapped[datetime]
    registered_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    opened_at: Mapped[datetime | None]
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    submitted_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")


class UndeclaredSighting(Base):
    """A plate that a camera read at a gate and that nobody declared; it rings at the support desk until `outcome`.

    `read_id` is the plate read whose picture, if it has one, shows the truck, `camera` the camera's name. `seen_at` is
    when the truck came, `last_seen_at` when a camera of the gate read it last. `arrival_id` if the desk registered it.
    """

    __tablename__ = "undeclared_sighting"
    __table_args__ = (
        CheckConstraint(one_of("outcome", SightingOutcome), name="outcome"),
        Index(
            "uq_undeclared_sighting_open",
            "gate_id",
            "plate_norm",
            unique=True,
            postgresql_where=text(IS_RINGING),
        ),
        Index("ix_undeclared_sighting_closed", "gate_id", "plate_norm", "closed_at"),
        Index("ix_undeclared_sighting_arrival_id", "arrival_id"),
        Index("ix_undeclared_sighting_read_id", "read_id"),
        {"schema": "app"},
    )

    sighting_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    gate_id: Mapped[str]
    plate_norm: Mapped[str]
    read_id: Mapped[int] = mapped_column(BigInteger)
    has_picture: Mapped[bool]
    camera: Mapped[str]
    seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    outcome: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    arrival_id: Mapped[int | None] = mapped_column(ForeignKey("app.undeclared_arrival.arrival_id"))
