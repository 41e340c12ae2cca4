"""The form of what-ifs: what is written in it as a scenario, and a scenario as what stands in the form.

A field is named by its place in the scenario, "change.closures.0.km_from", so that an error finds its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from app.planning.endpoints import ScenarioIn
from app.planning.fields import STUDY_FORM
from app.web.forms import Problem, Written
from geo.corridor import Corridor
from geo.errors import CuaKhauError
from routing.scenario import Scenario, library

ROWS: Final = {
    "demand": ("factor",),
    "closures": ("km_from", "km_to", "to_h"),
    "diversions": ("share",),
    "holds": ("until_h",),
}
"""Lists of changes, and the fields without which a row counts as empty."""
ROW_FIELD: Final = re.compile(r"change\.(demand|closures|diversions|holds)\.(\d+)\.(\w+)")
RUN_FIELDS: Final = frozenset({"runs", "seed"})
EDITED_SOURCE: Final = "values of the base changed by the planner: assumed"


async def sent_fields(request: Request) -> list[tuple[str, str]]:
    """The text fields of a sent form, in order."""
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


SentFields = Annotated[list[tuple[str, str]], Depends(sent_fields)]


@dataclass(frozen=True)
class StudyReading:
    """What a form holds: its fields with rows renumbered, and either the wish or the problems."""

    written: Written
    wish: ScenarioIn | None = None
    problems: tuple[Problem, ...] = ()


def read_form(fields: Iterable[tuple[str, str]], corridor: Corridor) -> StudyReading:
    """What a sent form asks for."""
    written = renumber({name: value.strip() for name, value in fields})
    basis = written.get("basis", "")
    given = {name: value for name, value in written.items() if value and name not in {"basis", "csrf_token"}}
    nested = {name if name in RUN_FIELDS else f"scenario.{name}": value for name, value in given.items()}
    reading = STUDY_FORM.read(nested)
    if reading.record is None:
        return StudyReading(written, None, reading.problems)
    scenario = reading.record.scenario
    if problems := _closure_problems(scenario, corridor):
        return StudyReading(written, None, problems)
    return StudyReading(written, reading.record.model_copy(update={"scenario": _with_sources(scenario, basis)}))


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


def fields_of(scenario: Scenario, language: str, *, basis: str = "") -> Written:
    """What stands in the form for a scenario, its title in the reader's language."""
    record = scenario.model_dump(mode="json", exclude_none=True)
    title = record.pop("title").get(language)
    return STUDY_FORM.write(record | {"name": title or scenario.name}) | {"basis": basis}


def _closure_problems(scenario: Scenario, corridor: Corridor) -> tuple[Problem, ...]:
    """Kilometres that a closed road does not have."""
    problems = []
    for number, closure in enumerate(scenario.change.closures):
        for name in ("km_from", "km_to"):
            try:
                corridor.place_at(
                    closure.road,
                    [getattr(closure, name)],
                    "from_border" if closure.direction == "from_border" else "to_border",
                )
            except CuaKhauError as error:
                problems.append(Problem(f"change.closures.{number}.{name}", error.message, error.values))
    return tuple(problems)


def _with_sources(scenario: Scenario, basis: str) -> Scenario:
    """The scenario; a base taken from the library and changed says so."""
    taken = library().get(basis)
    if taken is None or scenario.world == taken.world or EDITED_SOURCE in scenario.sources:
        return scenario
    return scenario.model_copy(update={"sources": (*scenario.sources, EDITED_SOURCE)})
