"""The administrator's pages of procedures: all versions, and the editor of one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.accounts.service import list_yard_companies
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.procedures import checks, service
from app.procedures.steps import Step
from app.procedures.wording import FACTS, NAMES, PART_LABELS, entries_of, tell
from app.trips.vocabulary import Direction
from app.web.conditions import is_by_hand
from app.web.pages import render
from app.web.versions import list_changes

router = APIRouter(include_in_schema=False, prefix="/admin/procedures")

ReaderDep = Annotated[Principal, Depends(allow("procedures.read"))]
WORDS: Mapping[str, Any] = {"directions": {str(direction): direction.phrase for direction in Direction}}


@router.get("")
def list_procedures(
    request: Request, session: SessionDep, clock: ClockDep, corridor: CorridorDep, _principal: ReaderDep
) -> Response:
    """All procedures with their versions, and from when on declaring is mandatory."""
    versions = service.list_versions(session, clock.now())
    by_key = groupby(versions, lambda version: version.key)
    return render(
        request,
        "procedures/procedures.html",
        groups=[list(group) for _, group in by_key],
        sites=corridor.sites,
        gates=corridor.gates(),
        **WORDS,
        mandatory=service.get_mandatory_from(session),
    )


@router.get("/{procedure_id}")
def show_procedure(
    request: Request,
    procedure_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    _principal: ReaderDep,
) -> Response:
    """One version: drawn, what is wrong with it, its steps to edit while it is a draft."""
    row = service.get_version(session, procedure_id)
    key = (row.gate_id, row.direction, row.regime)
    older = [
        version
        for version in service.list_versions(session, clock.now())
        if version.key == key and version.version < row.version and version.status != "draft"
    ]
    before = max(older, key=lambda version: version.version, default=None)
    version, say = service.describe(row), partial(request.app.state.pages.gettext, request)
    return render(
        request,
        "procedures/edit.html",
        version=version,
        problems=[tell(problem, say) for problem in version.problems],
        entries=entries_of(version.definition),
        known={
            "steps": tuple(Step),
            "owners": {str(role): role.label for role in checks.owners()},
            "parts": PART_LABELS,
        },
        facts=FACTS,
        is_by_hand=is_by_hand,
        words=NAMES,
        yard_companies={each.organisation_id: each.name for each in list_yard_companies(session)},
        sites=corridor.sites,
        drawing=service.draw(row),
        before=before,
        changes=list_changes(before.definition, row.definition) if before else [],
        **WORDS,
    )
