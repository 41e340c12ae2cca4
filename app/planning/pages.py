"""The planner's pages: a form of what-ifs, runs with base and variant side by side, their report."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import allow
from app.accounts.service import account_names
from app.forecasting.service import gate_now
from app.gates import service as gates
from app.planning import answers, calibration, exports, runs, service, settings_pages
from app.planning import fields as study_fields
from app.planning.form import (
    SentFields,
    edit_variants,
    extended_corridor,
    fields_of,
    read_form,
    row_counts,
    variant_numbers,
)
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.forms import Problem, Written, problems_by_field
from app.web.i18n import format_number
from app.web.pages import Pages, render
from geo.clock import Clock
from geo.corridor import Corridor
from geo.errors import CuaKhauError, NotFoundError
from maps.comparison import INPUT_NAMES, Record, describe_inputs, key_figures
from maps.variants import as_of, changes_of, ranking, say_conclusion, titles_of, variants_of
from routing import store as routing_store
from routing.scenario import library, parse_scenario
from routing.scenario_records import ResultRecord

router = APIRouter(include_in_schema=False, prefix="/planner")

Viewer = Annotated[Principal, Depends(allow("pages.planner"))]
Planner = Annotated[Principal, Depends(allow("scenarios.run"))]
VariantNumber = Annotated[int | None, Query(ge=0, le=99)]
"""Of the variants of a study, from 0."""
DEFAULT_RUNS = "200"


@router.get("")
def show_form(
    request: Request,
    _principal: Viewer,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    start: str = runs.ORDINARY,
    repeat: uuid.UUID | None = None,
) -> Response:
    """The form, filled from the library, the present state or an earlier run; and the earlier runs."""
    written = _prefilled(request, session, clock, start, repeat)
    return _form(request, session, corridor, clock, written, start="" if repeat else start)


@router.post("")
def queue_run(
    request: Request,
    principal: Planner,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentFields,
) -> Response:
    """Queue what the form asks for; what cannot be accepted comes back with the reason at its field."""
    reading = read_form(sent, corridor)
    if reading.wish is None:
        return _form(request, session, corridor, clock, reading.written, problems=reading.problems)
    try:
        with session.begin_nested():
            wish = reading.wish
            run_id = service.queue_scenario(
                session, principal, corridor, wish.scenario, runs=wish.runs, seed=wish.seed, now=clock.now()
            )
    except CuaKhauError as error:
        return _form(
            request, session, corridor, clock, reading.written, problems=[Problem.of_error(error, reading.written)]
        )
    return RedirectResponse(f"/planner/runs/{run_id}", 303)


@router.post("/form")
def change_form(
    request: Request,
    _principal: Planner,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentFields,
) -> Response:
    """The form with a variant added, copied or removed (`act`); nothing is kept."""
    return _form(request, session, corridor, clock, edit_variants(sent, dict(sent).get("act", "")))


@router.get("/runs")
def list_runs(request: Request, _principal: Viewer, session: SessionDep) -> Response:
    """The list of runs alone, to be put into the page again."""
    return render(
        request,
        "planning/runs.html",
        runs=runs.list_runs(session, _language(request)),
        status_names=runs.STATUS_NAMES,
        status_icons=runs.STATUS_ICONS,
    )


@router.get("/runs/{run_id}")
def show_run(
    request: Request,
    run_id: uuid.UUID,
    _principal: Viewer,
    session: SessionDep,
    corridor: CorridorDep,
    variant: VariantNumber = None,
) -> Response:
    """One run: how far it is, or base and variants side by side, figures and curves of one of these."""
    row = routing_store.get_scenario_run(session, run_id)
    names = account_names(session, [row.created_by])
    record = row.result
    language, translate = _language(request), _translator(request)
    shown = None if record is None else _find_variant(record, variant)
    drawn = None if record is None or shown is None else as_of(record, shown)
    scenario = row.inputs["scenario"]
    study: Record = record or {"scenario": scenario, "summary": {}}
    return render(
        request,
        "planning/run.html",
        run=runs.summarise(row, names, _language(request)),
        figures=[] if drawn is None else key_figures(drawn),
        conclusion=None if record is None else say_conclusion(record, language, translate, _number_in(language)),
        found=answers.rank_variants(record, language, translate) if record and record.get("variants") else None,
        shown=shown,
        titles=titles_of(study, language, translate),
        data=None if drawn is None else runs.chart_data(drawn),
        inputs=[list(describe_inputs(part)) for part in (scenario.get("world", {}), *changes_of(study))],
        sites=_names(corridor),
        words=INPUT_NAMES,
        sources=_translated(request, scenario.get("sources", ())),
        description=_translated(request, [scenario.get("description", "").strip()])[0],
        status_names=runs.STATUS_NAMES,
        status_icons=runs.STATUS_ICONS,
    )


@router.post("/runs/{run_id}/cancel")
def cancel_run(run_id: uuid.UUID, _principal: Planner, session: SessionDep, clock: ClockDep) -> Response:
    """Cancel a run that waits or works."""
    service.cancel_scenario(session, run_id, clock.now())
    return RedirectResponse(f"/planner/runs/{run_id}", 303)


@router.get("/runs/{run_id}/series.csv")
def download_series(run_id: uuid.UUID, _principal: Viewer, session: SessionDep) -> Response:
    """The series of a finished run as CSV."""
    row = routing_store.get_scenario_run(session, run_id)
    return _download(exports.series_csv(runs.get_result(row)), runs.file_name(row, "csv"), "text/csv; charset=utf-8")


@router.get("/runs/{run_id}/series.parquet")
def download_parquet(run_id: uuid.UUID, _principal: Viewer, session: SessionDep) -> Response:
    """The series of a finished run as Parquet."""
    row = routing_store.get_scenario_run(session, run_id)
    return _download(
        exports.series_parquet(runs.get_result(row)), runs.file_name(row, "parquet"), "application/vnd.apache.parquet"
    )


@router.get("/runs/{run_id}/totals.csv")
def download_totals(run_id: uuid.UUID, _principal: Viewer, session: SessionDep) -> Response:
    """The totals of all variants of a finished run as CSV."""
    row = routing_store.get_scenario_run(session, run_id)
    return _download(
        exports.totals_csv(runs.get_result(row)), runs.file_name(row, "csv", "totals"), "text/csv; charset=utf-8"
    )


@router.get("/runs/{run_id}/variants.png")
def download_picture(
    request: Request, run_id: uuid.UUID, _principal: Viewer, session: SessionDep, corridor: CorridorDep
) -> Response:
    """A finished run as one picture."""
    row = routing_store.get_scenario_run(session, run_id)
    record = runs.get_result(row)
    pages = _pages(request)
    from maps.study_chart import study_png  # noqa: PLC0415 - brings Matplotlib, which no other page needs

    language = pages.language(request)
    picture = study_png(
        record,
        title=runs.title_of(row, language),
        places={site_id: names[language] for site_id, names in _names(corridor).items()},
        locale=language,
        translate=_translator(request),
    )
    return _download(picture, runs.file_name(row, "png"), "image/png")


@router.get("/runs/{run_id}/sumo.zip")
def download_sumo(
    run_id: uuid.UUID, _principal: Viewer, session: SessionDep, corridor: CorridorDep, clock: ClockDep
) -> Response:
    """Network and demand of a finished run for Eclipse SUMO, a folder a world."""
    row = routing_store.get_scenario_run(session, run_id)
    runs.get_result(row)
    inputs = service.inputs_of(session, corridor, row, clock.now())
    return _download(exports.sumo_zip(inputs), runs.file_name(row, "zip", "sumo"), "application/zip")


@router.get("/runs/{run_id}/report")
def download_report(
    request: Request,
    run_id: uuid.UUID,
    _principal: Viewer,
    session: SessionDep,
    corridor: CorridorDep,
    variant: VariantNumber = None,
) -> Response:
    """The report of a finished run: one HTML file with its map."""
    row = routing_store.get_scenario_run(session, run_id)
    record = runs.get_result(row)
    pages = _pages(request)
    from maps.report import scenario_report  # noqa: PLC0415 - brings Folium and pandas, which no other page needs

    html = scenario_report(
        corridor,
        record,
        locale=pages.language(request),
        translate=_translator(request),
        variant=_find_variant(record, variant),
    )
    return _download(html, runs.file_name(row, "html"), "text/html; charset=utf-8")


def _prefilled(request: Request, session: SessionDep, clock: Clock, start: str, repeat: uuid.UUID | None) -> Written:
    """What stands in the form at first."""
    language = _language(request)
    if repeat is not None:
        row = routing_store.get_scenario_run(session, repeat)
        written = fields_of(parse_scenario(row.inputs["scenario"]), language)
        return written | {"runs": str(row.inputs["runs"]), "seed": str(row.seed)}
    if start == "now":
        scenario = runs.present_scenario(clock.now())
    elif start == "recorded" and (recorded := calibration.find_newest(session)) is not None:
        scenario = calibration.scenario_of(session, recorded.record, clock.now())
    else:
        known = library()
        scenario = known.get(start, known[runs.ORDINARY])
    return fields_of(scenario, language, basis=scenario.name) | {"runs": DEFAULT_RUNS}


def _form(
    request: Request,
    session: SessionDep,
    corridor: Corridor,
    clock: Clock,
    written: Written,
    *,
    problems: Sequence[Problem] = (),
    start: str = "",
) -> Response:
    begins_now = written.get("world.begins") == "now"
    settings = gates.list_settings(session, clock.now())
    extended = extended_corridor(corridor, written)
    return render(
        request,
        "planning/planner.html",
        status=422 if problems else 200,
        written=written,
        sources=_translated(request, [value for name, value in written.items() if name.startswith("sources.")]),
        description=_translated(request, [written.get("description", "").strip()])[0],
        rows=row_counts(written),
        variants=variant_numbers(written),
        problems=problems_by_field(problems),
        fields=study_fields,
        start=start,
        has_calibration=calibration.find_newest(session) is not None,
        present={gate.site_id: gate_now(session, gate.site_id, clock.now()) for gate in corridor.gates()}
        if begins_now
        else None,
        starts={name: scenario.title for name, scenario in library().items()},
        corridor=extended,
        gates=extended.gates(),
        yards=settings_pages.list_yards(session, extended),
        settings={setting.gate_id: setting for setting in settings if setting.direction == "export"},
        rates={
            setting.gate_id: (setting.entrance.rate_veh_per_h(), setting.crossing.rate_veh_per_h())
            for setting in gates.gate_settings(session, clock.now())
            if setting.direction == "export" and setting.entrance.service.mean_s > 0.0
        }
        if begins_now
        else {},
        stretches=runs.list_stretches(corridor),
        spans={road: extended.km_span(road) for road in extended.road_names()},
        runs=runs.list_runs(session, _language(request)),
        status_names=runs.STATUS_NAMES,
        status_icons=runs.STATUS_ICONS,
    )


def _find_variant(record: ResultRecord, variant: int | None) -> int:
    """The variant that is asked for, counted from 0, else the best; raises NotFoundError."""
    if variant is None:
        return ranking(record)[0]
    if variant >= len(variants_of(record)):
        raise NotFoundError("The study has no variant {number}.", number=variant + 1)
    return variant


def _number_in(language: str) -> Callable[[float, int], str]:
    return lambda value, digits: format_number(value, language, digits)


def _translator(request: Request) -> Callable[[str], str]:
    pages = _pages(request)
    return lambda message: pages.gettext(request, message)


def _names(corridor: Corridor) -> dict[str, dict[str, str]]:
    return {site.site_id: dict(site.name) for site in corridor.sites.values()}


def _translated(request: Request, texts: Iterable[str]) -> list[str]:
    """Texts of the library in the reader's language; what a planner wrote stays as it is."""
    return [_pages(request).gettext(request, text) for text in texts]


def _pages(request: Request) -> Pages:
    return cast(Pages, request.app.state.pages)


def _language(request: Request) -> str:
    return _pages(request).language(request)


def _download(content: str | bytes, name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
