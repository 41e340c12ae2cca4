"""Time in each step, longest waits now, daily bulletins."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.reporting import bulletin, statistics
from app.reporting.vocabulary import StayKind
from geo.errors import InvalidInputError

router = APIRouter(prefix="/api/v1/statistics", tags=["following"])

ReaderDep = Annotated[Principal, Depends(allow("statistics.read"))]
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
Gate = Annotated[PlainText | None, Query(max_length=60, description="One gate; all that you may see if left out.")]
Since = Annotated[date | None, Query(description="First local day; seven days ago if left out.")]
Until = Annotated[date | None, Query(description="Last local day; today if left out.")]


class StepTimeOut(BaseModel):
    """Time in one stage or step; `hour_*` by local hour of its end; medians are read off classes of length."""

    gate_id: str
    kind: StayKind
    name: str
    agency: str
    trips: int
    mean_s: float | None
    median_s: float | None
    p90_s: float | None
    longest_s: float
    hour_trips: list[int]
    hour_mean_s: list[float | None]


class StepTimes(BaseModel):
    """Time in each stage and step from a local day to a local day."""

    since: date
    until: date
    items: list[StepTimeOut]


class WaitOut(BaseModel):
    """A trip that waits now; `agency` is whom it waits for."""

    trip_id: int
    code: str
    plate: str
    gate_id: str
    kind: StayKind
    name: str
    status: str
    agency: str
    since: datetime
    perishable: bool
    simulated: bool


class Waits(BaseModel):
    """Who waits longest now, longest first."""

    items: list[WaitOut]


class BulletinOut(BaseModel):
    """One gate, one local day; `figures` counts trucks, null where it is not known yet."""

    day: date
    gate_id: str
    figures: dict[str, int | None]
    simulated: bool
    final: bool
    made_at: datetime


class Bulletins(BaseModel):
    """Daily bulletins, newest first."""

    items: list[BulletinOut]


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


@router.get("/steps", response_model=StepTimes, responses=problems())
def get_step_times(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    gate: Gate = None,
    since: Since = None,
    until: Until = None,
) -> Any:
    """Time in each stage and step by gate, agency and hour."""
    now = clock.now()
    first, last = days_of(since, until, statistics.local_day(now))
    found = statistics.step_times(session, principal, gate_id=gate, first=first, last=last, now=now)
    return {"since": first, "until": last, "items": [one.to_record() for one in found]}


@router.get("/waits", response_model=Waits, responses=problems())
def get_waits(
    principal: ReaderDep, session: SessionDep, gate: Gate = None, limit: Annotated[int, Query(ge=1, le=200)] = 30
) -> Any:
    """Who waits longest now."""
    return {"items": statistics.waits_now(session, principal, gate_id=gate, limit=limit)}


@router.get("/bulletins", response_model=Bulletins, responses=problems())
def get_bulletins(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    gate: Gate = None,
    since: Since = None,
    until: Until = None,
) -> Any:
    """The daily bulletin of each gate."""
    now, gates = clock.now(), [site.site_id for site in corridor.gates()]
    first, last = days_of(since, until, statistics.local_day(now))
    found = bulletin.list_bulletins(session, principal, gates, gate_id=gate, first=first, last=last, now=now)
    return {"items": [{**one.__dict__, "final": one.is_final} for one in found]}
