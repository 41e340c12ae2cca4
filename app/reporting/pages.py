"""Pages of figures: time in each step, and the daily bulletin."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.audit_pages import local_day
from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.fields import PlainText
from app.platform.pdf import writable
from app.platform.permissions import Principal
from app.procedures.steps import Step
from app.reporting import bulletin, statistics
from app.reporting.endpoints import days_of
from app.reporting.schemas import StepTimeOut
from app.sheets.agencies import AGENCY_NAMES
from app.trips.vocabulary import Stage
from app.web.pages import render

router = APIRouter(include_in_schema=False)

ReaderDep = Annotated[Principal, Depends(allow("statistics.read"))]
Gate = Annotated[PlainText, Query(max_length=60)]
NAMES = {**Stage.labels(), **Step.labels()}


@router.get("/statistics")
def show_statistics(
    request: Request,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    gate: Gate = "",
    since: str = "",
    until: str = "",
) -> Response:
    """Time in each stage and step, and the longest waits now."""
    now = clock.now()
    first, last = days_of(_day(since), _day(until), statistics.local_day(now))
    found = statistics.step_times(session, principal, gate_id=gate or None, first=first, last=last, now=now)
    waits = statistics.waits_now(session, principal, gate_id=gate or None)
    return render(
        request,
        "reporting/statistics.html",
        times=[StepTimeOut.model_validate(entry).model_dump(mode="json") for entry in found],
        waits=waits,
        names=NAMES,
        agencies=AGENCY_NAMES,
        gates=_gates(principal, corridor),
        gate=gate,
        first=first,
        last=last,
        now=now,
    )


@router.get("/statistics/waits")
def show_waits(
    request: Request, principal: ReaderDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, gate: Gate = ""
) -> Response:
    """The list of the longest waits alone."""
    waits = statistics.waits_now(session, principal, gate_id=gate or None)
    return render(
        request,
        "reporting/waits.html",
        waits=waits,
        names=NAMES,
        agencies=AGENCY_NAMES,
        gates=_gates(principal, corridor),
        gate=gate,
        now=clock.now(),
    )


@router.get("/statistics/bulletin")
def show_bulletin(
    request: Request,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    gate: Gate = "",
    since: str = "",
    until: str = "",
) -> Response:
    """The daily bulletin of each gate."""
    first, last, found = _bulletins(principal, session, clock, corridor, gate, since, until)
    return render(
        request,
        "reporting/bulletin.html",
        bulletins=found,
        figures=bulletin.FIGURES,
        state_of=bulletin.state_of,
        gates=_gates(principal, corridor),
        gate=gate,
        first=first,
        last=last,
    )


@router.get("/statistics/bulletin.csv")
def send_csv(
    request: Request,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    gate: Gate = "",
    since: str = "",
    until: str = "",
) -> Response:
    """The bulletins as a table for spreadsheets."""
    first, last, found = _bulletins(principal, session, clock, corridor, gate, since, until)
    names = _names(corridor, request.app.state.pages.language(request))
    text = bulletin.to_csv(found, names, partial(request.app.state.gettext, request))
    return _file(text.encode(), "text/csv; charset=utf-8", f"{first}-{last}.csv")


@router.get("/statistics/bulletin.pdf")
def send_pdf(
    request: Request,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    gate: Gate = "",
    since: str = "",
    until: str = "",
) -> Response:
    """The bulletins as a document, in Vietnamese or English."""
    first, last, found = _bulletins(principal, session, clock, corridor, gate, since, until)
    language = writable(request.app.state.pages.language(request))
    gettext = request.app.state.pages.catalogues[language].gettext
    made = bulletin.to_pdf(found, _names(corridor, language), gettext, language=language, made_at=clock.now())
    return _file(made, "application/pdf", f"{first}-{last}.pdf")


def _bulletins(
    principal: Principal, session: SessionDep, clock: ClockDep, corridor: CorridorDep, gate: str, since: str, until: str
) -> tuple[date, date, list[bulletin.Bulletin]]:
    now, gates = clock.now(), [site.site_id for site in corridor.gates()]
    first, last = days_of(_day(since), _day(until), statistics.local_day(now))
    return (
        first,
        last,
        bulletin.list_bulletins(session, principal, gates, gate_id=gate or None, first=first, last=last, now=now),
    )


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="bulletin-{name}"', "Cache-Control": "no-store"}
    return Response(content, 200, headers, media_type)


def _day(written: str) -> date | None:
    moment = local_day(written)
    return moment.date() if moment else None


def _gates(principal: Principal, corridor: CorridorDep) -> dict[str, dict[str, str]]:
    own = statistics.own_gate(principal, None)
    return {site.site_id: dict(site.name) for site in corridor.gates() if own in {None, site.site_id}}


def _names(corridor: CorridorDep, language: str) -> dict[str, str]:
    return {site.site_id: site.name.get(language) or site.name["vi"] for site in corridor.gates()}
