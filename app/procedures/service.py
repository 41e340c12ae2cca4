"""Versions of the procedures: the shipped ones, drafts that administrators write, publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, TypedDict

import yaml
from sqlalchemy.orm import Session

from app.platform import policies
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.versioned import Versioned
from app.procedures import checks, store
from app.procedures.procedure import Procedure
from app.procedures.store import EVERY_GATE as EVERY_GATE
from app.procedures.store import Key
from app.procedures.tables import ProcedureRow
from app.trips.vocabulary import Regime
from geo.errors import ConflictError, InvalidInputError, NotFoundError

SHIPPED_DIR: Final = Path(__file__).with_name("definitions") / "v1"
PROCEDURES: Final = Versioned(
    ProcedureRow, lambda number: NotFoundError("There is no procedure {procedure_id}.", procedure_id=number)
)
HEAD: Final = ("direction", "regime", "valid_from")
MANDATORY_KEY: Final = "declaration"
MANDATORY_FROM: Final = datetime.fromisoformat("2022-02-21T00:00:00+07:00")
"""From then on no agency handled an undeclared vehicle (provincial committee, meeting of 2022-02-18)."""


@dataclass(frozen=True)
class DefinitionProblem:
    """Something wrong with a draft: `detail` in English, `message` and `values` to say it in any language."""

    code: str
    step: str | None
    detail: str
    message: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ProcedureVersion:
    """One version for people and programs; `problems` keep a draft from being published."""

    procedure_id: int
    gate_id: str
    direction: str
    regime: str
    version: int
    edit: int
    status: str
    definition: JsonObject
    valid_from: datetime | None
    created_at: datetime
    published_at: datetime | None
    problems: list[DefinitionProblem]

    @property
    def key(self) -> Key:
        """Whose procedure it is."""
        return self.gate_id, self.direction, self.regime


class DrawnStep(TypedDict):
    """A step in the drawing, in column `layer` and line `row`; of a sheet also its status and since when."""

    step: str
    owners: list[str]
    layer: int
    row: int
    status: str | None
    since: datetime | None
    is_conditional: bool
    is_at_once: bool


Arrow = TypedDict("Arrow", {"from": str, "to": str})


class Drawing(TypedDict):
    """A graph of steps in `layers` columns."""

    nodes: list[DrawnStep]
    edges: list[Arrow]
    layers: int


@cache
def shipped() -> tuple[tuple[Key, datetime, JsonObject], ...]:
    """The definitions that come with the platform: key, in force since, definition; read once, not to be changed."""
    found = []
    for path in sorted(SHIPPED_DIR.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        definition = {name: value for name, value in content.items() if name not in HEAD}
        key = (EVERY_GATE, content["direction"], content["regime"])
        found.append((key, datetime.fromisoformat(content["valid_from"]), definition))
    return tuple(found)


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
            "status": DocumentStatus.PUBLISHED,
            "valid_from": valid_from,
            "created_at": now,
            "published_at": now,
        }
        for key, valid_from, definition in shipped()
        if key not in known
    ]
    store.insert_shipped(session, rows)


def has_procedure(session: Session, key: Key, now: datetime) -> bool:
    """Whether one is in force for a gate, direction and regime."""
    try:
        get_current(session, key, now)
    except ConflictError:
        return False
    return True


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


def list_versions(session: Session, now: datetime) -> list[ProcedureVersion]:
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
    return PROCEDURES.get(session, procedure_id)


def get_procedure(session: Session, procedure_id: int) -> Procedure:
    """The steps of a version."""
    return Procedure.from_definition(get_version(session, procedure_id).definition)


def gates_with_own(session: Session, key: Key) -> set[str]:
    """The gates that have a procedure of their own in force for the direction and regime of `key`."""
    return store.gates_with_published(session, *key[1:]) - {EVERY_GATE}


def create_draft(action: ActionContext, key: Key, definition: Mapping[str, Any] | None) -> ProcedureRow:
    """A new draft; without a definition, a copy of the one in force. It need not be right before it is published.

    Raises
    ------
    InvalidInputError
        If there is no such direction or regime, or they contradict each other.
    ConflictError
        If it shall be a copy and none is in force.
    """
    _check_key(key)
    body = definition if definition is not None else get_current(action.session, key, action.now).definition
    row = store.insert_draft(
        action.session, key, {"definition": dict(body), "created_by": action.actor.account_id, "created_at": action.now}
    )
    action.record("procedures.draft", "procedure", row.procedure_id, None, asdict(describe(row)))
    return row


def save_draft(
    action: ActionContext, procedure_id: int, expected_version: int, definition: Mapping[str, Any]
) -> ProcedureRow:
    """Change a draft, right or not yet.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it is a draft no longer.
    """
    row = PROCEDURES.lock_draft(action, procedure_id, expected_version)
    before = row.definition
    PROCEDURES.save(action, row, {"definition": dict(definition)})
    action.record("procedures.save", "procedure", procedure_id, before, row.definition)
    return row


def publish(action: ActionContext, procedure_id: int, expected_version: int) -> ProcedureRow:
    """Put a draft in force for trips declared from now on; those under way keep the version they began under.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it is a draft no longer.
    InvalidInputError
        If it is not right.
    """
    row = PROCEDURES.lock_draft(action, procedure_id, expected_version)
    checks.check(row.definition)
    retired = store.retire_published(action.session, (row.gate_id, row.direction, row.regime))
    PROCEDURES.publish(action, row, {"valid_from": action.now})
    action.record("procedures.publish", "procedure", procedure_id, {"retired": retired}, asdict(describe(row)))
    return row


def describe(row: ProcedureRow) -> ProcedureVersion:
    """A version, with what is wrong with it while it is a draft."""
    problems = checks.find_problems(row.definition) if row.status == DocumentStatus.DRAFT else []
    return ProcedureVersion(
        procedure_id=row.procedure_id,
        gate_id=row.gate_id,
        direction=row.direction,
        regime=row.regime,
        version=row.version,
        edit=row.edit,
        status=row.status,
        definition=row.definition,
        valid_from=row.valid_from,
        created_at=row.created_at,
        published_at=row.published_at,
        problems=[
            DefinitionProblem(problem.code, problem.step, str(problem), problem.message, problem.values)
            for problem in problems
        ],
    )


def draw(row: ProcedureRow) -> Drawing | None:
    """The graph of a version as that of a sheet, `status` and `since` empty; `None` while it is no procedure."""
    if checks.find_problems(row.definition):
        return None
    procedure = Procedure.from_definition(row.definition)
    layers = checks.layers(procedure)
    nodes: list[DrawnStep] = [
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
    arrows: list[Arrow] = [{"from": before, "to": name} for before, name in checks.edges(procedure)]
    return {"nodes": nodes, "edges": arrows, "layers": len(layers)}


@dataclass(frozen=True)
class MandatoryFrom:
    """From when on nobody handles an undeclared vehicle; version 0 while nobody has set it."""

    mandatory_from: datetime
    version: int


def get_mandatory_from(session: Session) -> MandatoryFrom:
    """From when on nobody handles an undeclared vehicle."""
    stored = policies.get_value(session, MANDATORY_KEY)
    if stored is None:
        return MandatoryFrom(MANDATORY_FROM, 0)
    return MandatoryFrom(datetime.fromisoformat(str(stored.value["mandatory_from"])), stored.version)


def set_mandatory_from(action: ActionContext, moment: datetime, expected_version: int) -> MandatoryFrom:
    """Set from when on nobody handles an undeclared vehicle; raises StaleError if somebody else set it since."""
    before = {"mandatory_from": get_mandatory_from(action.session).mandatory_from.isoformat()}
    after = {"mandatory_from": moment.isoformat()}
    version = policies.set_value(action, MANDATORY_KEY, after, expected_version)
    action.record("procedures.mandatory", "policy", MANDATORY_KEY, before, after)
    return MandatoryFrom(moment, version)


def _check_key(key: Key) -> None:
    _gate_id, direction, name = key
    regime = Regime.lookup(name)
    if regime is None or direction not in regime.directions():
        raise InvalidInputError(
            "There is no {direction} under the regime {regime}; choose another direction or regime.",
            field="direction",
            direction=direction,
            regime=name,
        )
