"""Whether a definition is a procedure that every trip can finish, and how its graph is drawn. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final

import networkx as nx

from app.gates.hazards import HazardClass
from app.gates.vocabulary import EquipmentKind, GoodsClass
from app.platform.permissions import Role
from app.procedures.procedure import DECLARED_PARTS, Facts, Procedure, facts_in
from app.procedures.steps import Step, StepVocabulary, VehicleRole
from app.trips.vocabulary import Channel, Collector, Direction, Regime
from geo.errors import InvalidInputError

_YES_NO: Final = (True, False)
FACT_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "direction": tuple(Direction),
    "regime": tuple(Regime),
    "goods_class": tuple(GoodsClass),
    "perishable": _YES_NO,
    "chilled": _YES_NO,
    "forty_foot": _YES_NO,
    "hazard_class": tuple(HazardClass),
    "channel": tuple(Channel),
    "equipment": tuple(EquipmentKind),
    "transshipment": _YES_NO,
    "fee_due": _YES_NO,
    "collector": tuple(Collector),
    "undeclared": _YES_NO,
    "vehicle_role": tuple(VehicleRole),
}
"""Each fact with the values that a condition can ask for."""
STEP_FIELDS: Final = frozenset({"owner", "after", "when", "at_once", "checks", "organisations"})
FIELDS: Final = frozenset({"steps", "exit", "sources", "assumptions", "note"})
MAX_STEPS: Final = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition: a code, the step, a message (gettext key) and its values."""

    code: str
    step: str | None
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message.format(**self.values)


@cache
def owners(steps: type[StepVocabulary] = Step) -> tuple[Role, ...]:
    """The roles that a step can belong to."""
    return tuple(dict.fromkeys(role for step in steps for role in step.spec.roles))


def check(definition: Any, steps: type[StepVocabulary] = Step) -> Procedure:
    """The procedure of a definition that is made of `steps`.

    Raises
    ------
    InvalidInputError
        With the first problem, if there is any.
    """
    problems = find_problems(definition, steps)
    if problems:
        raise InvalidInputError(problems[0].message, field=problems[0].step or "definition", **problems[0].values)
    return Procedure.from_definition(definition)


def find_problems(definition: Any, steps: type[StepVocabulary] = Step) -> list[Problem]:
    """All that is wrong with a definition; empty if trips can run by it.

    First its form; once that is right its steps, owners and conditions; once every step is known its graph.
    """
    return list(_form(definition)) or list(_steps(definition, steps)) or list(_graph(definition))


def layers(procedure: Procedure, steps: type[StepVocabulary] = Step) -> list[list[str]]:
    """The steps in the columns they are drawn in: each one right after the last of those before it."""
    graph = _digraph({name: step.after for name, step in procedure.steps.items()})
    return [steps.in_order(layer) for layer in nx.topological_generations(graph)]


def edges(procedure: Procedure) -> list[tuple[str, str]]:
    """The arrows to draw: those that no longer way says already (the transitive reduction)."""
    graph = _digraph({name: step.after for name, step in procedure.steps.items()})
    return sorted(nx.transitive_reduction(graph).edges)


def _digraph(after: Mapping[str, Iterable[str]]) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(after)
    graph.add_edges_from((before, name) for name, befores in after.items() for before in befores)
    return graph


def _form(definition: Any) -> Iterator[Problem]:
    if not isinstance(definition, Mapping):
        yield Problem("form", None, "The definition is no mapping; give exit and steps.")
        return
    for name in sorted(set(map(str, definition)) - FIELDS):
        yield Problem("form", None, "The definition has an unknown part {name}; leave it out.", {"name": name})
    steps = definition.get("steps")
    if not isinstance(steps, Mapping) or not 2 <= len(steps) <= MAX_STEPS:
        yield Problem("form", None, "The steps are missing; give each one a name and its owner.")
        return
    if not isinstance(definition.get("exit"), str):
        yield Problem("no_exit", None, "The exit is missing; name the step that ends the trip.")
    for name, body in steps.items():
        if not isinstance(body, Mapping):
            yield Problem("form", str(name), "The step {step} is no mapping; give its owner.", {"step": name})
            continue
        for part in sorted(set(map(str, body)) - STEP_FIELDS):
            yield Problem(
                "form",
                str(name),
                "The step {step} has an unknown part {name}; leave it out.",
                {"step": name, "name": part},
            )
        for part, kind in (("after", str), ("checks", str), ("organisations", int)):
            value = body.get(part)
            if value is not None and not (
                isinstance(value, list) and all(isinstance(part, kind) and not isinstance(part, bool) for part in value)
            ):
                yield Problem(
                    "form",
                    str(name),
                    "In the step {step}, {name} is no list of {kind}.",
                    {"step": name, "name": part, "kind": "numbers" if kind is int else "names"},
                )


def _steps(definition: Mapping[str, Any], known: type[StepVocabulary]) -> Iterator[Problem]:
    steps, roles = definition["steps"], owners(known)
    for name, body in steps.items():
        if known.lookup(name) is None:
            yield Problem(
                "unknown_step",
                str(name),
                "There is no station for the step {step}; use {known}.",
                {"step": name, "known": ", ".join(known)},
            )
        yield from _owner(name, body.get("owner"), roles)
        for before in body.get("after") or ():
            if before not in steps:
                yield Problem(
                    "unknown_step",
                    name,
                    "The step {step} comes after {before}, which is not in this procedure.",
                    {"step": name, "before": before},
                )
        for part in body.get("checks") or ():
            if part not in DECLARED_PARTS:
                yield Problem(
                    "unknown_part",
                    name,
                    "The step {step} checks {part}, which is no part of a declaration; use {known}.",
                    {"step": name, "part": part, "known": ", ".join(DECLARED_PARTS)},
                )
        for part in ("when", "at_once"):
            yield from _condition(name, part, body.get(part))
    if Step.DECLARATION not in steps:
        yield Problem("no_declaration", None, "The step declaration is missing; every trip begins with it.")
    end = definition["exit"]
    if end not in steps:
        yield Problem("no_exit", None, "The exit {step} is not among the steps.", {"step": end})
    else:
        for part in ("when", "at_once"):
            if steps[end].get(part) is not None:
                yield Problem(
                    "exit_conditional",
                    end,
                    "The exit {step} can have no {part}: somebody ends every trip there.",
                    {"step": end, "part": part},
                )


def _owner(name: str, owner: Any, roles: Collection[Role]) -> Iterator[Problem]:
    named = [owner] if isinstance(owner, str) else owner
    if not named or not isinstance(named, list):
        yield Problem("no_owner", name, "Nobody owns the step {step}; name the role that confirms it.", {"step": name})
        return
    for condition in named:
        if condition not in roles:
            yield Problem(
                "no_owner",
                name,
                "The step {step} belongs to {owner}, who does not act at a gate; use one of {known}.",
                {"step": name, "owner": condition, "known": ", ".join(roles)},
            )
    if (name == Step.DECLARATION) != (named == [Role.ENTERPRISE]):
        yield Problem(
            "wrong_owner",
            name,
            "The declaration is the enterprise's, and no other step is; the step {step} is not so.",
            {"step": name},
        )


def _condition(name: str, part: str, condition: Any) -> Iterator[Problem]:
    if condition is None:
        return
    if not _is_condition(condition):
        yield Problem(
            "form",
            name,
            "In the step {step}, {part} is no condition: give facts with the values wanted.",
            {"step": name, "part": part},
        )
        return
    for fact, wanted in facts_in(condition):
        if fact not in FACT_VALUES:
            yield Problem(
                "unknown_fact",
                name,
                "The step {step} asks for {fact}, which is no fact; use {known}.",
                {"step": name, "fact": fact, "known": ", ".join(FACT_VALUES)},
            )
            continue
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if not any(value is known or (isinstance(value, str) and value == known) for known in FACT_VALUES[fact]):
                yield Problem(
                    "unknown_value",
                    name,
                    "The step {step} asks for {fact} {value}, which cannot be; use {known}.",
                    {"step": name, "fact": fact, "value": value, "known": ", ".join(map(str, FACT_VALUES[fact]))},
                )


def _is_condition(condition: Any, depth: int = 0) -> bool:
    if not isinstance(condition, Mapping) or depth > 8:
        return False
    for name, wanted in condition.items():
        if name in ("any", "all"):
            if (
                not isinstance(wanted, list)
                or not wanted
                or not all(_is_condition(condition, depth + 1) for condition in wanted)
            ):
                return False
        elif name == "not":
            if not _is_condition(wanted, depth + 1):
                return False
        elif wanted is None or isinstance(wanted, Mapping) or wanted == []:
            return False
    return True


def _graph(definition: Mapping[str, Any]) -> Iterator[Problem]:
    steps, end = definition["steps"], definition["exit"]
    graph = _digraph({name: body.get("after") or () for name, body in steps.items()})
    if not nx.is_directed_acyclic_graph(graph):
        cycle = next(nx.simple_cycles(graph))
        way = " → ".join([*cycle, cycle[0]])
        yield Problem("cycle", cycle[0], "The steps {way} wait for each other; take one of them out.", {"way": way})
        return
    declared = nx.descendants(graph, Step.DECLARATION)
    if end not in declared:
        yield Problem(
            "unreachable_exit",
            end,
            "No way leads from the declaration to the exit {step}; say what it comes after.",
            {"step": end},
        )
    leads_there = nx.ancestors(graph, end) | {end}
    for name in steps:
        if name not in leads_there:
            yield Problem(
                "dead_end",
                name,
                "The step {step} leads nowhere: let the exit {exit}, or a step before it, come after it.",
                {"step": name, "exit": end},
            )
        elif name not in (Step.DECLARATION, end) and name not in declared:
            yield Problem(
                "before_declaration", name, "The step {step} does not come after the declaration.", {"step": name}
            )
    if set(graph.predecessors(Step.DECLARATION)):
        yield Problem("before_declaration", Step.DECLARATION, "Nothing can come before the declaration.")


assert set(FACT_VALUES) == {fact.name for fact in fields(Facts)}
