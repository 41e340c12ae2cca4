"""The form of what-ifs: what is written in it as a scenario, and a scenario as what stands in the form.

A field is named by its place in the scenario, "change.closures.0.km_from" or "variants.1.change.gates.huu-nghi.lanes",
so that an error finds its field. New gates, yards and roads are written as one text of GeoJSON, "additions".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from app.planning.endpoints import ScenarioIn
from app.planning.fields import STUDY_FORM
from app.platform.labels import N_
from app.web.forms import Problem, Written
from geo.corridor import Corridor
from geo.errors import CuaKhauError
from routing.scenario import Change, Scenario, library
from routing.scenario_additions import extend

ROWS: Final = {
    "demand": ("factor",),
    "closures": ("km_from", "km_to", "to_h"),
    "diversions": ("share",),
    "holds": ("until_h",),
    "bans": ("to_h",),
}
"""Lists of changes, and the fields without which a row counts as empty."""
ROW_FIELD: Final = re.compile(r"((?:variants\.\d+\.)?change\.(?:demand|closures|diversions|holds|bans))\.(\d+)\.(\w+)")
VARIANT_FIELD: Final = re.compile(r"variants\.(\d+)\.(.+)")
RUN_FIELDS: Final = frozenset({"runs", "seed"})
ADDITIONS: Final = "additions"
EDITED_SOURCE: Final = "values of the base changed by the planner: assumed"
NO_GEOJSON: Final = N_("Give GeoJSON: a FeatureCollection, or a list of features.")
NOTHING_CHANGED: Final = N_("Change something in this variant, or remove it.")


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
    given: dict[str, Any] = {
        name: value for name, value in written.items() if value and name not in {"basis", "csrf_token", "act"}
    }
    if ADDITIONS in given:
        try:
            given[ADDITIONS] = read_features(given[ADDITIONS])
        except ValueError:
            return StudyReading(written, None, (Problem(ADDITIONS, NO_GEOJSON),))
    for number in variant_numbers(written):
        if not any(name.startswith(f"variants.{number}.change.") for name in given):
            given[f"variants.{number}.change"] = {}
    nested = {name if name in RUN_FIELDS else f"scenario.{name}": value for name, value in given.items()}
    reading = STUDY_FORM.read(nested)
    if reading.record is None:
        return StudyReading(written, None, reading.problems)
    scenario = reading.record.scenario
    if problems := (*_closure_problems(scenario, corridor), *_empty_variants(scenario)):
        return StudyReading(written, None, problems)
    return StudyReading(written, reading.record.model_copy(update={"scenario": _with_sources(scenario, basis)}))


def read_features(text: str) -> list[Any]:
    """The features of a text of GeoJSON.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(value, dict):
        value = value["features"] if value.get("type") == "FeatureCollection" and "features" in value else [value]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("no list of features")
    return value


def extended_corridor(corridor: Corridor, written: Mapping[str, str]) -> Corridor:
    """The corridor with what the form adds, or as it is while that cannot be read."""
    text = written.get(ADDITIONS, "")
    try:
        return extend(corridor, read_features(text)) if text else corridor
    except (ValueError, CuaKhauError):
        return corridor


def renumber(fields: Mapping[str, str]) -> Written:
    """The fields without empty rows, the rows of each list numbered from 0, and the variants as well."""
    rows: dict[tuple[str, int], dict[str, str]] = {}
    kept: Written = {}
    for name, value in _variants_in_order(fields).items():
        match = ROW_FIELD.fullmatch(name)
        if match is None:
            kept[name] = value
        else:
            rows.setdefault((match[1], int(match[2])), {})[match[3]] = value
    count: Counter[str] = Counter()
    for path, number in sorted(rows):
        row = rows[path, number]
        if any(row.get(name) for name in ROWS[path.rsplit(".", 1)[1]]):
            kept |= {f"{path}.{count[path]}.{name}": value for name, value in row.items()}
            count[path] += 1
    return kept


def _variants_in_order(fields: Mapping[str, str]) -> Written:
    places = {number: place for place, number in enumerate(variant_numbers(fields))}

    def renamed(name: str) -> str:
        match = VARIANT_FIELD.fullmatch(name)
        return name if match is None else f"variants.{places[int(match[1])]}.{match[2]}"

    return {renamed(name): value for name, value in fields.items()}


def variant_numbers(written: Mapping[str, str]) -> list[int]:
    """The numbers of the variants beside the first, in order."""
    return sorted({int(match[1]) for name in written if (match := VARIANT_FIELD.fullmatch(name))})


def row_counts(written: Mapping[str, str]) -> dict[str, int]:
    """How many rows of each list of changes are filled, by where the list stands."""
    count: Counter[str] = Counter()
    for name in written:
        if match := ROW_FIELD.fullmatch(name):
            count[match[1]] = max(count[match[1]], int(match[2]) + 1)
    return dict(count)


def edit_variants(fields: Iterable[tuple[str, str]], act: str) -> Written:
    """The form with a variant more or less: `add`, `copy:change`, `copy:2` or `remove:2`.

    Anything else changes nothing.
    """
    written = renumber({name: value.strip() for name, value in fields if name != "act"})
    verb, _, which = act.partition(":")
    more = len(variant_numbers(written))
    if verb == "add":
        return written | {f"variants.{more}.name": ""}
    source = "change." if which == "change" else f"variants.{which}.change."
    if verb == "copy":
        copied = {
            f"variants.{more}.change.{name.removeprefix(source)}": value
            for name, value in written.items()
            if name.startswith(source)
        }
        titles = (value for key, value in written.items() if value and key.startswith("change_title."))
        name = next(titles, "") if which == "change" else written.get(f"variants.{which}.name", "")
        return written | {f"variants.{more}.name": f"{name} ({more + 2})" if name else ""} | copied
    if verb == "remove" and which.isdigit():
        return renumber({name: value for name, value in written.items() if not name.startswith(f"variants.{which}.")})
    return written


def fields_of(scenario: Scenario, language: str, *, basis: str = "") -> Written:
    """What stands in the form for a scenario, its titles in the reader's language."""
    record = scenario.model_dump(mode="json", exclude_none=True)
    title = record.pop("title").get(language)
    additions = record.pop("additions")
    for variant in record["variants"]:
        variant["name"] = variant.pop("title").get(language) or variant["name"]
    written = STUDY_FORM.write(record | {"name": title or scenario.name}) | {"basis": basis}
    if additions:
        written[ADDITIONS] = json.dumps(
            {"type": "FeatureCollection", "features": additions}, ensure_ascii=False, indent=1
        )
    return written


def _changes(scenario: Scenario) -> list[tuple[str, Change]]:
    """All changes of a scenario, with where each stands in the form."""
    more = ((f"variants.{i}.change", variant.change) for i, variant in enumerate(scenario.variants))
    return [("change", scenario.change), *more]


def _empty_variants(scenario: Scenario) -> list[Problem]:
    """Variants that would be the base once more."""
    return [
        Problem(f"{path.removesuffix('.change')}.name", NOTHING_CHANGED)
        for path, change in _changes(scenario)
        if path != "change" and change == Change()
    ]


def _closure_problems(scenario: Scenario, corridor: Corridor) -> list[Problem]:
    """Kilometres that a closed road does not have."""
    problems = []
    for path, change in _changes(scenario):
        for number, closure in enumerate(change.closures):
            for name in ("km_from", "km_to"):
                try:
                    corridor.place_at(
                        closure.road,
                        [getattr(closure, name)],
                        "from_border" if closure.direction == "from_border" else "to_border",
                    )
                except CuaKhauError as error:
                    problems.append(Problem(f"{path}.closures.{number}.{name}", error.message, error.values))
    return problems


def _with_sources(scenario: Scenario, basis: str) -> Scenario:
    """The scenario; a base taken from the library and changed says so."""
    taken = library().get(basis)
    if taken is None or scenario.world == taken.world or EDITED_SOURCE in scenario.sources:
        return scenario
    return scenario.model_copy(update={"sources": (*scenario.sources, EDITED_SOURCE)})
