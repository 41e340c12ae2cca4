"""The form of a gate's profile: its fields, what was written in it as values, and values as what stands in it.

A field is named by its place in `GateValues`, such as "exports.lanes"; holidays are rows, such as
"exports.hours.holidays.0.day" and "….open". Knows no request and no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from app.gates.profile import MAX_HOURS_CHARACTERS, MAX_SERVED_KM, DirectionProfile, GateValues
from app.platform.labels import N_
from app.web.forms import Field, Problem, Reading, RecordForm, Written, fields_of
from geo.errors import InvalidInputError
from geo.opening_hours import parse_intervals

LISTS: Final = ("regimes", "goods", "hazards", "collectors")
DIRECTIONS: Final = {"exports": N_("Exports: to China"), "imports": N_("Imports: to Viet Nam")}
NUMBERS: Final = fields_of(DirectionProfile)
HOURS: Final = {
    "intervals": Field(
        kind="text",
        label=N_("Opening hours"),
        help=N_("local time; 22:00–05:00 runs past midnight; empty: closed"),
        length=MAX_HOURS_CHARACTERS,
        placeholder="07:00–11:30, 13:00–19:00",
    ),
    "breaks": Field(
        kind="text",
        label=N_("Breaks"),
        help=N_("taken out of the opening hours of every regular day"),
        length=MAX_HOURS_CHARACTERS,
        placeholder="11:30–13:00",
    ),
}
HOLIDAY: Final = {
    "day": Field(kind="date", label=N_("Holiday")),
    "open": Field(
        kind="text",
        label=N_("Open on that day"),
        length=MAX_HOURS_CHARACTERS,
        placeholder="08:00–11:00",
    ),
}
EFFECTIVE_FROM: Final = Field(kind="time", label=N_("In force from"), help=N_("empty: at once"))
SERVED: Final = Field(
    kind="decimal",
    label=N_("Where trucks are served, kilometre from the border"),
    unit="km",
    help=N_("empty: as learned from where trucks stood last, else at the barrier"),
    minimum=0,
    maximum=MAX_SERVED_KM,
    placeholder="1.05",
)
BLANK_ROWS: Final = 2
"""So many empty rows for holidays follow those that are filled."""
_HOLIDAY_FIELD: Final = re.compile(r"(exports|imports)\.hours\.holidays\.(\d{1,4})\.(day|open)")

GATE_FORM: Final = RecordForm(GateValues, {**NUMBERS, **HOURS, "served_km": SERVED})


@dataclass(frozen=True)
class GateForm:
    """What stands in the form: its fields as texts, and the chosen values of those that take several."""

    texts: Written
    chosen: Mapping[str, tuple[str, ...]]

    def rows(self, direction: str) -> range:
        """The numbers of the rows for holidays of a direction, some empty ones at the end."""
        filled = [
            int(found[2]) for name in self.texts if (found := _HOLIDAY_FIELD.fullmatch(name)) and found[1] == direction
        ]
        return range(max(filled, default=-1) + 1 + BLANK_ROWS)

    @classmethod
    def sent(cls, pairs: list[tuple[str, str]]) -> GateForm:
        """What a browser sent; rows that are empty are left out and the others counted again from 0."""
        texts = {name: value.strip() for name, value in pairs if name not in LISTS}
        rows: dict[tuple[str, int], dict[str, str]] = {}
        for name in list(texts):
            if found := _HOLIDAY_FIELD.fullmatch(name):
                rows.setdefault((found[1], int(found[2])), {})[found[3]] = texts.pop(name)
        for direction in DIRECTIONS:
            kept = [row for (of, _), row in sorted(rows.items()) if of == direction and any(row.values())]
            texts |= {
                f"{direction}.hours.holidays.{number}.{part}": row.get(part, "")
                for number, row in enumerate(kept)
                for part in HOLIDAY
            }
        return cls(texts, {name: tuple(value for key, value in pairs if key == name) for name in LISTS})

    @classmethod
    def of(cls, values: GateValues) -> GateForm:
        """The form that stands for values."""
        plain = values.model_dump(include={*DIRECTIONS, "served_km"})
        holidays = {name: plain[name]["hours"].pop("holidays") for name in DIRECTIONS}
        texts = GATE_FORM.write(plain)
        for name, days in holidays.items():
            for number, (day, hours) in enumerate(days.items()):
                texts |= {f"{name}.hours.holidays.{number}.day": day, f"{name}.hours.holidays.{number}.open": hours}
        return cls(texts, {name: getattr(values, name) for name in LISTS})

    def read(self) -> Reading[GateValues]:
        """The values, or what is wrong with which field."""
        days, problems = self._read_holidays()
        of_profile = tuple(f"{name}." for name in DIRECTIONS)
        written: dict[str, object] = {
            name: text
            for name, text in self.texts.items()
            if name.startswith(of_profile) and not _HOLIDAY_FIELD.fullmatch(name)
        }
        written["served_km"] = self.texts.get("served_km") or None
        reading = GATE_FORM.read(written | days | dict(self.chosen))
        found = (*(_at_field(problem) for problem in reading.problems), *problems)
        return Reading(None if found else reading.record, found)

    def _read_holidays(self) -> tuple[dict[str, dict[str, str]], list[Problem]]:
        """ISO date → hours of each direction, by the field's name, and what is wrong with single rows."""
        found: dict[str, dict[str, str]] = {}
        problems = []
        for name in (name for name in self.texts if name.endswith(".day") and _HOLIDAY_FIELD.fullmatch(name)):
            row = name.removesuffix(".day")
            days = found.setdefault(row.rpartition(".")[0], {})
            try:
                day = _read_day(self.texts[name], days)
            except InvalidInputError as error:
                problems.append(Problem(name, error.message, error.values))
                continue
            try:
                parse_intervals(self.texts[f"{row}.open"])
                days[day] = self.texts[f"{row}.open"]
            except InvalidInputError as error:
                problems.append(Problem(f"{row}.open", error.message, error.values))
        return found, problems


def _read_day(text: str, known: Mapping[str, str]) -> str:
    if not text:
        raise InvalidInputError("Choose the date of these hours.", field="day")
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidInputError("{value} is no date; write it like 2026-02-17.", field="day", value=text) from None
    if day in known:
        raise InvalidInputError("{value} stands twice; give each date once.", field="day", value=day)
    return day


def _at_field(problem: Problem) -> Problem:
    """A problem of hours as a whole stands at the field for the regular ones."""
    name = re.sub(r"\.hours(\.hours)?$", ".hours.intervals", problem.field)
    return replace(problem, field=name.replace(".hours.breaks.breaks", ".hours.breaks"))
