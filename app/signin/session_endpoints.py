"""The caller's own session: `/api/v1/session`. Prove again who it is, lock it, say that somebody is there."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from app.accounts import service as accounts
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.errors import answer_own, problems
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.signin import attempts, passkeys, service
from app.signin.dependencies import DoorDep
from app.signin.proofs import WaysToProve, ways_to_prove
from app.web.routers import ApiRouter
from geo.errors import InvalidInputError, TooManyRequestsError

router = ApiRouter(prefix="/api/v1/session", tags=["accounts"])

Own = Annotated[Principal, Depends(allow("session.own"))]
OwnAction = Annotated[ActionContext, Depends(acting("session.own"))]


class SessionOut(BaseModel):
    """How the caller's session stands."""

    is_locked: bool
    is_proven: bool = Field(description="whether acts that need a fresh proof are let through now")
    lock_after_s: int | None = Field(description="untouched for so long it locks; null: never", examples=[900])
    locks_in_s: int | None = Field(description="until it does if nobody touches it", examples=[840])
    ways: WaysToProve


class Proof(BaseModel):
    """The password, or what a passkey signed, as its browser gives it (JSON text)."""

    password: SecretStr | None = Field(None, max_length=200)
    credential: str | None = Field(None, max_length=passkeys.MAX_CREDENTIAL_LENGTH)


@router.get("", summary="How this session stands")
def show_session(principal: Own, door: DoorDep) -> SessionOut:
    """Whether it is locked, whether its proof is fresh, and how its owner can prove again who it is."""
    state = principal.state
    return SessionOut(
        is_locked=state.is_locked,
        is_proven=state.is_proven,
        lock_after_s=state.lock_after_s,
        locks_in_s=state.locks_in_s,
        ways=ways_to_prove(door, principal.account_id),
    )


@router.post("/passkey-options", summary="What a browser needs to show a passkey", responses=problems(404))
def ask_for_passkey(action: OwnAction, door: DoorDep) -> JsonObject:
    """The options of `navigator.credentials.get`; they count once, for five minutes."""
    return service.options_to_prove(door, action)


@router.post(
    "/proof", status_code=204, response_class=Response, summary="Prove again who you are", responses=problems(429)
)
def prove(request: Request, body: Proof, action: OwnAction, door: DoorDep) -> Response:
    """The session is unlocked, and acts that need a fresh proof are let through for a while."""
    try:
        if body.credential is not None:
            holder = attempts.holder_of_session(action.actor.session_hash)
            is_right = service.prove_by_passkey(door, action, holder, body.credential)
        else:
            password = body.password.get_secret_value() if body.password else ""
            is_right = service.prove_by_password(door, action, password)
        if not is_right:
            raise InvalidInputError("This is not right. Try again.", field="password")
    except (InvalidInputError, TooManyRequestsError) as error:
        return answer_own(request, error)  # returned, so that the failure stays written down
    return Response(status_code=204)


@router.post("/activity", status_code=204, summary="Say that somebody is at the desk")
def note_activity(_action: OwnAction) -> None:
    """Puts off the lock; opens none."""


@router.post("/lock", status_code=204, summary="Lock this session")
def lock(action: OwnAction) -> None:
    """As somebody does who leaves the desk; nothing where the role's sessions never lock."""
    accounts.lock_session(action)


@router.post("/failures-seen", status_code=204, summary="The failed sign-ins were seen")
def forget_failures(action: OwnAction) -> None:
    """The notice of failed sign-ins, and of changes of how the account signs in, is not shown again."""
    accounts.forget_failures(action)
