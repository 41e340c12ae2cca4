"""What a trip still needs, who may do it now, and when it is over. Pure: standard library and the vocabulary of steps.

A procedure is a directed acyclic graph of steps; a sheet is one trip's way through it. A step is needed if its
condition holds for the trip's facts, and ready once every needed step before it is done, so that agencies whose
steps do not stand before each other work at the same time. Every step lies before the exit: the exit is ready when
nothing needed is open, in whatever order the rest was done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, Self

from app.procedures.steps import Step, StepStatus, VehicleRole

DECLARED_PARTS: Final = ("goods", "vehicle", "driver", "health", "customs")
"""Parts of a declaration: a step that checked one is open again when the part is declared again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What conditions ask of a trip.

    `goods_class` are the classes of all its goods (a mixed load needs what each of them needs), `hazard_class` those of
    dangerous goods among them (`HazardClass`; none: nothing is dangerous), `channel` is customs'
    (`None` until they give one), `equipment` what stands at the gate and works, `fee_due` true until somebody found
    that nothing is, `collector` the role that takes the fee, `undeclared` that no declaration stands behind the trip,
    `vehicle_role` what a transshipment made of the trip's vehicle (`VehicleRole`).
    """

    direction: str
    regime: str
    goods_class: frozenset[str]
    perishable: bool = False
    chilled: bool = False
    forty_foot: bool = False
    hazard_class: frozenset[str] = frozenset()
    channel: str | None = None
    equipment: frozenset[str] = frozenset()
    transshipment: bool = False
    fee_due: bool = True
    collector: str | None = None
    undeclared: bool = False
    vehicle_role: str = VehicleRole.CARRIER.value

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The facts out of their JSON form; names that are no facts are passed over, one class stands for its set."""
        values = {name: record[name] for name in _FACTS & set(record)}
        classes = record["goods_class"]
        values["goods_class"] = frozenset([classes] if isinstance(classes, str) else classes)
        for name in ("equipment", "hazard_class"):
            values[name] = frozenset(record.get(name) or ())
        return cls(**values)

    def to_record(self) -> dict[str, object]:
        """The facts as JSON."""
        return plain(asdict(self))


_FACTS: Final = frozenset(part.name for part in fields(Facts))


def plain(facts: Mapping[str, Any]) -> dict[str, object]:
    """Facts by name as JSON holds them."""
    return {name: sorted(value) if isinstance(value, Set) else value for name, value in facts.items()}


Condition = Mapping[str, Any]
"""Facts and the value or values wanted of each, all to hold together; `any`, `all` and `not` combine conditions.

Of a fact that is a set (`goods_class`, `hazard_class`, `equipment`) one of the values wanted must be in it."""


def holds(condition: Condition | None, facts: Facts) -> bool:
    """Whether a condition holds; an empty one does, `None` too."""
    if condition:
        for name, wanted in condition.items():
            if not _holds_part(name, wanted, facts):
                return False
    return True


def _holds_part(name: str, wanted: Any, facts: Facts) -> bool:
    if name == "any":
        return any(holds(part, facts) for part in wanted)
    if name == "all":
        return all(holds(part, facts) for part in wanted)
    if name == "not":
        return not holds(wanted, facts)
    values = wanted if isinstance(wanted, list) else [wanted]
    value = getattr(facts, name)
    return not value.isdisjoint(values) if isinstance(value, frozenset) else value in values


def facts_in(condition: Condition | None) -> Iterator[tuple[str, Any]]:
    """Every fact a condition asks for, however deep, with what it wants of it."""
    for name, wanted in (condition or {}).items():
        if name in ("any", "all"):
            for part in wanted:
                yield from facts_in(part)
        elif name == "not":
            yield from facts_in(wanted)
        else:
            yield name, wanted


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """One step of a procedure: whose it is, what comes before, and when it is needed.

    Several `owners` share a step until the fact `collector` names one of them. `at_once`: the platform itself
    confirms the step, as soon as it is ready, where this holds. `checks`: parts of the declaration it vouches for
    besides those of the step itself (`StepSpec.vouches`). `organisations`: if not empty, only their accounts act, such
    as the company that runs a yard.
    """

    name: str
    owners: tuple[str, ...]
    after: tuple[str, ...] = ()
    when: Condition | None = None
    at_once: Condition | None = None
    checks: frozenset[str] = frozenset()
    organisations: frozenset[int] = frozenset()

    @property
    def vouches(self) -> frozenset[str]:
        """The parts of the declaration that it vouches for: by what the step is, and what this procedure adds."""
        known = Step.lookup(self.name)
        if known is Step.DECLARATION:
            return frozenset()
        return self.checks | frozenset(known.spec.vouches if known is not None else ())

    def owners_of(self, facts: Facts) -> tuple[str, ...]:
        """The roles that may act on the step of a trip."""
        return (facts.collector,) if facts.collector in self.owners else self.owners


class DefinitionError(ValueError):
    """A definition that is no procedure; `app.procedures.checks` says all that is wrong with it."""


@dataclass(frozen=True)
class Procedure:
    """The steps of a gate, direction and regime, each after those it comes after, and the one that ends the trip."""

    steps: Mapping[str, StepDefinition]
    exit: str

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Self:
        """Read a definition: `exit` and `steps`, a mapping of name to `owner after when at_once checks organisations`.

        Raises
        ------
        DefinitionError
            If it is no mapping of that form, a step comes after an unknown one, the steps go round in a circle, there
            is no declaration, a step does not lead to the exit, or a condition asks for an unknown fact.
        """
        try:
            steps = {str(name): _read_step(str(name), body) for name, body in definition["steps"].items()}
            order = tuple(TopologicalSorter({name: step.after for name, step in steps.items()}).static_order())
            procedure = cls({name: steps[name] for name in order}, str(definition["exit"]))
            before_exit = procedure.ancestors[procedure.exit]
        except (AttributeError, KeyError, TypeError, CycleError) as error:
            raise DefinitionError(f"The definition is no procedure: {error!r}.") from error
        astray = set(steps) - before_exit - {procedure.exit}
        if Step.DECLARATION not in steps or astray:
            raise DefinitionError(f"No declaration, or steps that do not lead to the exit: {sorted(astray)}.")
        return procedure

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """For each step, all that come before it, at however many removes."""
        found: dict[str, frozenset[str]] = {}
        for name, step in self.steps.items():
            found[name] = frozenset(step.after).union(*(found[before] for before in step.after))
        return found


def _read_step(name: str, body: Mapping[str, Any]) -> StepDefinition:
    owner = body["owner"]
    for condition in (body.get("when"), body.get("at_once")):
        if unknown := [fact for fact, _ in facts_in(condition) if fact not in _FACTS]:
            raise DefinitionError(f"The step {name} asks for {unknown[0]}, which is no fact.")
    return StepDefinition(
        name=name,
        owners=(owner,) if isinstance(owner, str) else tuple(owner),
        after=tuple(body.get("after") or ()),
        when=body.get("when"),
        at_once=body.get("at_once"),
        checks=frozenset(body.get("checks") or ()),
        organisations=frozenset(body.get("organisations") or ()),
    )


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What is kept of a step: only `done` and `returned` say more than the graph does."""

    status: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done: a message in English, also its gettext key, and what fills its placeholders."""

    message: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message.format(**self.values)


class IllegalActError(ValueError):
    """An act that `Sheet.may` refuses was done all the same."""


@dataclass(frozen=True)
class Sheet:
    """One trip on its way through its procedure. Acts give a new sheet."""

    procedure: Procedure
    facts: Facts
    steps: Mapping[str, StepRecord] = field(default_factory=dict)

    def state(self) -> dict[str, StepStatus]:
        """The status of every step."""
        return dict(self._state)

    @cached_property
    def needed(self) -> frozenset[str]:
        """The steps whose condition holds."""
        return frozenset(name for name, step in self.procedure.steps.items() if holds(step.when, self.facts))

    @cached_property
    def is_finished(self) -> bool:
        """Whether the trip is over."""
        return self._record(self.procedure.exit) == StepStatus.DONE

    def may(self, step: str, act: str, to: str = Step.DECLARATION) -> Refusal | None:
        """Why `act` (`confirm`, `return`, `redeclare`) cannot be done on a step now; `None` if it can."""
        if step not in self.procedure.steps:
            return Refusal("This trip's procedure has no step {step}.", {"step": step})
        if self.is_finished:
            return Refusal("The trip is over; nothing can be changed on its sheet.")
        if act == "redeclare":
            return (
                None
                if self._record(Step.DECLARATION) == StepStatus.RETURNED
                else Refusal("The declaration was not returned.")
            )
        status = self._state[step]
        if act == "confirm" and step == Step.DECLARATION and status == StepStatus.RETURNED:
            return Refusal("The declaration was returned; declare again.")
        if step in self._closed:
            return self._closed[step]
        if act == "return":
            return self._why_not_back(step, to)
        return None if act == "confirm" else Refusal("There is no act {act}; use confirm or return.", {"act": act})

    def confirm(self, step: str) -> Self:
        """The sheet with a step done; raises IllegalActError if `may` refuses it."""
        self._require(self.may(step, "confirm"))
        return self._with({step: StepRecord(StepStatus.DONE)})

    def return_(self, step: str, to: str = Step.DECLARATION) -> Self:
        """The sheet sent back from a step to an earlier one; raises IllegalActError if `may` refuses it."""
        self._require(self.may(step, "return", to))
        return self._with({to: StepRecord(StepStatus.RETURNED)})

    def redeclare(self, facts: Facts | None = None, changed: Collection[str] = ()) -> Self:
        """The sheet with its declaration made again; `changed` are the `DECLARED_PARTS` that differ.

        Raises IllegalActError if the declaration was not returned.
        """
        self._require(self.may(Step.DECLARATION, "redeclare"))
        return self._with({Step.DECLARATION: StepRecord(StepStatus.DONE)}).with_facts(facts or self.facts, changed)

    def with_facts(self, facts: Facts, changed: Collection[str] = ()) -> Self:
        """The sheet under other facts; steps that vouched for a part of the declaration that changed are open again."""
        if self.is_finished:
            return self
        stale = {name for name, step in self.procedure.steps.items() if step.vouches & set(changed)}
        kept = {name: record for name, record in self.steps.items() if name not in stale}
        return replace(self, facts=facts, steps=kept)

    def open_again(self, steps: Collection[str]) -> Self:
        """The sheet with steps to be done again."""
        return replace(self, steps={name: record for name, record in self.steps.items() if name not in set(steps)})

    def carry_over(self, steps: Mapping[str, StepRecord]) -> Self:
        """The sheet with what another sheet vouches for, whatever else is open."""
        return self._with(steps)

    def of_role(self, own: Procedure, role: str) -> Self:
        """The sheet of a vehicle that a transshipment gave a role, under its `own` way from there.

        What ends that way is to be done, even if it was done on the way in.
        """
        facts = replace(self.facts, vehicle_role=role)
        return replace(self, procedure=own, facts=facts).open_again([own.exit])

    def release(self) -> Self:
        """The sheet after the platform confirmed every ready step that is confirmed at once, one after another."""
        sheet = self
        while due := sheet.due_at_once():
            sheet = sheet.confirm(due[0])
        return sheet

    def due_at_once(self) -> list[str]:
        """The steps the platform confirms by itself now."""
        if self.is_finished:
            return []
        return [
            name
            for name, step in self.procedure.steps.items()
            if step.at_once is not None and self._state[name] == StepStatus.READY and holds(step.at_once, self.facts)
        ]

    @cached_property
    def _state(self) -> Mapping[str, StepStatus]:
        done = {name for name in self.procedure.steps if self._record(name) == StepStatus.DONE}
        return {name: self._status(name, done) for name in self.procedure.steps}

    @cached_property
    def _open(self) -> tuple[str, ...]:
        """The steps that can be acted on now, in the procedure's order."""
        return tuple(name for name, status in self._state.items() if status in StepStatus.open())

    @cached_property
    def _closed(self) -> Mapping[str, Refusal]:
        """The steps that cannot be acted on now, and why not."""
        opened = set(self._open)
        return {name: self._why_closed(name, status) for name, status in self._state.items() if name not in opened}

    def _status(self, name: str, done: Set[str]) -> StepStatus:
        if name in done:
            return StepStatus.DONE
        if name not in self.needed:
            return StepStatus.NOT_NEEDED
        if not self.procedure.ancestors[name] & self.needed <= done:
            return StepStatus.WAITING
        return StepStatus.RETURNED if self._record(name) == StepStatus.RETURNED else StepStatus.READY

    def _record(self, step: str) -> str | None:
        record = self.steps.get(step)
        return record.status if record else None

    def _why_closed(self, step: str, status: str) -> Refusal:
        if status == StepStatus.WAITING:
            ahead = self.procedure.ancestors[step]
            waits_for = ", ".join(name for name in self._open if name in ahead)
            return Refusal("The step {step} waits for {waits_for}.", {"step": step, "waits_for": waits_for})
        if status == StepStatus.DONE:
            return Refusal("The step {step} is done already.", {"step": step})
        return Refusal("This trip does not need the step {step}.", {"step": step})

    def _why_not_back(self, step: str, to: str) -> Refusal | None:
        if to not in self.procedure.ancestors[step]:
            message = "The step {to} does not come before {step}; return to one that does."
            return Refusal(message, {"to": to, "step": step})
        if self._state[to] != StepStatus.DONE:
            return Refusal("The step {to} is not done, so that nothing can be returned to it.", {"to": to})
        return None

    def _require(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            raise IllegalActError(str(refusal))

    def _with(self, records: Mapping[str, StepRecord]) -> Self:
        return replace(self, steps={**self.steps, **records})
