"""The procedure as a graph: what random procedures and random legal acts can never do, and what is said of bad ones."""

from __future__ import annotations

import ast
import sys
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.gates.vocabulary import GoodsClass
from app.platform import labels, permissions
from app.procedures import checks, procedure, steps
from app.procedures import service as procedures
from app.procedures.checks import FACT_VALUES, find_problems, owners
from app.procedures.procedure import DECLARED_PARTS, Facts, IllegalActError, Procedure, Sheet
from app.procedures.steps import Step, StepStatus
from app.trips.vocabulary import Regime
from tests.drawing import cases
from tests.profiles import byte_strings, examples

many, shorter = cases(10_000, 200, shortest=80), cases(10_000, 160, shortest=60)


class Choices:
    """Decisions out of bytes, the first option once they run out: quick to draw, and they shrink to simple cases."""

    def __init__(self, raw: bytes) -> None:
        self.left = list(raw)

    def __bool__(self) -> bool:
        return bool(self.left)

    def among(self, options: Any) -> Any:
        found = list(options)
        return found[(self.left.pop(0) if self.left else 0) % len(found)]

    def some(self, options: Any) -> list[Any]:
        bits = self.left.pop(0) if self.left else 0
        return [option for place, option in enumerate(options) if bits >> (place % 8) & 1]


def draw_condition(choices: Choices, depth: int = 0) -> dict[str, Any] | None:
    kind = choices.among(["none", "one", "one", "one", "not", "any"])
    if kind == "none":
        return None
    if depth < 2 and kind == "not":
        return {"not": draw_condition(choices, depth + 1) or {}}
    if depth < 2 and kind == "any":
        return {"any": [draw_condition(choices, depth + 1) or {}, draw_condition(choices, depth + 1) or {}]}
    fact = choices.among(FACT_VALUES)
    return {fact: choices.some(FACT_VALUES[fact]) or choices.among(FACT_VALUES[fact])}


def draw_definition(choices: Choices) -> dict[str, Any]:
    """A definition that is right: each step after some before it, those that nothing comes after before the exit."""
    middle = [step for step in list(Step)[1:] if choices.among([True, True, False])]
    if not middle:
        middle = ["barrier_1"]
    middle = middle[(turn := choices.among(range(len(middle)))) :] + middle[:turn]
    end = middle.pop()
    steps: dict[str, Any] = {"declaration": {"owner": "enterprise"}}
    for place, name in enumerate(middle):
        before = choices.some(middle[:place]) or ["declaration"]
        steps[name] = {"owner": choices.among(owners()[1:]), "after": before, "checks": choices.some(DECLARED_PARTS)}
        for part in ("when", "at_once"):
            if condition := draw_condition(choices):
                steps[name][part] = condition
    used = {before for body in steps.values() for before in body.get("after", ())}
    steps[end] = {"owner": "border_guard", "after": sorted(set(steps) - used)}
    return {"exit": end, "steps": steps}


def draw_facts(choices: Choices) -> Facts:
    sets = ("goods_class", "equipment")
    values: dict[str, Any] = {name: choices.among(FACT_VALUES[name]) for name in FACT_VALUES if name not in sets}
    return Facts(**values, **{name: frozenset(choices.some(FACT_VALUES[name])) for name in sets})


def act_at_random(sheet: Sheet, choices: Choices) -> Sheet:
    """One legal act: a confirmation, a return, a new declaration, or other facts."""
    kind = choices.among(["confirm", "confirm", "confirm", "return", "redeclare", "facts", "release"])
    if kind == "redeclare" and sheet.may("declaration", "redeclare") is None:
        return sheet.redeclare(draw_facts(choices), choices.some(DECLARED_PARTS))
    if kind == "facts":
        return sheet.with_facts(draw_facts(choices), choices.some(DECLARED_PARTS))
    if kind == "release":
        return sheet.release()
    if kind == "return":
        ways = [
            (step, to) for step, to in product(sheet.procedure.steps, repeat=2) if sheet.may(step, "return", to) is None
        ]
        if ways:
            return sheet.return_(*choices.among(ways))
    ready = [step for step in sheet.procedure.steps if sheet.may(step, "confirm") is None]
    return sheet.confirm(choices.among(ready)) if ready else sheet


def lead_out(sheet: Sheet) -> Sheet:
    """Do what there is to do, without ever sending anything back."""
    for _ in range(2 * len(sheet.procedure.steps)):
        if sheet.is_finished:
            break
        if sheet.may("declaration", "redeclare") is None:
            sheet = sheet.redeclare()
        sheet = sheet.confirm(next(step for step in sheet.procedure.steps if sheet.may(step, "confirm") is None))
    return sheet


def open_steps(sheet: Sheet) -> set[str]:
    """The needed steps that nobody has done, the exit aside; counted apart from `Sheet.state`."""
    done = {step for step, record in sheet.steps.items() if record.status == "done"}
    needed = {name for name, step in sheet.procedure.steps.items() if procedure.holds(step.when, sheet.facts)}
    return needed - done - {sheet.procedure.exit}


@many
def test_no_order_of_legal_acts_ends_a_trip_with_a_step_open(raw: bytes) -> None:
    choices = Choices(raw)
    definition = draw_definition(choices)
    assert find_problems(definition) == []
    sheet = Sheet(Procedure.from_definition(definition), draw_facts(choices))
    while choices and not sheet.is_finished:
        before, sheet = sheet, act_at_random(sheet, choices)
        if sheet.is_finished:
            assert open_steps(before) == set()
            assert all(sheet.may(step, act) for step in sheet.procedure.steps for act in ("confirm", "return"))
        else:
            assert (sheet.may(sheet.procedure.exit, "confirm") is None) == (open_steps(sheet) == set())


@many
def test_there_is_always_a_way_on_and_a_returned_sheet_can_be_mended(raw: bytes) -> None:
    choices = Choices(raw)
    sheet = Sheet(Procedure.from_definition(draw_definition(choices)), draw_facts(choices))
    while choices and not sheet.is_finished:
        sheet = act_at_random(sheet, choices)
        if sheet.is_finished:
            break
        state = sheet.state()
        assert set(StepStatus.open()) & set(state.values())
        if sheet.may("declaration", "redeclare") is None:
            assert state["declaration"] in ("returned", "not_needed")
            assert sheet.redeclare().state()["declaration"] == "done"
    assert lead_out(sheet).is_finished


@shorter
def test_agencies_work_at_once_where_the_graph_lets_them(raw: bytes) -> None:
    choices = Choices(raw)
    sheet = Sheet(Procedure.from_definition(draw_definition(choices)), draw_facts(choices))
    while choices and not sheet.is_finished:
        ready = {
            step for step, status in sheet.state().items() if status in StepStatus.open() and step != "declaration"
        }
        for ready_step in ready:
            after = sheet.confirm(ready_step)
            assert all(after.may(other, "confirm") is None for other in ready - {ready_step})
            assert not (sheet.procedure.ancestors[ready_step] & ready)
        closed = {step for step, status in sheet.state().items() if status not in StepStatus.open()}
        for step in closed:
            with pytest.raises(IllegalActError):
                sheet.confirm(step)
        sheet = act_at_random(sheet, choices)


@examples(1_500, suppress=list(HealthCheck))
@given(byte_strings(0, 80), st.integers(0, 5))
def test_what_is_broken_is_found_and_said(raw: bytes, way: int) -> None:
    choices = Choices(raw)
    definition = draw_definition(choices)
    names = list(definition["steps"])
    name, end = choices.among(names[1:-1] or names[-1:]), definition["exit"]
    body = definition["steps"][name]
    code = BREAKS[way](definition, name, body, end)
    found = find_problems(definition)
    assert code in {problem.code for problem in found}
    assert all(str(problem) for problem in found)


def _unknown_step(definition: Any, name: str, body: Any, end: str) -> str:
    body["after"] = ["elsewhere"]
    return "unknown_step"


def _cycle(definition: Any, name: str, body: Any, end: str) -> str:
    body["after"] = [*body["after"], end]
    return "cycle"


def _no_exit(definition: Any, name: str, body: Any, end: str) -> str:
    definition["steps"][end]["after"] = []
    return "unreachable_exit"


def _no_owner(definition: Any, name: str, body: Any, end: str) -> str:
    body["owner"] = []
    return "no_owner"


def _unknown_fact(definition: Any, name: str, body: Any, end: str) -> str:
    body["when"] = {"not": {"weather": "rain"}}
    return "unknown_fact"


def _dead_end(definition: Any, name: str, body: Any, end: str) -> str:
    spare = next((step for step in Step if step not in definition["steps"]), None)
    if spare is None:
        return _unknown_fact(definition, name, body, end)
    definition["steps"][spare] = {"owner": "customs", "after": ["declaration"]}
    return "dead_end"


BREAKS = (_unknown_step, _cycle, _no_exit, _no_owner, _unknown_fact, _dead_end)

SMALL: dict[str, Any] = {
    "exit": "barrier_2",
    "steps": {
        "declaration": {"owner": "enterprise"},
        "health": {"owner": "health_quarantine", "after": ["declaration"], "checks": ["health"]},
        "customs": {"owner": "customs", "after": ["declaration"], "at_once": {"channel": "green"}},
        "barrier_2": {"owner": "border_guard", "after": ["health", "customs"]},
    },
}
EXPORT = Facts(direction="export", regime="export", goods_class=frozenset({"fresh_fruit"}))


def broken(**changes: Any) -> list[str]:
    definition = deepcopy(SMALL)
    for path, value in changes.items():
        *way, last = path.split("__")
        place: Any = definition
        for part in way:
            place = place[part]
        place[last] = value
    return [str(problem) for problem in find_problems(definition)]


def test_problems_name_the_step_and_what_to_do() -> None:
    assert broken() == []
    assert broken(steps__health__after=["nowhere"]) == [
        "The step health comes after nowhere, which is not in this procedure."
    ]
    assert "wait for each other" in broken(steps__health__after=["barrier_2"])[0]
    assert "Nobody owns the step customs" in broken(steps__customs__owner=None)[0]
    assert "leads nowhere" in broken(steps__barrier_2__after=["health"])[0]
    assert "weather" in broken(steps__customs__when={"weather": "rain"})[0]
    assert "purple" in broken(steps__customs__when={"channel": "purple"})[0]
    assert "no condition" in broken(steps__customs__when={"any": []})[0]
    assert "no condition" in broken(steps__customs__when={"channel": None})[0]
    assert "The exit nowhere" in broken(exit="nowhere")[0]
    assert "can have no when" in broken(steps__barrier_2__when={"perishable": True})[0]
    assert "can have no at_once" in broken(steps__barrier_2__at_once={})[0]
    assert "no station" in broken(steps__tea={"owner": "customs", "after": ["declaration"]})[0]
    assert "no list of names" in broken(steps__health__after="declaration")[0]
    assert "unknown part" in broken(steps__health__afters=["declaration"])[0]
    assert "does not come after the declaration" in broken(steps__health__after=[])[0]
    assert broken(steps={}) == ["The steps are missing; give each one a name and its owner."]
    assert find_problems([])[0].code == find_problems(None)[0].code == "form"
    assert find_problems({"exit": "x", "steps": {1: {}, 2: []}})


def test_a_return_keeps_what_was_done_and_opens_what_was_vouched_for() -> None:
    sheet = Sheet(Procedure.from_definition(SMALL), EXPORT).confirm("declaration").confirm("health")
    returned = sheet.return_("customs")
    assert returned.state() == {
        "declaration": "returned",
        "health": "done",
        "customs": "waiting",
        "barrier_2": "waiting",
    }
    assert str(returned.may("customs", "confirm")) == "The step customs waits for declaration."
    assert returned.redeclare(changed=["goods"]).state()["health"] == "done"
    assert returned.redeclare(changed=["health"]).state()["health"] == "ready"


@many
def test_what_is_declared_otherwise_opens_again_what_vouched_for_it_and_nothing_else(raw: bytes) -> None:
    choices = Choices(raw)
    sheet = Sheet(Procedure.from_definition(draw_definition(choices)), draw_facts(choices))
    while choices and not sheet.is_finished:
        sheet = act_at_random(sheet, choices)
    changed = set(choices.some(DECLARED_PARTS)) or {"vehicle"}
    after = sheet.with_facts(sheet.facts, changed)
    for name, step in sheet.procedure.steps.items():
        vouches = step.checks | set(Step.get(name).spec.vouches)
        was_done = name in sheet.steps and sheet.steps[name].status == "done"
        is_done = name in after.steps and after.steps[name].status == "done"
        is_kept = sheet.is_finished or name == "declaration" or not vouches & changed
        assert is_done == (was_done and is_kept), name
    assert {"vehicle", "driver"} <= set(Step.BARRIER_1.spec.vouches) & set(Step.BARRIER_2.spec.vouches)


def test_a_green_channel_releases_at_once_and_no_other_does() -> None:
    sheet = Sheet(Procedure.from_definition(SMALL), EXPORT).confirm("declaration")
    for channel, status in ((None, "ready"), ("red", "ready"), ("yellow", "ready"), ("green", "done")):
        facts = Facts.from_record({**EXPORT.to_record(), "channel": channel})
        assert sheet.with_facts(facts).release().state()["customs"] == status


def test_facts_survive_their_json() -> None:
    facts = Facts(
        direction="import", regime="transit", goods_class=frozenset({"ore"}), equipment=frozenset({"seal", "scale"})
    )
    assert Facts.from_record(facts.to_record() | {"undeclared_since": "2026-03-02"}) == facts


@pytest.mark.parametrize(
    ("module", "known"),
    [
        (procedure, {"app.procedures.steps"}),
        (steps, {"app.gates.vocabulary", "app.platform.labels", "app.platform.permissions", "app.trips.vocabulary"}),
        (labels, {"app.platform.json", "geo.errors"}),
        (permissions, {"app.platform.csrf", "app.platform.labels", "geo.errors"}),
    ],
)
def test_the_core_needs_nothing_but_the_standard_library_and_the_vocabulary(module: Any, known: set[str]) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} <= known


SHIPPED = list(procedures.shipped())


def test_every_regime_has_a_procedure_in_each_of_its_directions_that_names_no_gate() -> None:
    both = [regime for regime in Regime if regime not in ("export", "import")]
    ways = {("export", "export"), ("import", "import"), *product(("export", "import"), both)}
    assert {key for key, _, _ in SHIPPED} == {("*", *way) for way in ways}


@pytest.mark.parametrize(
    ("key", "definition"), [(key, body) for key, _, body in SHIPPED], ids=["-".join(key) for key, _, _ in SHIPPED]
)
def test_shipped_procedures_are_right_and_say_where_they_come_from(key: Any, definition: Any) -> None:
    assert find_problems(definition) == []
    assert definition["sources"]
    assert definition["assumptions"]
    way = Procedure.from_definition(definition)
    assert way.exit == ("barrier_2" if key[1] == "export" else "barrier_1")
    for goods_class, transshipment, undeclared in product(GoodsClass, (False, True), (False, True)):
        facts = Facts(
            direction=key[1],
            regime=key[2],
            goods_class=frozenset({goods_class}),
            transshipment=transshipment,
            undeclared=undeclared,
        )
        sheet = lead_out(Sheet(way, facts))
        assert sheet.is_finished
        assert "waiting" not in sheet.state().values()


def test_goods_choose_their_quarantine() -> None:
    definition = next(body for key, _, body in SHIPPED if key == ("*", "export", "export"))
    way, needed = Procedure.from_definition(definition), {}
    for goods_class in GoodsClass:
        sheet = Sheet(way, Facts(direction="export", regime="export", goods_class=frozenset({goods_class})))
        needed[goods_class] = {name for name in sheet.needed if name.startswith("quarantine")}
    assert needed["fresh_fruit"] == needed["flowers"] == {"quarantine_plant"}
    assert needed["meat"] == needed["live_animals"] == {"quarantine_animal", "quarantine_health"}
    assert needed["ore"] == needed["empty"] == needed["electronics"] == set()
    mixed = Sheet(way, Facts(direction="export", regime="export", goods_class=frozenset({"meat", "flowers", "ore"})))
    assert {name for name in mixed.needed if name.startswith("quarantine")} == {
        "quarantine_animal",
        "quarantine_health",
        "quarantine_plant",
    }


def test_the_drawing_has_every_step_after_those_it_waits_for() -> None:
    for _, _, definition in SHIPPED:
        way = Procedure.from_definition(definition)
        column = {name: place for place, layer in enumerate(checks.layers(way)) for name in layer}
        assert set(column) == set(way.steps)
        assert all(column[before] < column[name] for before, name in checks.edges(way))
