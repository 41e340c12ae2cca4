"""What the authority that registers and inspects vehicles has on record of a plate, and how old that word is.

Filled by whoever speaks to that authority (`app.integrations`); nobody's entry, and it opens no sight of anything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.registers.tables import VehicleRecordRow


@dataclass(frozen=True)
class OfficialRecord:
    """What is on record of a plate in normal form as of a time; `is_found` false if nothing is. Payload in kg."""

    plate: str
    is_found: bool
    vehicle_class: str
    payload_kg: int | None
    axles: int | None
    inspection_expires: date | None
    owner: str
    as_of: datetime
    is_simulated: bool = False


def keep_record(session: Session, record: OfficialRecord) -> bool:
    """Keep a record unless a newer one is kept; whether it was."""
    values = asdict(record)
    statement = insert(VehicleRecordRow).values(**values)
    newer = statement.on_conflict_do_update(
        index_elements=["plate"],
        set_={name: statement.excluded[name] for name in values},
        where=VehicleRecordRow.as_of < statement.excluded.as_of,
    )
    return session.scalars(newer.returning(VehicleRecordRow.plate)).one_or_none() is not None


def find_record(session: Session, plate: str) -> OfficialRecord | None:
    """The record of a plate in normal form, `None` if none is kept."""
    return find_records(session, [plate]).get(plate)


def find_records(session: Session, plates: Collection[str]) -> dict[str, OfficialRecord]:
    """The records that are kept of some plates, by plate."""
    query = select(VehicleRecordRow).where(VehicleRecordRow.plate.in_(plates))
    rows = session.scalars(query.execution_options(populate_existing=True)).all() if plates else ()
    names = OfficialRecord.__dataclass_fields__
    return {row.plate: OfficialRecord(**{name: getattr(row, name) for name in names}) for row in rows}
