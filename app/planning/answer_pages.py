"""The page of a study of the library: what would have helped, by how much, how sure."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import allow
from app.planning import answers, service
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.pages import Pages, render

router = APIRouter(include_in_schema=False, prefix="/planner/library")


@router.get("/{name}")
def show_answers(
    request: Request, name: str, _principal: Annotated[Principal, Depends(allow("pages.planner"))], session: SessionDep
) -> Response:
    """The newest run of the study in one page, or the way to run it."""
    pages = cast(Pages, request.app.state.pages)
    language = pages.language(request)
    scenario = answers.get_library(name)
    row = answers.find_run(session, scenario)
    return render(
        request,
        "planning/answer.html",
        scenario=scenario,
        title=scenario.title.get(language, scenario.name),
        description=pages.gettext(request, scenario.description.strip()),
        sources=[pages.gettext(request, source) for source in scenario.sources],
        run=row,
        found=answers.rank_variants(row.result, language, lambda text: pages.gettext(request, text))
        if row is not None and row.result
        else None,
        runs=answers.RUNS,
    )


@router.post("/{name}")
def run_study(
    name: str,
    principal: Annotated[Principal, Depends(allow("scenarios.run"))],
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
) -> Response:
    """Queue the study, unless it was run already or waits."""
    scenario = answers.get_library(name)
    if answers.find_run(session, scenario) is None:
        service.queue_scenario(
            session, principal, corridor, scenario, runs=answers.RUNS, seed=answers.SEED, now=clock.now()
        )
    return RedirectResponse(f"/planner/library/{name}", 303)
