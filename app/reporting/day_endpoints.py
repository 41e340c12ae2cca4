"""The day in figures for programs."""

from __future__ import annotations

from datetime import date

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.table_answers import CSV, WantsCsv, csv_answer
from app.reporting import day_figures
from app.reporting.endpoints import Gate, ReaderDep, Since, Until, days_of
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/statistics", tags=["following"])


class FiguresOut(BaseModel):
    """Counts of trucks; `goods_class` is empty for all goods."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    gate_id: str
    goods_class: str
    standing_before: int
    arrivals: int
    went_in: int
    went_out: int
    turned_back: int
    sent_on: int
    standing: int
    outside: int
    simulated: bool
    is_final: bool


class GateDayOut(BaseModel):
    """A gate's day: of all goods and of each class."""

    model_config = ConfigDict(from_attributes=True)

    total: FiguresOut
    by_goods: list[FiguresOut]
    correction: int


class GateDays(BaseModel):
    """Newest first."""

    items: list[GateDayOut]


@router.get("/days", response_model=GateDays, responses=problems() | CSV)
def get_days(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    is_csv: WantsCsv,
    gate: Gate = None,
    since: Since = None,
    until: Until = None,
) -> GateDays | Response:
    """Arrivals, in, out, turned back and standing trucks of each gate and class of goods, 20:00 to 20:00."""
    now, gates = clock.now(), [site.site_id for site in corridor.gates()]
    first, last = days_of(since, until, day_figures.notice_day(now))
    found = day_figures.list_days(session, principal, gates, gate_id=gate, first=first, last=last, now=now)
    items = [GateDayOut.model_validate(day) for day in found]
    if is_csv:
        rows = (figures for item in items for figures in [item.total, *item.by_goods])
        return csv_answer(f"days-{first}-{last}", FiguresOut, rows)
    return GateDays(items=items)
