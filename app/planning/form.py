"""The form of what-ifs: what is written in it as a scenario, and a scenario as what stands in the form.

A field is named by its place in the scenario, "change.closures.0.km_from", so that an error finds its field.
Shares are written in per cent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.planning.endpoints import ScenarioIn
from app.platform.labels import N_
from geo.corridor import Corridor
from geo.errors import CuaKhauError
from routing.scenario import Scenario, library

Written = dict[str, str]

ROWS: Final = {
    "demand": ("factor",),
    "closures": ("km_from", "km_to", "to_h"),
    "diversions": ("share",),
    "holds": ("until_h",),
}
"""Lists of changes, and the fields without which a row counts as empty."""
PERCENT: Final = frozenset(
    {
        "share",
        "perishable_share",
        "yard_warning_share",
        "yard_alarm_share",
        "likely",
        "sure",
        "keep",
    }
)
ROW_FIELD: Final = re.compile(r"change\.(demand|closures|diversions|holds)\.(\d+)\.(\w+)")

MESSAGES: Final = {
    "greater_than_equal": N_("Give {ge} or more."),
    "greater_than": N_("Give more than {gt}."),
    "less_than_equal": N_("Give at most {le}."),
    "less_than": N_("Give less than {lt}."),
    "string_too_short": N_("Give a value."),
    "string_too_long": N_("Give at most {max_length} characters."),
    "missing": N_("Give a value."),
    "time_parsing": N_("Write a time of day like 07:30."),
}
WHOLE_NUMBER, NUMBER = N_("Give a whole number."), N_("Give a number.")
REFUSED = N_("This cannot be accepted; choose another value.")
OWN_RULES: Final = (
    ("service_mean_s or cleared", "service_mean_s", N_("Give a service time or what is cleared a day, not both.")),
    ("exports_veh_per_day or", "exports_veh_per_day", N_("Give exports a day or by the hour, not both.")),
    ("the trucks of the live forecast", "", N_("A base that begins now takes its demand from the live forecast.")),
    ("before it begins", "to_h", N_("The closure must end after it begins.")),
    ("no time of day", "", N_("Write a time of day like 07:30.")),
)
"""What a rule of the scenario says, the field at which to show it, and how to say it here."""
EDITED_SOURCE: Final = "values of the base changed by the planner: assumed"


@dataclass(frozen=True)
class Problem:
    """What is wrong at a field: a message id and what fills it."""

    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


async def sent_fields(request: Request) -> list[tuple[str, str]]:
    """The text fields of a sent form, in order."""
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


SentFields = Annotated[list[tuple[str, str]], Depends(sent_fields)]


@dataclass(frozen=True)
class Reading:
    """What a form holds: its fields with rows renumbered, and either the wish or the problems by field."""

    written: Written
    wish: ScenarioIn | None = None
    problems: Mapping[str, Problem] = field(default_factory=dict)


def read_form(fields: Iterable[tuple[str, str]], corridor: Corridor) -> Reading:
    """What a sent form asks for."""
    written = renumber({name: value.strip() for name, value in fields})
    basis = written.get("basis", "")
    given = {name: value for name, value in written.items() if value and name not in {"basis", "csrf_token"}}
    nested: dict[str, Any] = {"scenario": nest({n: v for n, v in given.items() if n not in {"runs", "seed"}})}
    nested |= {name: given[name] for name in ("runs", "seed") if name in given}
    try:
        wish = ScenarioIn.model_validate(nested)
    except ValidationError as error:
        found = (problem_of(detail) for detail in error.errors(include_url=False))
        return Reading(written, None, dict(reversed(list(found))))
    problems = _closure_problems(wish.scenario, corridor)
    if problems:
        return Reading(written, None, problems)
    return Reading(written, wish.model_copy(update={"scenario": _with_sources(wish.scenario, basis)}))


def renumber(fields: Mapping[str, str]) -> Written:
    """The fields without empty rows, the rows of each list numbered from 0."""
    rows: dict[tuple[str, int], dict[str, str]] = {}
    kept: Written = {}
    for name, value in fields.items():
        match = ROW_FIELD.fullmatch(name)
        if match is None:
            kept[name] = value
        else:
            rows.setdefault((match[1], int(match[2])), {})[match[3]] = value
    count = dict.fromkeys(ROWS, 0)
    for kind, number in sorted(rows):
        row = rows[kind, number]
        if any(row.get(name) for name in ROWS[kind]):
            kept |= {f"change.{kind}.{count[kind]}.{name}": value for name, value in row.items()}
            count[kind] += 1
    return kept


def row_count(written: Mapping[str, str], kind: str) -> int:
    """How many rows of a list of changes are filled."""
    numbers = [int(match[2]) for name in written if (match := ROW_FIELD.fullmatch(name)) and match[1] == kind]
    return max(numbers, default=-1) + 1


def nest(fields: Mapping[str, str]) -> dict[str, Any]:
    """Dotted names as nested records and lists."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *path, last = name.split(".")
        here = tree
        for part in path:
            here = here.setdefault(part, {})
        here[last] = _from_percent(value) if last in PERCENT else value
    result = _with_lists(tree)
    assert isinstance(result, dict)
    return result


def flatten(values: Any, path: str = "") -> Written:
    """A scenario's record as the form's fields."""
    written: Written = {}
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    for key, value in pairs:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping | list | tuple):
            written |= flatten(value, name)
        elif isinstance(value, float | int):
            written[name] = f"{100 * value if key in PERCENT else value:.10g}"
        elif value is not None:
            written[name] = str(value)
    return written


def fields_of(scenario: Scenario, language: str, *, basis: str = "") -> Written:
    """What stands in the form for a scenario, its title in the reader's language."""
    record = scenario.model_dump(mode="json", exclude_none=True)
    title = record.pop("title").get(language)
    return flatten(record | {"name": title or scenario.name}) | {"basis": basis}


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [_with_lists(tree[key]) for key in sorted(tree, key=int)]
    return {key: _with_lists(value) for key, value in tree.items()}


def _from_percent(written: str) -> float | str:
    try:
        return float(written) / 100.0
    except ValueError:
        return written


def problem_of(detail: ErrorDetails) -> tuple[str, Problem]:
    """The field and what is wrong there."""
    path = [str(part) for part in detail["loc"]]
    name = ".".join(path[1:] if path[:1] == ["scenario"] else path)
    kind, values = detail["type"], dict(detail.get("ctx", {}))
    if kind == "value_error":
        for part, own, message in OWN_RULES:
            if part in detail["msg"]:
                return (f"{name}.{own}" if own else name), Problem(message)
    if kind in MESSAGES:
        scale = 100.0 if path[-1:] and path[-1] in PERCENT else 1.0
        limits = {key: f"{scale * value:g}" for key, value in values.items() if isinstance(value, int | float)}
        return name, Problem(MESSAGES[kind], limits)
    if kind.startswith("int_"):
        return name, Problem(WHOLE_NUMBER)
    if kind.startswith("float_") or kind == "finite_number":
        return name, Problem(NUMBER)
    return name, Problem(detail["msg"].removeprefix("Value error, ") if kind == "value_error" else REFUSED)


def _closure_problems(scenario: Scenario, corridor: Corridor) -> dict[str, Problem]:
    """Kilometres that a closed road does not have."""
    problems = {}
    for number, closure in enumerate(scenario.change.closures):
        for name in ("km_from", "km_to"):
            try:
                corridor.place_at(
                    closure.road,
                    [getattr(closure, name)],
                    "from_border" if closure.direction == "from_border" else "to_border",
                )
            except CuaKhauError as error:
                problems[f"change.closures.{number}.{name}"] = Problem(error.message, error.values)
    return problems


def _with_sources(scenario: Scenario, basis: str) -> Scenario:
    """The scenario; a base taken from the library and changed says so."""
    taken = library().get(basis)
    if taken is None or scenario.world == taken.world or EDITED_SOURCE in scenario.sources:
        return scenario
    return scenario.model_copy(update={"sources": (*scenario.sources, EDITED_SOURCE)})
