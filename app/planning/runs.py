"""Scenario runs as the planner's pages show them: lists, series for charts and for a spreadsheet, the present state."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict

from sqlalchemy.orm import Session

from app.accounts.service import account_names
from app.platform.labels import N_
from app.web.i18n import LANGUAGES
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import ConflictError
from geo.text import fold
from maps.comparison import Record
from routing import store as routing_store
from routing.scenario import Scenario, World
from routing.scenario_records import PlaceCurves, ResultRecord
from routing.tables import ScenarioRunRow

STATUS_NAMES: Final = {
    "queued": N_("Waiting"),
    "running": N_("Running"),
    "done": N_("Finished"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
STATUS_ICONS: Final = {
    "queued": "clock-pause",
    "running": "player-play",
    "done": "circle-check",
    "failed": "alert-octagon",
    "cancelled": "ban",
}
MIN_STRETCH_KM: Final = 2.0
MAX_NAME: Final = 60
"""Characters of a study in the name of a file."""
ORDINARY: Final = "ordinary-day"
NOW_SOURCE: Final = N_("the state of the corridor when the study is started, and the demand of the live forecast")


@dataclass(frozen=True)
class RunSummary:
    """A run in a line: title and author for the reader, when, how far."""

    run_id: uuid.UUID
    title: str
    created_by: str
    status: str
    progress: float
    runs: int
    seed: int
    code_version: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


def list_runs(session: Session, language: str, *, limit: int = 30) -> list[RunSummary]:
    """The newest runs of all planners."""
    rows = routing_store.scenario_runs(session, limit=limit)
    names = account_names(session, (row.created_by for row in rows))
    return [summarise(row, names, language) for row in rows]


def file_name(row: ScenarioRunRow, ending: str, part: str = "") -> str:
    """What a file of a run is called: after its study, in signs that every computer takes, and the day it was run."""
    name = row.inputs["scenario"].get("name", "")
    study = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:MAX_NAME] or str(row.run_id)
    day = row.created_at.astimezone(LOCAL_ZONE).strftime("%Y%m%d")
    return "-".join(filter(None, (study, day, part))) + f".{ending}"


def title_of(row: ScenarioRunRow, language: str) -> str:
    """What a run is called in a language."""
    scenario = row.inputs["scenario"]
    return scenario.get("title", {}).get(language) or scenario.get("name", "")


def summarise(row: ScenarioRunRow, names: Mapping[int, str], language: str) -> RunSummary:
    """A run in a line, in the reader's language."""
    return RunSummary(
        run_id=row.run_id,
        title=title_of(row, language),
        created_by=names.get(row.created_by, ""),
        status=row.status,
        progress=row.progress,
        runs=row.inputs["runs"],
        seed=row.seed,
        code_version=row.code_version,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
    )


def get_result(row: ScenarioRunRow) -> ResultRecord:
    """What a finished run found.

    Raises
    ------
    ConflictError
        If it has no result (yet).
    """
    if row.result is None:
        raise ConflictError(
            "Scenario run {run_id} has no result: it is {status}.", run_id=str(row.run_id), status=row.status
        )
    return row.result


def present_scenario(now: datetime) -> Scenario:
    """A base that begins with the corridor as it is: the trucks, the queues and the demand of the live forecast."""
    local = now.astimezone(LOCAL_ZONE)
    return Scenario(
        name="now",
        title={"vi": "Từ hiện trạng", "en": "From the present state", "zh": "从当前状态出发"},
        sources=(NOW_SOURCE,),
        start=f"{local:%H:%M}",
        horizon_h=12.0,
        world=World(begins="now"),
    )


class ChartData(TypedDict):
    """What the charts of a run need."""

    start: str
    step_s: float
    quantiles: list[float]
    gates: dict[str, PlaceCurves]
    yards: dict[str, PlaceCurves]


def chart_data(record: Record) -> ChartData:
    """What the charts of a run need."""
    return {
        "start": record["start"],
        "step_s": record["step_s"],
        "quantiles": record["quantiles"],
        "gates": record["gates"],
        "yards": record["yards"],
    }


@dataclass(frozen=True)
class Stretch:
    """A road between two places that people know, `near` and `far` their names by language."""

    road: str
    km_from: float
    km_to: float
    near: Mapping[str, str]
    far: Mapping[str, str]


def list_stretches(corridor: Corridor) -> list[Stretch]:
    """Stretches of road between neighbouring places that people know, for picking one to close."""
    found = []
    for road in corridor.road_names():
        places = sorted(
            (
                (site.km, site.name)
                for kind in ("gate", "staging", "camera")
                for site in corridor.sites_of(kind)
                if site.road == road
            ),
            key=lambda place: place[0],
        )
        kept: list[tuple[float, Mapping[str, str]]] = []
        for km, name in places:
            if not kept or km - kept[-1][0] >= MIN_STRETCH_KM:
                kept.append((km, name))
        end_km = corridor.km_span(road)[1]
        kept.append((end_km, dict.fromkeys(LANGUAGES, f"km {end_km:.1f}")))
        found += [Stretch(road, near[0], far[0], near[1], far[1]) for near, far in itertools.pairwise(kept)]
    return found
