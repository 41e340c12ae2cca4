"""The table of declarations that another authority's data fill in beforehand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.declarations.vocabulary import PrefillSource
from app.platform.json import JsonObject
from app.platform.sealed_json import SealedJson
from geo.database import Base, one_of


class PrefilledRow(Base):
    """What an authority says of an import before anybody declared it; declared only by whom it concerns.

    `reference` is the authority's own, the same for every word about these goods, of which `version` is the newest.
    `trip_id` is what was declared with it. `organisation_id` is empty while nobody knows whose `consignee` is.
    """

    __tablename__ = "prefilled_declaration"
    __table_args__ = (
        CheckConstraint(one_of("source", PrefillSource), name="source"),
        UniqueConstraint("source", "reference"),
        UniqueConstraint("trip_id"),
        Index("ix_prefilled_declaration_organisation_id", "organisation_id", "prefilled_id"),
        Index("ix_prefilled_declaration_consignee_number", "consignee_number"),
        Index("ix_prefilled_declaration_changed_at", "changed_at"),
        {"schema": "app"},
    )

    prefilled_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source: Mapped[str]
    reference: Mapped[str]
    version: Mapped[int]
    number: Mapped[str] = mapped_column(server_default="")
    """The number of the declaration at the authority."""
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    consignee: Mapped[str] = mapped_column(server_default="")
    consignee_number: Mapped[str] = mapped_column(server_default="")
    assigned_at: Mapped[datetime | None]
    """When a desk said whose these goods are; `None` where number or name did."""
    consignor: Mapped[str] = mapped_column(server_default="")
    gate_id: Mapped[str] = mapped_column(server_default="")
    plate: Mapped[str] = mapped_column(server_default="")
    data: Mapped[JsonObject] = mapped_column(SealedJson)
    """A `Form` as JSON: what the authority says, and nothing else."""
    is_simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    received_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    taken_at: Mapped[datetime | None]
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
