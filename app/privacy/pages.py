"""The administrator's page of personal data, and the notice that everybody reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow, find_principal
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.privacy import service
from app.privacy.ages import COUNTED, MAX_DAYS, ages_in_force, change_term
from app.privacy.drivers import Driver, Found
from app.privacy.retention import YEAR_DAYS
from app.privacy.vocabulary import HoldSubject, RequestKind, RequestStatus
from app.signin.dependencies import local_path
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError, InvalidInputError, StaleError

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow("privacy.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("privacy.write"))]
OwnAction = Annotated[ActionContext, Depends(acting("account.own"))]
MaybePrincipal = Annotated[Principal | None, Depends(find_principal)]
Number = Annotated[int, Path(ge=1, le=2_147_483_647)]
Text = Annotated[str, Form(max_length=500)]
Name = Annotated[str, Form(max_length=300)]
Target = Annotated[str, Query(max_length=500)]
PAGE = "/admin/privacy"


@router.get(PAGE)
def show_privacy(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    runtime: RuntimeDep,
    _principal: Reader,
    saved: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Requests, holds, how long each table is kept; `saved`: the table whose days were set."""
    return _show(request, session, clock.now(), runtime.settings.kept_days, saved=saved)


def _show(
    request: Request,
    session: Session,
    now: datetime,
    setting: Mapping[str, int],
    *,
    sought: tuple[str, str] = ("", ""),
    found: Found | None = None,
    saved: str = "",
    refused: tuple[CuaKhauError, str, int] | None = None,
) -> Response:
    """The page; `refused`: why the days of a table were not set, which table, what was written."""
    ages = ages_in_force(session, setting)
    error, table, days = refused or (None, "", 0)
    holds, requests = service.list_holds(session, now), service.list_requests(session)
    number, name = sought
    return render(
        request,
        "privacy/privacy.html",
        status=status_of(error) if error else 200,
        number=number,
        name=name,
        found=found,
        kept_subjects=ages.subjects(),
        ages_version=ages.version,
        year_days=YEAR_DAYS,
        most_days=MAX_DAYS,
        told_table=table if error else saved,
        problem=translate(request, error) if error else "",
        # after a change by somebody else the new state is shown, not what was written for the old
        written_days=days if error and not isinstance(error, StaleError) else None,
        holds=holds,
        requests=requests,
        names=service.names_of(session, holds, requests),
        request_kinds=RequestKind.labels(),
        request_statuses=RequestStatus.by_name(),
        hold_subjects=HoldSubject.labels(),
    )


@router.post(f"{PAGE}/drivers")
def find_driver(
    request: Request, action: WriterAction, runtime: RuntimeDep, number: Name = "", name: Name = ""
) -> Response:
    """What is kept of a driver who may have no account; sent by a form, so that no number stands in an address."""
    found = service.find_driver(action, Driver.of([number], name))
    setting = runtime.settings.kept_days
    return _show(request, action.session, action.now, setting, sought=(number, name), found=found)


@router.post(f"{PAGE}/drivers/requests")
def ask_for_erasure_of_driver(action: WriterAction, number: Name, name: Name = "", reason: Text = "") -> Response:
    """Another administrator decides."""
    service.ask(action, RequestKind.ERASURE, Driver.of([number], name), reason)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/retention")
def set_retention(
    request: Request,
    action: WriterAction,
    runtime: RuntimeDep,
    table: Name,
    days: Annotated[int, Form()],
    version: Annotated[int, Form()],
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Set how long a table, and what is kept as it is, stays; fewer days than now are asked about first."""
    setting = runtime.settings.kept_days
    try:
        asked = change_term(action, setting, table, days, version, is_confirmed=confirmed)
    except (InvalidInputError, StaleError) as error:
        return _show(request, action.session, action.now, setting, refused=(error, table, days))
    if asked is None:
        return RedirectResponse(f"{PAGE}?{urlencode({'saved': table})}#{table}", 303)
    return render(
        request,
        "privacy/shortening.html",
        asked=asked,
        table=table,
        version=version,
        counted=COUNTED,
        year_days=YEAR_DAYS,
    )


@router.post(f"{PAGE}/holds")
def place_hold(
    action: WriterAction,
    subject: Annotated[str, Form(max_length=20)],
    name: Name,
    until: Annotated[date, Form()],
    reason: Text = "",
) -> Response:
    """Until the end of a day; `name` is a user name or a trip's code."""
    subject_id = service.find_subject(action.session, subject, name)
    end = datetime.combine(until, time(23, 59, 59), LOCAL_ZONE)
    service.place_hold(action, subject, subject_id, reason, end)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/holds/{{hold_id}}/end")
def end_hold(hold_id: Number, action: WriterAction) -> Response:
    """Before its time."""
    service.end_hold(action, hold_id)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/requests")
def ask_for_erasure(action: WriterAction, username: Name, reason: Text = "") -> Response:
    """Another administrator decides."""
    account_id = service.find_subject(action.session, HoldSubject.ACCOUNT, username)
    service.ask(action, RequestKind.ERASURE, account_id, reason)
    return RedirectResponse(PAGE, 303)


@router.post(f"{PAGE}/requests/{{request_id}}/decision")
def decide(
    request_id: Number, action: WriterAction, grant: Annotated[bool, Form()] = False, reason: Text = ""
) -> Response:
    """By a second person."""
    service.decide(action, request_id, grant=grant, reason=reason)
    return RedirectResponse(PAGE, 303)


@router.get("/privacy")
def show_notice(
    request: Request, session: SessionDep, runtime: RuntimeDep, principal: MaybePrincipal, next: Target = "/"
) -> Response:
    """How data are used; whoever is signed in can confirm it."""
    confirmed = principal is not None and service.has_consented(session, principal.account_id)
    return render(
        request,
        "privacy/notice.html",
        version=service.NOTICE_VERSION,
        confirmed=confirmed,
        next=next,
        position_days=runtime.settings.fix_retention_days,
        year_days=YEAR_DAYS,
    )


@router.post("/privacy/consent")
def confirm_notice(
    action: OwnAction,
    version: Annotated[str, Form(max_length=20)],
    next: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Keep that the caller confirmed it, and go on to where the sign-in was to lead."""
    service.consent(action, version, action.actor.locale)
    return RedirectResponse(local_path(next), 303)
