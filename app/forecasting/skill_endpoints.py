"""How good the forecasts have been."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request

from app.accounts.authorisation import allow
from app.forecasting.skill import MAX_DAYS, RECENT_DAYS, read_skill
from app.forecasting.skill_schemas import SkillOut
from app.forecasting.skill_wording import SkillWording
from app.gates.service import get_gate_id
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/forecasts", tags=["forecasts"])

Reader = Annotated[Principal, Depends(allow("forecasts.read"))]
Gate = Annotated[str, Query(description="The gate.", examples=["huu-nghi"], max_length=60)]
Days = Annotated[int, Query(ge=1, le=MAX_DAYS, description="How far back.")]


def wording_of(request: Request) -> SkillWording:
    """How sentences are put for the caller, once it is known who that is."""
    return SkillWording(partial(request.app.state.gettext, request), request.app.state.pages.language(request))


@router.get("/skill", response_model=SkillOut, responses=problems(404, 422))
def read_gate_skill(
    request: Request,
    gate: Gate,
    corridor: CorridorDep,
    session: SessionDep,
    clock: ClockDep,
    _principal: Reader,
    days: Days = RECENT_DAYS,
) -> SkillOut:
    """Scores of the forecasts of a gate, its yards and its trucks by horizon and hour of the day: mean absolute error,
    bias, pinball loss, CRPS and coverage of the 80 % band, of what was published, the model, and what it has to beat;
    and where the model has lost its skill, what is published in its place."""
    skill = read_skill(session, get_gate_id(corridor, gate), clock.now(), days=days)
    return SkillOut.of(skill, wording_of(request))
