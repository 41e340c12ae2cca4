"""The page of the day in figures, as a table for spreadsheets and as a document."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.gates.vocabulary import GoodsClass
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.reporting import day_figures
from app.reporting.pages import Chosen, ReaderDep, chosen_until, file_answer, own_gates
from app.web.pages import render

router = APIRouter(include_in_schema=False, prefix="/statistics")
NoticesDep = Annotated[Chosen, Depends(chosen_until(day_figures.notice_day))]
"""The gate and days chosen; without any until the day whose notice is being counted now."""


@router.get("/day")
def show_day(
    request: Request, principal: ReaderDep, session: SessionDep, corridor: CorridorDep, chosen: NoticesDep
) -> Response:
    """What came, went and stands, by gate and goods."""
    return render(
        request,
        "reporting/day.html",
        days=_days(session, principal, corridor, chosen),
        counts=day_figures.COUNTS,
        explained=day_figures.EXPLAINED,
        goods_labels=GoodsClass.labels(),
        gates=own_gates(principal, corridor),
        gate=chosen.gate,
        first=chosen.first,
        last=chosen.last,
    )


@router.get("/day.{kind}")
def send_day(
    request: Request,
    kind: Literal["csv", "pdf"],
    principal: ReaderDep,
    session: SessionDep,
    corridor: CorridorDep,
    chosen: NoticesDep,
) -> Response:
    """The same as CSV, or as a document in Vietnamese or English."""
    found = _days(session, principal, corridor, chosen)
    writers = partial(day_figures.to_csv, found), partial(day_figures.to_pdf, found)
    return file_answer(request, corridor, "day-in-figures", kind, chosen, *writers)


def _days(session: Session, principal: Principal, corridor: CorridorDep, chosen: Chosen) -> list[day_figures.GateDay]:
    gates = [site.site_id for site in corridor.gates()]
    return day_figures.list_days(
        session, principal, gates, gate_id=chosen.gate_id, first=chosen.first, last=chosen.last, now=chosen.now
    )
