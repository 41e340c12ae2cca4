"""A study of the library in one page: what would have helped, by how much, how sure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy.orm import Session

from geo.errors import NotFoundError
from maps.variants import ranking, titles_of, variants_of
from routing import store as routing_store
from routing.scenario import Scenario, library, parse_scenario
from routing.scenario_records import ResultRecord, TotalRecord
from routing.tables import ScenarioRunRow

RUNS: Final = 200
SEED: Final = 2021
MAX_RUNS_SEARCHED: Final = 200

Verdict = Literal["better", "worse", "unclear", "same"]


@dataclass(frozen=True)
class Saving:
    """What a variant saves of one total: mean, and its 95 % interval, lower bound first."""

    mean: float
    interval95: tuple[float, float]
    verdict: Verdict

    @classmethod
    def of(cls, total: TotalRecord, divisor: float = 1.0) -> Saving:
        """Base less variant, in units of `divisor`; what is nothing of whole units is no difference."""
        low, high = (0.0 - value / divisor for value in reversed(total["interval95"]))
        if round(low) == round(high) == 0:
            verdict: Verdict = "same"
        elif not total["significant"]:
            verdict = "unclear"
        else:
            verdict = "better" if total["difference"] < 0 else "worse"
        return cls(mean=0.0 - total["difference"] / divisor, interval95=(low, high), verdict=verdict)


@dataclass(frozen=True)
class Answer:
    """One variant: what it saves of truck-hours, spoiled goods and cost, and how many more trucks cross."""

    number: int
    """Which of the study's variants, from 0."""
    title: str
    truck_hours: Saving
    share: float
    """Of the base's truck-hours."""
    spoiled_t: Saving
    cost_million_vnd: Saving
    more_crossed_veh: float


@dataclass(frozen=True)
class Answers:
    """All variants, those that save the most truck-hours first; the base's totals; the scale of the bars."""

    ranked: tuple[Answer, ...]
    base_truck_hours: float
    base_spoiled_t: float
    base_cost_million_vnd: float
    scale_truck_hours: float


def get_library(name: str) -> Scenario:
    """A scenario of the library; raises NotFoundError."""
    known = library()
    if name not in known:
        raise NotFoundError("There is no scenario {name} in the library.", name=name)
    return known[name]


def find_run(session: Session, scenario: Scenario) -> ScenarioRunRow | None:
    """The newest run of just this scenario that has been, or may yet be, worked on; none if there is none."""
    for row in routing_store.scenario_runs(session, limit=MAX_RUNS_SEARCHED):
        is_alive = row.status in ("queued", "running", "done")
        if is_alive and row.inputs["scenario"].get("name") == scenario.name:
            has_variants = row.result is None or "variants" in row.result
            if has_variants and parse_scenario(row.inputs["scenario"]) == scenario:
                return row
    return None


def rank_variants(record: ResultRecord, language: str, translate: Callable[[str], str]) -> Answers:
    """What the variants of a finished study save, titles in the reader's language."""
    found = []
    variants, titles = variants_of(record), titles_of(record, language, translate)
    for number in ranking(record):
        summary = variants[number]["summary"]
        hours = Saving.of(summary["truck_hours"])
        base = summary["truck_hours"]["base"]
        found.append(
            Answer(
                number=number,
                title=titles[number],
                truck_hours=hours,
                share=hours.mean / base if base else 0.0,
                spoiled_t=Saving.of(summary["spoiled_t"]),
                cost_million_vnd=Saving.of(summary["cost_vnd"], 1e6),
                more_crossed_veh=summary["crossed_veh"]["difference"],
            )
        )
    ranked = tuple(found)
    first = record["summary"]
    return Answers(
        ranked=ranked,
        base_truck_hours=first["truck_hours"]["base"],
        base_spoiled_t=first["spoiled_t"]["base"],
        base_cost_million_vnd=first["cost_vnd"]["base"] / 1e6,
        scale_truck_hours=max((abs(answer.truck_hours.mean) for answer in ranked), default=0.0) or 1.0,
    )
