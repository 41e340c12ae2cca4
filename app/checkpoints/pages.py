"""The supervisor's page of the day: overrides, by gate and step; the same as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.checkpoints import overrides
from app.checkpoints.overrides import Wanted
from app.checkpoints.vocabulary import CHECKPOINTS, WarningKind
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.fields import PlainText
from app.platform.permissions import Principal, Role
from app.platform.written_times import local_day
from app.procedures.steps import Step
from app.web.pages import render
from geo.clock import LOCAL_ZONE

router = APIRouter(include_in_schema=False, prefix="/overrides")

SupervisorDep = Annotated[Principal, Depends(allow("overrides.read"))]
ExporterDep = Annotated[Principal, Depends(allow("overrides.read", is_export=True))]
Text = Annotated[PlainText, Query(max_length=60)]


@dataclass(frozen=True)
class Chosen:
    """What the page is asked to show, as its address says."""

    wanted: Wanted
    today: date


def read_chosen(clock: ClockDep, day: Text = "", gate: Text = "", step: Text = "") -> Chosen:
    """The day, gate and step of the page's address; today, and all, without any."""
    today = clock.now().astimezone(LOCAL_ZONE).date()
    begin = local_day(day)
    return Chosen(Wanted(today if begin is None else begin.date(), gate or None, step or None), today)


ChosenDep = Annotated[Chosen, Depends(read_chosen)]


@router.get("")
def show_overrides(
    request: Request, session: SessionDep, corridor: CorridorDep, principal: SupervisorDep, chosen: ChosenDep
) -> Response:
    """What was done against warnings, or before others, on a day."""
    return render(
        request,
        "checkpoints/overrides.html",
        found=overrides.list_overrides(session, principal, chosen.wanted),
        wanted=chosen.wanted,
        gates=[site for site in corridor.gates() if principal.gate_id in (None, site.site_id)],
        sites=corridor.sites,
        steps=(Step.DECLARATION, *CHECKPOINTS),
        kinds=WarningKind.by_name(),
        role_labels=Role.labels(),
    )


@router.get("/day.csv")
def export_overrides(
    request: Request, session: SessionDep, corridor: CorridorDep, principal: ExporterDep, chosen: ChosenDep
) -> Response:
    """What the page shows, as a table."""
    pages = request.app.state.pages
    language = pages.language(request)
    names = {site.site_id: site.name[language] for site in corridor.gates()}
    found = overrides.list_overrides(session, principal, chosen.wanted)
    text = overrides.to_csv(found, names, partial(pages.gettext, request))
    name = f'attachment; filename="overrides-{chosen.wanted.day.isoformat()}.csv"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return Response(text.encode(), 200, headers, "text/csv; charset=utf-8")
