"""Personal data: `/api/v1/me/data`, `/api/v1/privacy/…`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Response
from fastapi.responses import JSONResponse

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.privacy import drivers, service
from app.privacy.ages import RETENTION, RetentionDays, set_days
from app.privacy.schemas import (
    Decision,
    DriverFound,
    DriverIn,
    HoldOut,
    NewHold,
    NewRequest,
    RequestOut,
    RetentionDaysOut,
    RetentionRuleOut,
)
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["privacy"])

Reader = Annotated[Principal, Depends(allow("privacy.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("privacy.write"))]
ExportAction = Annotated[ActionContext, Depends(acting("privacy.write", is_export=True))]
OwnExportAction = Annotated[ActionContext, Depends(acting("account.own", is_export=True))]
Number = Annotated[int, Path(ge=1, le=2_147_483_647)]


@router.get("/me/data", summary="Everything that is kept of the caller", responses=problems())
def export_own(action: OwnExportAction) -> JSONResponse:
    """One JSON document, to keep."""
    return _as_file(service.export_person(action, action.actor.account_id))


@router.get(
    "/privacy/accounts/{account_id}/data", summary="Everything that is kept of a person", responses=problems(404)
)
def export_person(account_id: Number, action: ExportAction) -> JSONResponse:
    """One JSON document, for who asked an administrator for it."""
    return _as_file(service.export_person(action, account_id))


@router.post("/privacy/drivers/search", summary="What is kept of a driver, with or without an account")
def find_driver(body: DriverIn, action: WriterAction) -> DriverFound:
    """By the numbers of telephone, identity paper and licence, or the whole name. The search is in the audit log."""
    return DriverFound.model_validate(service.find_driver(action, body.who()))


@router.post("/privacy/drivers/data", summary="Everything that is kept of a driver, with or without an account")
def export_driver(body: DriverIn, action: WriterAction) -> JSONResponse:
    """One JSON document, for who asked an administrator for it."""
    return _as_file(drivers.export(action, body.who()))


@router.get("/privacy/retention", summary="How long each table is kept", responses=problems())
def list_rules(session: SessionDep, runtime: RuntimeDep, _principal: Reader) -> list[RetentionRuleOut]:
    """The rule of each table of the database, with the days in force."""
    listed = service.list_rules(session, runtime.settings.kept_days)
    return [RetentionRuleOut.model_validate(rule) for rule in listed]


@router.get("/privacy/retention/days", summary="How long administrators set tables to be kept", responses=problems())
def read_days(response: Response, session: SessionDep, _principal: Reader) -> RetentionDaysOut:
    """Days by table; of others the setting of the installation holds."""
    return with_etag(response, RetentionDaysOut.model_validate(RETENTION.get(session)))


@router.put("/privacy/retention/days", summary="Set how long tables are kept", responses=problems(412, 428))
def replace_days(
    body: RetentionDays,
    response: Response,
    action: WriterAction,
    runtime: RuntimeDep,
    expected_version: ExpectedVersion,
) -> RetentionDaysOut:
    """Of tables that are deleted by age, never fewer days than a law wants; what is older then goes within the hour."""
    found = set_days(action, runtime.settings.kept_days, body, expected_version)
    return with_etag(response, RetentionDaysOut.model_validate(found))


@router.get("/privacy/holds", summary="Legal holds in force", responses=problems())
def list_holds(session: SessionDep, clock: ClockDep, _principal: Reader) -> list[HoldOut]:
    """The newest first."""
    return [HoldOut.model_validate(hold) for hold in service.list_holds(session, clock.now())]


@router.post("/privacy/holds", status_code=201, summary="Place a legal hold", responses=problems(404))
def place_hold(body: NewHold, action: WriterAction) -> HoldOut:
    """Keep a trip or a person's data from deletion until a moment."""
    made = service.place_hold(action, body.subject, body.subject_id, body.reason, body.until)
    return HoldOut.model_validate(made)


@router.post("/privacy/holds/{hold_id}/end", summary="End a legal hold", responses=problems(404))
def end_hold(hold_id: Number, action: WriterAction) -> HoldOut:
    """Before its time."""
    return HoldOut.model_validate(service.end_hold(action, hold_id))


@router.get("/privacy/requests", summary="Requests about persons' data", responses=problems())
def list_requests(session: SessionDep, _principal: Reader) -> list[RequestOut]:
    """Open ones first."""
    return [RequestOut.model_validate(row) for row in service.list_requests(session)]


@router.post("/privacy/requests", status_code=201, summary="Ask for erasure or rectification", responses=problems(404))
def ask(body: NewRequest, action: WriterAction) -> RequestOut:
    """Another administrator decides."""
    made = service.ask(action, body.kind, body.whose(), body.reason, body.changes)
    return RequestOut.model_validate(made)


@router.post("/privacy/requests/{request_id}/decision", summary="Decide about a request", responses=problems(404, 409))
def decide(request_id: Number, body: Decision, action: WriterAction) -> RequestOut:
    """By a second person; the answer says what was erased, and what is kept because of which law."""
    return RequestOut.model_validate(service.decide(action, request_id, grant=body.grant, reason=body.reason))


def _as_file(kept: object) -> JSONResponse:
    return JSONResponse(kept, headers={"Content-Disposition": 'attachment; filename="personal-data.json"'})
