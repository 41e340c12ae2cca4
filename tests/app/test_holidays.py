"""Public holidays of both countries: complete for 2026 and 2027, told to who declares, shown with gates' hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient

from app.declarations import checks
from app.declarations.form import read
from app.gates.holidays import Country, Occasion, coming, holidays_on, lunar_new_year, unsettled
from app.gates.profile import GateValues, default_profiles
from app.platform.runtime import Runtime
from geo.corridor import Corridor
from tests.app.declaring import declaration_body
from tests.app.stationing import Gate
from tests.conftest import NOW

TET_2027 = date(2027, 2, 6)


def closed_on(gate: GateValues, day: date, hours: str) -> GateValues:
    record = gate.model_dump()
    for name in ("exports", "imports"):
        record[name]["hours"]["holidays"] = {day.isoformat(): hours}
    return GateValues.model_validate({name: record[name] for name in GateValues.model_fields})


@pytest.mark.parametrize(
    ("country", "year", "days"),
    [
        # Labour Code 2019 art. 112 and Resolution 80-NQ/TW
        ("VN", 2026, ["01-01", "02-17", "02-18", "02-19", "04-26", "04-30", "05-01", "09-01", "09-02", "11-24"]),
        ("VN", 2027, ["01-01", "02-05", "02-06", "02-07", "04-16", "04-30", "05-01", "09-02", "09-03", "11-24"]),
        # State Council decree on holidays, as revised in 2024
        ("CN", 2026, ["01-01", "02-16", "02-17", "04-05", "05-01", "05-02", "06-19", "09-25", "10-01", "10-03"]),
        ("CN", 2027, ["01-01", "02-05", "02-06", "04-05", "05-01", "05-02", "06-09", "09-15", "10-01", "10-03"]),
    ],
)
def test_the_statutory_days_are_all_there(country: str, year: int, days: list[str]) -> None:
    known = {holiday.day for holiday in coming(date(year, 1, 1), date(year, 12, 31)) if holiday.country == country}
    assert {date.fromisoformat(f"{year}-{day}") for day in days} <= known
    assert len(known) >= 13


@pytest.mark.parametrize("year", [2024, 2026, 2031, 2045])
def test_every_day_has_names_and_a_country(year: int) -> None:
    found = coming(date(year, 1, 1), date(year, 12, 31))
    assert [day.day for day in found] == sorted(holiday.day for holiday in found)
    assert {holiday.country for holiday in found} == set(Country)
    for holiday in found:
        assert holiday in holidays_on(holiday.day)
        assert all(holiday.name[language] for language in ("vi", "en", "zh"))
        assert holiday.name["vi"] != holiday.name["zh"]  # both are translated, not the package's own
    for day in {holiday.day for holiday in found}:
        assert len({holiday.country for holiday in holidays_on(day)}) == len(holidays_on(day))


def test_two_holidays_on_one_day_are_both_named() -> None:
    """In 2020 the Mid-Autumn Festival fell on China's National Day."""
    (only,) = holidays_on(date(2020, 10, 1))
    assert {"National Day", "Mid-Autumn Festival"} == set(only.name["en"].split(", "))


@pytest.mark.parametrize(
    ("year", "day"), [(2024, "02-10"), (2025, "01-29"), (2026, "02-17"), (2027, "02-06"), (2033, "01-31")]
)
def test_the_lunar_year_begins_where_the_calendar_says(year: int, day: str) -> None:
    assert lunar_new_year(year) == date.fromisoformat(f"{year}-{day}")
    assert {holiday.occasion for holiday in holidays_on(lunar_new_year(year))} == {Occasion.LUNAR_NEW_YEAR}


def test_a_holiday_is_settled_when_the_profile_says_how_the_gate_works(corridor: Corridor) -> None:
    gate = default_profiles(corridor)["huu-nghi"].values()
    assert {holiday.country for holiday in unsettled(gate, "export", TET_2027)} == set(Country)
    for hours in ("", "08:00–11:00"):
        assert unsettled(closed_on(gate, TET_2027, hours), "export", TET_2027) == ()


def test_who_declares_for_a_holiday_is_told(corridor: Corridor) -> None:
    gate = default_profiles(corridor)["huu-nghi"].values()
    now = datetime(2027, 1, 20, tzinfo=UTC)
    form, problems = read(declaration_body(datetime(2027, 2, 6, 3, tzinfo=UTC)))
    assert problems == []

    def notes(profile: GateValues) -> list[str]:
        found = checks.check(form, checks.Surroundings(now, {"huu-nghi": profile}))
        return [problem.text() for problem in found if problem.field == "planned_arrival" and problem.is_note]

    assert [note for note in notes(gate) if "Tết" in note]
    closed = notes(closed_on(gate, TET_2027, ""))
    assert [note for note in closed if "closed" in note]
    assert not [note for note in closed if "public holiday" in note]


def test_the_page_shows_the_days_ahead(runtime: Runtime, sign_in: Callable[..., TestClient]) -> None:
    page = Gate.open(runtime, sign_in).person("planner").get("/gate-notices").text
    assert NOW.date() < date(2026, 4, 26)
    assert "26/04/2026" in page
    assert "not set: regular hours" in page
