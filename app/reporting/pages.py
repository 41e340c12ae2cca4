"""Pages of figures: time in each step, and the daily bulletin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.fields import PlainText
from app.platform.pdf_languages import writable
from app.platform.permissions import Principal
from app.platform.written_times import local_day
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
MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}
GateNames = Mapping[str, str]
Gettext = Callable[[str], str]
NAMES = {**Stage.labels(), **Step.labels()}


@dataclass(frozen=True)
class Chosen:
    """What a page is asked to show: a gate ("": all), and days in local time, both included."""

    gate: str
    first: date
    last: date
    now: datetime

    @property
    def gate_id(self) -> str | None:
        """The gate, `None` for all."""
        return self.gate or None


def chosen_until(day_of: Callable[[datetime], date]) -> Callable[..., Chosen]:
    """What reads the gate and days of a page's address; without any the last days, until the `day_of` now."""

    def read(clock: ClockDep, gate: Gate = "", since: str = "", until: str = "") -> Chosen:
        now = clock.now()
        first, last = days_of(_day(since), _day(until), day_of(now))
        return Chosen(gate, first, last, now)

    return read


ChosenDep = Annotated[Chosen, Depends(chosen_until(statistics.local_day))]


@router.get("/statistics")
def show_statistics(
    request: Request, principal: ReaderDep, session: SessionDep, corridor: CorridorDep, chosen: ChosenDep
) -> Response:
    """Time in each stage and step, and the longest waits now."""
    found = statistics.step_times(
        session, principal, gate_id=chosen.gate_id, first=chosen.first, last=chosen.last, now=chosen.now
    )
    return render(
        request,
        "reporting/statistics.html",
        times=[StepTimeOut.model_validate(entry).model_dump(mode="json") for entry in found],
        waits=statistics.waits_now(session, principal, gate_id=chosen.gate_id),
        names=NAMES,
        agencies=AGENCY_NAMES,
        gates=own_gates(principal, corridor),
        gate=chosen.gate,
        first=chosen.first,
        last=chosen.last,
        now=chosen.now,
    )


@router.get("/statistics/waits")
def show_waits(
    request: Request, principal: ReaderDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, gate: Gate = ""
) -> Response:
    """The list of the longest waits alone."""
    return render(
        request,
        "reporting/waits.html",
        waits=statistics.waits_now(session, principal, gate_id=gate or None),
        names=NAMES,
        agencies=AGENCY_NAMES,
        gates=own_gates(principal, corridor),
        gate=gate,
        now=clock.now(),
    )


@router.get("/statistics/bulletin")
def show_bulletin(
    request: Request, principal: ReaderDep, session: SessionDep, corridor: CorridorDep, chosen: ChosenDep
) -> Response:
    """The daily bulletin of each gate."""
    return render(
        request,
        "reporting/bulletin.html",
        bulletins=_bulletins(session, principal, corridor, chosen),
        figures=bulletin.FIGURES,
        state_of=bulletin.state_of,
        gates=own_gates(principal, corridor),
        gate=chosen.gate,
        first=chosen.first,
        last=chosen.last,
    )


@router.get("/statistics/bulletin.{kind}")
def send_bulletin(
    request: Request,
    kind: Literal["csv", "pdf"],
    principal: ReaderDep,
    session: SessionDep,
    corridor: CorridorDep,
    chosen: ChosenDep,
) -> Response:
    """The bulletins as a table for spreadsheets, or as a document in Vietnamese or English."""
    found = _bulletins(session, principal, corridor, chosen)
    writers = partial(bulletin.to_csv, found), partial(bulletin.to_pdf, found)
    return file_answer(request, corridor, "bulletin", kind, chosen, *writers)


def _bulletins(
    session: Session, principal: Principal, corridor: CorridorDep, chosen: Chosen
) -> list[bulletin.Bulletin]:
    gates = [site.site_id for site in corridor.gates()]
    return bulletin.list_bulletins(
        session, principal, gates, gate_id=chosen.gate_id, first=chosen.first, last=chosen.last, now=chosen.now
    )


def _day(written: str) -> date | None:
    moment = local_day(written)
    return moment.date() if moment else None


def file_answer(
    request: Request,
    corridor: CorridorDep,
    name: str,
    kind: Literal["csv", "pdf"],
    chosen: Chosen,
    to_csv: Callable[[GateNames, Gettext], str],
    to_pdf: Callable[..., bytes],
) -> Response:
    """The figures of the days chosen, to keep: a table in the reader's language, or a document in one we can write.

    `to_pdf` takes what `to_csv` takes, and `language` and `made_at`.
    """
    pages = request.app.state.pages
    language = pages.language(request)
    if kind == "csv":
        content = to_csv(gate_names(corridor, language), partial(request.app.state.gettext, request)).encode()
    else:
        language = writable(language)
        gettext = pages.catalogues[language].gettext
        content = to_pdf(gate_names(corridor, language), gettext, language=language, made_at=chosen.now)
    file = f"{name}-{chosen.first}-{chosen.last}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return Response(content, 200, headers, MEDIA_TYPES[kind])


def own_gates(principal: Principal, corridor: CorridorDep) -> dict[str, dict[str, str]]:
    """The gates whose figures a person may see, with their names by language."""
    names = {site.site_id: dict(site.name) for site in corridor.gates()}
    return {gate_id: names[gate_id] for gate_id in statistics.own_gates(principal, names, None)}


def gate_names(corridor: CorridorDep, language: str) -> dict[str, str]:
    """What the gates are called in a language."""
    return {site.site_id: site.name.get(language) or site.name["vi"] for site in corridor.gates()}
