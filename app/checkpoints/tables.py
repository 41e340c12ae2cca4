"""Tables of what officers saw, what was found not to belong together, and what was confirmed against a warning."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.checkpoints.vocabulary import Part, SeenBy, Verdict, WarningKind
from app.platform.digest_columns import made_of
from app.platform.encryption import EncryptedJson
from app.platform.json import JsonObject
from app.platform.personal_fields import DIGEST_CHARACTERS, digest
from app.platform.sealed_json import SealedJson
from geo.database import Base, one_of

_NAMED_BY: Final = {
    f"{WarningKind.COMBINATION}:{Part.DRIVER}:": "seen",
    f"{WarningKind.SYMPTOMS}:measured ": "temperature_c",
}
"""What an override's identity begins with where a digest follows, and what in its details that is of."""
_DIGEST_AT_END: Final = re.compile(rf"({'|'.join(map(re.escape, _NAMED_BY))})[0-9a-f]{{{DIGEST_CHARACTERS}}}")
IS_STANDING = "verdict IS DISTINCT FROM 'explained'"


def _digests(row: JsonObject, name: str) -> list[str]:
    """Of a row whose `personal` is of a driver, the digests of what stands there under a name; else none."""
    personal = row["personal"]
    return [digest(value) for value in personal[name]] if isinstance(personal, dict) else []


def _identity(row: JsonObject) -> str | None:
    """What an override is known by; of a driver and of a temperature the digest at its end is made of the details."""
    identity, details = str(row["identity"]), row["details"]
    found = _DIGEST_AT_END.fullmatch(identity)
    value = details.get(_NAMED_BY[found[1]]) if found is not None and isinstance(details, dict) else None
    return None if found is None or value is None else f"{found[1]}{digest(value)}"


class ObservationRow(Base):
    """What an officer entered of a part of a truck; `vals` in normal form, empty if there was nothing.

    Of a driver the number stands in `personal` (`vals`), and its digest in the column.
    """

    __tablename__ = "observation"
    __table_args__ = (
        CheckConstraint(one_of("part", Part), name="part"),
        Index("ix_observation_trip_id", "trip_id", "at"),
        {"schema": "app"},
    )

    observation_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    step: Mapped[str]
    part: Mapped[str]
    vals: Mapped[list[str]] = mapped_column(
        ARRAY(TEXT), info=made_of(("personal",), lambda row: _digests(row, "vals") or None)
    )
    personal: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    at: Mapped[datetime]
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))


class FindingRow(Base):
    """Something seen of a trip that does not belong to it; it stands until somebody decides with a reason.

    Of a driver the numbers stand in `personal` (`seen`, `declared`), and their digests in the columns of these names.
    """

    __tablename__ = "finding"
    __table_args__ = (
        CheckConstraint(one_of("part", Part), name="part"),
        CheckConstraint(one_of("seen_by", SeenBy), name="seen_by"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        UniqueConstraint("trip_id", "part", "seen"),
        Index("ix_finding_standing", "trip_id", postgresql_where=text(IS_STANDING)),
        {"schema": "app"},
    )

    finding_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    other_trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    part: Mapped[str]
    seen: Mapped[str] = mapped_column(info=made_of(("personal",), lambda row: next(iter(_digests(row, "seen")), None)))
    declared: Mapped[list[str]] = mapped_column(
        ARRAY(TEXT), info=made_of(("personal",), lambda row: _digests(row, "declared") or None)
    )
    personal: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    seen_by: Mapped[str]
    step: Mapped[str | None]
    seen_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    verdict: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))


class OverrideRow(Base):
    """Something done against a warning, or before others: who, what, why. `passed` are the trips that waited longer."""

    __tablename__ = "override"
    __table_args__ = (
        CheckConstraint(one_of("kind", WarningKind), name="kind"),
        Index("ix_override_at", "at"),
        Index("ix_override_trip_id", "trip_id"),
        {"schema": "app"},
    )

    override_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    gate_id: Mapped[str]
    step: Mapped[str]
    kind: Mapped[str]
    identity: Mapped[str] = mapped_column(info=made_of(("identity", "details"), _identity))
    message: Mapped[str]
    details: Mapped[JsonObject] = mapped_column(SealedJson(also=("seen", "declared")), server_default=text("'{}'"))
    reason: Mapped[str]
    at: Mapped[datetime]
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))


class PriorityRow(Base):
    """The priority that a person gave a trip by hand, with the reason."""

    __tablename__ = "priority_by_hand"
    __table_args__ = ({"schema": "app"},)

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    reason: Mapped[str]
    given_at: Mapped[datetime]
    given_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
