"""What belongs to an enterprise beside its file: claims, proven vehicles, accounts, devices, powers of attorney."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import own_accounts, powers
from app.accounts.authorisation import acting
from app.platform.actions import ActionContext
from app.platform.dependencies import RuntimeDep
from app.registers import claims, device_access, forwarding
from app.registers.claim_endpoints import VehicleListenerDep
from app.registers.pages import HOME, Said, WrittenDep, show_register
from app.web.form_values import read_fields
from app.web.forms import Field, Problem
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix=HOME)

ClaimAction = Annotated[ActionContext, Depends(acting("claims.file"))]
AnswerAction = Annotated[ActionContext, Depends(acting("claims.answer"))]
PowerAction = Annotated[ActionContext, Depends(acting("powers.grant"))]
AccountAction = Annotated[ActionContext, Depends(acting("accounts.own"))]
ForwardAction = Annotated[ActionContext, Depends(acting("vehicles.forward"))]
EndForwardAction = Annotated[ActionContext, Depends(acting("vehicles.forward_end"))]
DeviceAction = Annotated[ActionContext, Depends(acting("devices.enrol"))]
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Text = Annotated[str, Form(max_length=600)]

DAYS = {name: Field(kind="date", label="") for name in ("valid_from", "valid_to")}


def _done(
    request: Request, action: ActionContext, part: str, written: WrittenDep, act: Callable[[], object]
) -> Response:
    """Do it and show the page again, or show what stands in the way beside what was written."""
    try:
        with action.session.begin_nested():
            act()
    except CuaKhauError as error:
        return show_register(request, action, Said(error, part, written))
    return RedirectResponse(f"{HOME}#{part}", 303)


@router.post("/claims")
def file_claim(request: Request, action: ClaimAction, written: WrittenDep) -> Response:
    """Claim a vehicle."""
    plate, paper, note = (written.get(name, "") for name in ("plate", "paper_number", "note"))
    return _done(
        request,
        action,
        "proven",
        written,
        lambda: claims.file_claim(action, plate, paper_number=paper, note=note),
    )


@router.post("/claims/{claim_id}/withdraw")
def withdraw_claim(request: Request, action: ClaimAction, claim_id: Id, written: WrittenDep) -> Response:
    """Take a claim back."""
    return _done(request, action, "proven", written, lambda: claims.withdraw_claim(action, claim_id))


@router.post("/claims/{claim_id}/answer")
def answer_claim(
    request: Request, action: AnswerAction, claim_id: Id, written: WrittenDep, follow: VehicleListenerDep
) -> Response:
    """Say yes or no to the claim of another enterprise."""
    accept, reason = written.get("accept") == "yes", written.get("reason", "")
    return _done(
        request,
        action,
        "asked",
        written,
        lambda: claims.answer(action, claim_id, accept=accept, reason=reason, follow=follow),
    )


@router.post("/proven/{vehicle_id}/release")
def release(
    request: Request, action: ClaimAction, vehicle_id: Id, written: WrittenDep, follow: VehicleListenerDep
) -> Response:
    """Let go of a vehicle."""
    return _done(request, action, "proven", written, lambda: claims.release(action, vehicle_id, follow=follow))


@router.post("/proven/{vehicle_id}/hand-on")
def hand_on(
    request: Request, action: ClaimAction, vehicle_id: Id, written: WrittenDep, follow: VehicleListenerDep
) -> Response:
    """Give a vehicle to another enterprise, named in full."""

    def act() -> None:
        to = powers.get_company(action.session, written.get("name", ""))
        claims.hand_on(action, vehicle_id, to.organisation_id, follow=follow)

    return _done(request, action, "proven", written, act)


@router.post("/proven/{vehicle_id}/forward")
def agree_to_forwarding(
    request: Request, action: ForwardAction, vehicle_id: Id, written: WrittenDep, runtime: RuntimeDep
) -> Response:
    """Let the positions of a vehicle go to the receiver that the operator names."""
    receiver = runtime.settings.position_receiver
    return _done(request, action, "proven", written, lambda: forwarding.agree(action, vehicle_id, receiver))


@router.post("/proven/{vehicle_id}/forward-end")
def end_forwarding(request: Request, action: EndForwardAction, vehicle_id: Id, written: WrittenDep) -> Response:
    """Take that back."""
    return _done(request, action, "proven", written, lambda: forwarding.end(action, vehicle_id))


@router.post("/powers")
def grant_power(request: Request, action: PowerAction, written: WrittenDep) -> Response:
    """Let an agent act for the enterprise."""

    def act() -> None:
        agent = powers.get_company(action.session, written.get("name", ""))
        begin, end = _day(written, "valid_from"), _day(written, "valid_to")
        powers.grant(action, agent_id=agent.organisation_id, valid_from=begin, valid_to=end)

    return _done(request, action, "powers", written, act)


@router.post("/powers/{power_id}/revoke")
def revoke_power(request: Request, action: PowerAction, power_id: Id, written: WrittenDep) -> Response:
    """End a power of attorney."""
    return _done(request, action, "powers", written, lambda: powers.revoke(action, power_id))


@router.post("/accounts")
def create_account(request: Request, action: AccountAction, written: WrittenDep) -> Response:
    """Make an account for a clerk or a driver."""
    values = {name: written.get(name, "") for name in ("username", "password", "full_name", "role")}
    kept = {name: value for name, value in written.items() if name != "password"}
    return _done(request, action, "accounts", kept, lambda: own_accounts.create_own(action, **values))


@router.post("/accounts/{account_id}/disabled")
def set_disabled(request: Request, action: AccountAction, account_id: Id, written: WrittenDep) -> Response:
    """Take an account out of use, or into use again."""
    disabled = written.get("disabled") == "yes"
    return _done(
        request, action, "accounts", written, lambda: own_accounts.set_own_disabled(action, account_id, disabled)
    )


@router.post("/devices")
def enrol_device(request: Request, action: DeviceAction, written: WrittenDep) -> Response:
    """Let a device report for a vehicle, and show its identifier, this once."""
    kind, imei = written.get("kind", ""), written.get("imei", "").strip() or None
    try:
        with action.session.begin_nested():
            made = device_access.enrol_device(
                action, written.get("plate", ""), "tracker" if kind == "tracker" else "phone", imei=imei
            )
    except CuaKhauError as error:
        return show_register(request, action, Said(error, "devices", written))
    return show_register(request, action, Said(part="devices", device_id=made.identifier))


@router.post("/devices/{number}/revoke")
def revoke_device(
    request: Request, action: DeviceAction, number: Annotated[int, Path(ge=1, le=2**63 - 1)], written: WrittenDep
) -> Response:
    """End a device."""
    return _done(request, action, "devices", written, lambda: device_access.revoke_device(action, number))


def _day(written: dict[str, str], name: str) -> date:
    problems: list[Problem] = []
    found = read_fields({name: DAYS[name]}, written, problems).get(name)
    if problems:
        raise InvalidInputError(problems[0].message, field=name, **problems[0].values)
    if not isinstance(found, date):
        raise InvalidInputError("Give the first and the last day of the power of attorney.", field=name)
    return found
