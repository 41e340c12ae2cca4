"""Tariffs in the database: those the platform ships with, drafts of administrators, publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson
import yaml
from sqlalchemy.orm import Session

from app.fees import store
from app.fees.schemas import TariffDetail, TariffOut
from app.fees.tables import TariffRow
from app.fees.tariff_definition import read_tariff
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.versioned import Versioned
from geo.errors import ConflictError, InvalidInputError, NotFoundError

SHIPPED_DIR = Path(__file__).with_name("tariffs_shipped")
TARIFFS = Versioned(TariffRow, lambda number: NotFoundError("There is no tariff {tariff_id}.", tariff_id=number))


def shipped_definitions() -> list[JsonObject]:
    """The tariffs that the platform ships with, in order of their files."""
    return [_plain(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in sorted(SHIPPED_DIR.glob("*.yaml"))]


def seed_tariffs(session: Session, *, now: datetime) -> int:
    """Publish the shipped tariffs whose code is not known yet; how many. Nothing that people changed is touched."""
    known = {row.code for row in store.list_tariffs(session)}
    fresh = [definition for definition in shipped_definitions() if definition["code"] not in known]
    for definition in fresh:
        store.insert_tariff(
            session, {**_columns(definition, now), "status": DocumentStatus.PUBLISHED, "published_at": now}
        )
    return len(fresh)


def list_tariffs(session: Session) -> Sequence[TariffRow]:
    """All tariffs, newest first."""
    return store.list_tariffs(session)


def get_tariff(session: Session, tariff_id: int) -> TariffRow:
    """One tariff; raises NotFoundError."""
    return TARIFFS.get(session, tariff_id)


def create_draft(action: ActionContext, definition: Mapping[str, object]) -> int:
    """Enter a new version as a draft; its id.

    Raises
    ------
    InvalidInputError, ConflictError
        If the definition has a fault, or its code and version are taken.
    """
    values = _columns(definition, action.now)
    draft = {**values, "status": DocumentStatus.DRAFT, "created_by": action.actor.account_id}
    row = store.insert_tariff(action.session, draft)
    if row is None:
        raise ConflictError(
            "Version {version} of the tariff {code} exists; give the next number.",
            field="version",
            version=values["version"],
            code=values["code"],
        )
    action.record("tariffs.create", "tariff", row.tariff_id, None, values)
    return row.tariff_id


def edit_draft(action: ActionContext, tariff_id: int, expected_version: int, definition: Mapping[str, object]) -> None:
    """Replace the definition of a draft; its code and version stay.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is none, it was changed since, is no draft any more, or the definition has a fault.
    """
    row = TARIFFS.lock_draft(action, tariff_id, expected_version)
    before = TariffDetail.model_validate(row).model_dump()
    values = _columns(definition, action.now)
    if (values["code"], values["version"]) != (row.code, row.version):
        raise InvalidInputError("Code and version of a draft stay; enter a new one instead.", field="version")
    columns = ("valid_from", "valid_to", "complete", "source", "rules")
    TARIFFS.save(action, row, {name: values[name] for name in columns})
    action.record("tariffs.edit", "tariff", tariff_id, before, values)


def publish(action: ActionContext, tariff_id: int, expected_version: int) -> None:
    """Put a draft into force from its `valid_from` on; fees assessed before keep their tariff.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it is no draft any more.
    """
    row = TARIFFS.lock_draft(action, tariff_id, expected_version)
    TARIFFS.publish(action, row)
    action.record("tariffs.publish", "tariff", tariff_id, None, TariffOut.model_validate(row).model_dump())


def _columns(definition: Mapping[str, object], now: datetime) -> dict[str, object]:
    tariff = read_tariff(definition)
    return {
        "code": tariff.code,
        "version": tariff.version,
        "valid_from": tariff.valid_from,
        "valid_to": tariff.valid_to,
        "complete": tariff.complete,
        "source": tariff.source,
        "rules": _plain(definition),
        "created_at": now,
    }


def _plain(definition: Mapping[str, object]) -> JsonObject:
    """The definition as JSON holds it: days as text."""
    try:
        written = orjson.dumps(definition)
    except TypeError as error:
        raise InvalidInputError("The tariff cannot be kept: {problem}.", field="rules", problem=str(error)) from None
    if b"\\u0000" in written:
        raise InvalidInputError("The tariff holds a NUL character; remove it.", field="rules")
    plain: JsonObject = orjson.loads(written)
    return plain
