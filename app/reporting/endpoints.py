"""Time in each step, longest waits now, daily bulletins."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Query, Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.platform.table_answers import CSV, WantsCsv, csv_answer, table_answer
from app.reporting import bulletin, statistics
from app.reporting.schemas import BulletinOut, Bulletins, StepTimeOut, StepTimes, WaitOut, Waits
from app.web.routers import ApiRouter
from geo.errors import InvalidInputError

router = ApiRouter(prefix="/api/v1/statistics", tags=["following"])

ReaderDep = Annotated[Principal, Depends(allow("statistics.read"))]
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
Gate = Annotated[PlainText | None, Query(max_length=60, description="One gate; all that you may see if left out.")]
Since = Annotated[date | None, Query(description="First local day; seven days ago if left out.")]
Until = Annotated[date | None, Query(description="Last local day; today if left out.")]


def days_of(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    """The days asked for, the last week if none are; raises InvalidInputError if there was no border gate then."""
    last = until or today
    if not FIRST_DAY <= min(since or last, last) <= last <= LAST_DAY:
        raise InvalidInputError(
            "Choose days between {first} and {last}, the first not after the last.",
            field="since",
            first=FIRST_DAY,
            last=LAST_DAY,
        )
    return since or last - timedelta(days=6), last


@router.get("/steps", response_model=StepTimes, responses=problems() | CSV)
def get_step_times(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    is_csv: WantsCsv,
    gate: Gate = None,
    since: Since = None,
    until: Until = None,
) -> StepTimes | Response:
    """Time in each stage and step by gate, agency and hour."""
    now = clock.now()
    first, last = days_of(since, until, statistics.local_day(now))
    found = statistics.step_times(session, principal, gate_id=gate, first=first, last=last, now=now)
    items = [StepTimeOut.model_validate(entry) for entry in found]
    if is_csv:
        return csv_answer(f"steps-{first}-{last}", StepTimeOut, items)
    return StepTimes(since=first, until=last, items=items)


@router.get("/waits", responses=problems())
def get_waits(
    principal: ReaderDep, session: SessionDep, gate: Gate = None, limit: Annotated[int, Query(ge=1, le=200)] = 30
) -> Waits:
    """Who waits longest now."""
    waits = statistics.waits_now(session, principal, gate_id=gate, limit=limit)
    return Waits(items=[WaitOut.model_validate(wait) for wait in waits])


@router.get("/bulletins", response_model=Bulletins, responses=problems() | CSV)
def get_bulletins(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    is_csv: WantsCsv,
    gate: Gate = None,
    since: Since = None,
    until: Until = None,
) -> Bulletins | Response:
    """The daily bulletin of each gate."""
    now, gates = clock.now(), [site.site_id for site in corridor.gates()]
    first, last = days_of(since, until, statistics.local_day(now))
    found = bulletin.list_bulletins(session, principal, gates, gate_id=gate, first=first, last=last, now=now)
    if is_csv:
        columns = ["day", "gate_id", *bulletin.FIGURES, "simulated", "final", "made_at"]
        rows = (
            [
                made.day,
                made.gate_id,
                *map(made.figures.get, bulletin.FIGURES),
                made.simulated,
                made.is_final,
                made.made_at,
            ]
            for made in found
        )
        return table_answer(f"bulletins-{first}-{last}", columns, rows)
    return Bulletins(items=[BulletinOut.model_validate(made) for made in found])
