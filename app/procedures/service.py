"""Versions of the procedures: the shipped ones, drafts that administrators write, publication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy.orm import Session

from app.platform import audit
from app.platform.permissions import Principal
from app.procedures import checks, policy_store, store
from app.procedures.procedure import Procedure
from app.procedures.store import EVERY_GATE, Key
from app.procedures.tables import ProcedureRow
from app.trips.declaration import FIXED_DIRECTION
from app.trips.tables import DIRECTIONS, REGIMES
from geo.errors import ConflictError, InvalidInputError, NotFoundError, StaleError

SHIPPED_DIR: Final = Path(__file__).with_name("definitions") / "v1"
HEAD: Final = ("direction", "regime", "valid_from")
MANDATORY_KEY: Final = "declaration"
MANDATORY_FROM: Final = datetime.fromisoformat("2022-02-21T00:00:00+07:00")
"""From then on no agency handled an undeclared vehicle (provincial committee, meeting of 2022-02-18)."""


def shipped() -> Iterator[tuple[Key, datetime, dict[str, Any]]]:
    """The definitions that come with the platform: key, in force since, definition."""
    for path in sorted(SHIPPED_DIR.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        definition = {name: value for name, value in content.items() if name not in HEAD}
        key = (EVERY_GATE, content["direction"], content["regime"])
        yield key, datetime.fromisoformat(content["valid_from"]), definition


def add_shipped(session: Session, now: datetime) -> None:
    """Publish the shipped definition wherever there is none of any version yet."""
    known = store.known_keys(session)
    rows = [
        {
            "gate_id": key[0],
            "direction": key[1],
            "regime": key[2],
            "version": 1,
            "definition": definition,
            "status": "published",
            "valid_from": valid_from,
            "created_at": now,
            "published_at": now,
        }
        for key, valid_from, definition in shipped()
        if key not in known
    ]
    store.insert_shipped(session, rows)


def get_current(session: Session, key: Key, now: datetime) -> ProcedureRow:
    """The procedure in force for a gate, direction and regime: the gate's own, else the one for every gate.

    Raises
    ------
    ConflictError
        If none is published.
    """
    template = (EVERY_GATE, *key[1:])
    found = store.find_published(session, key) or store.find_published(session, template)
    if found is None:
        add_shipped(session, now)
        found = store.find_published(session, template)
    if found is None:
        raise ConflictError(
            "No procedure is published for {gate_id}, {direction}, {regime}; ask an administrator to publish one.",
            gate_id=key[0],
            direction=key[1],
            regime=key[2],
        )
    return found


def list_versions(session: Session, now: datetime) -> list[dict[str, Any]]:
    """All versions, described, by gate, direction and regime, newest first."""
    add_shipped(session, now)
    return [describe(row) for row in store.list_procedures(session)]


def get_version(session: Session, procedure_id: int) -> ProcedureRow:
    """A version.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = store.find_procedure(session, procedure_id)
    if row is None:
        raise NotFoundError("There is no procedure {procedure_id}.", procedure_id=procedure_id)
    return row


def get_procedure(session: Session, procedure_id: int) -> Procedure:
    """The steps of a version."""
    return Procedure.from_definition(get_version(session, procedure_id).definition)


def create_draft(
    session: Session,
    principal: Principal,
    key: Key,
    definition: Mapping[str, Any] | None,
    *,
    now: datetime,
    address: str = "",
) -> ProcedureRow:
    """A new draft; without a definition, a copy of the one in force. It need not be right before it is published.

    Raises
    ------
    InvalidInputError
        If there is no such direction or regime, or they contradict each other.
    ConflictError
        If it shall be a copy and none is in force.
    """
    _check_key(key)
    body = definition if definition is not None else get_current(session, key, now).definition
    row = store.insert_draft(
        session, key, {"definition": dict(body), "created_by": principal.account_id, "created_at": now}
    )
    audit.record(
        session,
        principal,
        "procedures.draft",
        "procedure",
        row.procedure_id,
        None,
        describe(row),
        at=now,
        address=address,
    )
    return row


def save_draft(
    session: Session,
    principal: Principal,
    procedure_id: int,
    edited: int,
    definition: Mapping[str, Any],
    *,
    now: datetime,
    address: str = "",
) -> ProcedureRow:
    """Change a draft, right or not yet.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed meanwhile, or it is a draft no longer.
    """
    row = _lock_draft(session, procedure_id, edited)
    before = row.definition
    row.definition, row.edit = dict(definition), row.edit + 1
    session.flush()
    audit.record(
        session,
        principal,
        "procedures.save",
        "procedure",
        procedure_id,
        before,
        row.definition,
        at=now,
        address=address,
    )
    return row


def publish(
    session: Session, principal: Principal, procedure_id: int, edited: int, *, now: datetime, address: str = ""
) -> ProcedureRow:
    """Put a draft in force for trips declared from now on; those under way keep the version they began under.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed meanwhile, or it is a draft no longer.
    InvalidInputError
        If it is not right.
    """
    row = _lock_draft(session, procedure_id, edited)
    checks.check(row.definition)
    retired = store.retire_published(session, (row.gate_id, row.direction, row.regime))
    row.status, row.valid_from, row.published_at, row.published_by = "published", now, now, principal.account_id
    row.edit += 1
    session.flush()
    audit.record(
        session,
        principal,
        "procedures.publish",
        "procedure",
        procedure_id,
        {"retired": retired},
        describe(row),
        at=now,
        address=address,
    )
    return row


def describe(row: ProcedureRow) -> dict[str, Any]:
    """A version as a record for people and programs, with what is wrong with it while it is a draft."""
    problems = checks.find_problems(row.definition) if row.status == "draft" else []
    return {
        "procedure_id": row.procedure_id,
        "gate_id": row.gate_id,
        "direction": row.direction,
        "regime": row.regime,
        "version": row.version,
        "edit": row.edit,
        "status": row.status,
        "definition": row.definition,
        "valid_from": row.valid_from,
        "created_at": row.created_at,
        "published_at": row.published_at,
        "problems": [
            {"code": one.code, "step": one.step, "detail": str(one), "message": one.message, "values": one.values}
            for one in problems
        ],
    }


def draw(row: ProcedureRow) -> dict[str, Any] | None:
    """The graph of a version as that of a sheet, `status` and `since` empty; `None` while it is no procedure."""
    if checks.find_problems(row.definition):
        return None
    procedure = Procedure.from_definition(row.definition)
    layers = checks.layers(procedure)
    nodes = [
        {
            "step": name,
            "owners": list(procedure.steps[name].owners),
            "layer": column,
            "row": place,
            "status": None,
            "since": None,
            "is_conditional": bool(procedure.steps[name].when),
            "is_at_once": procedure.steps[name].at_once is not None,
        }
        for column, layer in enumerate(layers)
        for place, name in enumerate(layer)
    ]
    arrows = [{"from": before, "to": name} for before, name in checks.edges(procedure)]
    return {"nodes": nodes, "edges": arrows, "layers": len(layers)}


def mandatory_from(session: Session) -> datetime:
    """From when on nobody handles an undeclared vehicle."""
    value = policy_store.find_policy(session, MANDATORY_KEY)
    return datetime.fromisoformat(value["mandatory_from"]) if value else MANDATORY_FROM


def set_mandatory_from(
    session: Session, principal: Principal, moment: datetime, *, now: datetime, address: str = ""
) -> None:
    """Set from when on nobody handles an undeclared vehicle."""
    before = {"mandatory_from": mandatory_from(session).isoformat()}
    after = {"mandatory_from": moment.isoformat()}
    policy_store.save_policy(session, MANDATORY_KEY, after, by=principal.account_id, now=now)
    audit.record(
        session, principal, "procedures.mandatory", "policy", MANDATORY_KEY, before, after, at=now, address=address
    )


def _check_key(key: Key) -> None:
    _gate_id, direction, regime = key
    if direction not in DIRECTIONS or regime not in REGIMES or FIXED_DIRECTION.get(regime, direction) != direction:
        raise InvalidInputError(
            "There is no {direction} under the regime {regime}; choose another direction or regime.",
            field="direction",
            direction=direction,
            regime=regime,
        )


def _lock_draft(session: Session, procedure_id: int, edited: int) -> ProcedureRow:
    row = store.find_procedure(session, procedure_id, lock=True)
    if row is None:
        raise NotFoundError("There is no procedure {procedure_id}.", procedure_id=procedure_id)
    if row.edit != edited:
        raise StaleError(
            "The draft was changed meanwhile: you edited {edited}, now it is {present}. Look at it again.",
            edited=edited,
            present=row.edit,
        )
    if row.status != "draft":
        raise ConflictError(
            "The procedure {procedure_id} is {status}; make a new draft of it to change something.",
            procedure_id=procedure_id,
            status=row.status,
        )
    return row
