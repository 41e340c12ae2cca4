"""Scenario runs as the planner's pages show them: lists, series for charts and for a spreadsheet, the present state."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.accounts.service import account_names
from app.platform.labels import N_
from app.web.i18n import LANGUAGES
from capacity import store as capacity_store
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import ConflictError
from maps.comparison import WORLDS, local_clock
from routing import store as routing_store
from routing.scenario import Scenario, library
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
SHORTEST_STRETCH_KM: Final = 2.0
ORDINARY: Final = "ordinary-day"
SEEN_WITHIN: Final = timedelta(minutes=10)
NOW_SOURCE: Final = "trucks standing: yards' ledgers and queues measured from positions at {time}"


def list_runs(session: Session, language: str, *, limit: int = 30) -> list[dict[str, Any]]:
    """The newest runs of all planners."""
    rows = routing_store.scenario_runs(session, limit=limit)
    names = account_names(session, (row.created_by for row in rows))
    return [summarise(row, names, language) for row in rows]


def summarise(row: ScenarioRunRow, names: Mapping[int, str], language: str) -> dict[str, Any]:
    """A run in a line: title, who, when, how far."""
    scenario = row.inputs.get("scenario", {})
    columns = (
        "run_id",
        "status",
        "progress",
        "created_at",
        "started_at",
        "finished_at",
        "error",
        "seed",
        "code_version",
    )
    return {name: getattr(row, name) for name in columns} | {
        "title": scenario.get("title", {}).get(language) or scenario.get("name", ""),
        "created_by": names.get(row.created_by, ""),
        "runs": row.inputs.get("runs", 0),
        "scenario": scenario,
    }


def get_result(row: ScenarioRunRow) -> dict[str, Any]:
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


def present_scenario(session: Session, corridor: Corridor, now: datetime) -> Scenario:
    """A base that begins with the trucks that stand at the gates now; who comes is as on an ordinary day (assumed)."""
    ordinary = library()[ORDINARY]
    gates = dict(ordinary.world.gates)
    yards = capacity_store.yard_states(session, now)
    for gate in corridor.gates():
        seen = routing_store.queue_observations(session, gate.site_id, now - SEEN_WITHIN, now + timedelta(seconds=1))
        inside = sum(yard.inside_veh for yard in yards if yard.gate_id == gate.site_id and yard.kind == "yard")
        if gate.site_id in gates:
            standing = max(0, inside) + round(seen[-1].queue_veh if seen else 0.0)
            gates[gate.site_id] = gates[gate.site_id].model_copy(update={"standing_veh": standing})
    local = now.astimezone(LOCAL_ZONE)
    source = NOW_SOURCE.format(time=local.isoformat(timespec="minutes"))
    return Scenario(
        name="now",
        title={"vi": "Từ hiện trạng", "en": "From the present state", "zh": "从当前状态出发"},
        sources=(source, *ordinary.sources),
        start=f"{local:%H:%M}",
        horizon_h=12.0,
        world=ordinary.world.model_copy(update={"gates": gates}),
    )


def series_csv(record: Mapping[str, Any]) -> str:
    """All series of a result as CSV: one line a moment, place, measure and world."""
    buffer = io.StringIO()
    lines = csv.writer(buffer)
    quantiles = [f"p{round(100 * q)}" for q in record["quantiles"]]
    lines.writerow(["seconds_since_start", "local_time", "kind", "place", "measure", "world", *quantiles])
    for kind, places in (("gate", record["gates"]), ("yard", record["yards"])):
        for place, measures in places.items():
            for measure, worlds in measures.items():
                for world in WORLDS:
                    for i, values in enumerate(zip(*worlds[world], strict=True)):
                        moment = round(i * record["step_s"])
                        lines.writerow([moment, local_clock(record, i), kind, place, measure, world, *values])
    return buffer.getvalue()


def chart_data(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the charts of a run need."""
    return {name: record[name] for name in ("start", "step_s", "quantiles", "gates", "yards")}


def list_stretches(corridor: Corridor) -> list[dict[str, Any]]:
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
            if not kept or km - kept[-1][0] >= SHORTEST_STRETCH_KM:
                kept.append((km, name))
        end_km = corridor.km_span(road)[1]
        kept.append((end_km, dict.fromkeys(LANGUAGES, f"km {end_km:.1f}")))
        found += [
            {"road": road, "km_from": near[0], "km_to": far[0], "near": near[1], "far": far[1]}
            for near, far in itertools.pairwise(kept)
        ]
    return found
