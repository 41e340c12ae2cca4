"""Bearer tokens for programs: `/api/v1/tokens`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.accounts import service as accounts
from app.accounts.authorisation import acting
from app.platform.actions import ActionContext
from app.platform.errors import answer_own, problems
from app.signin import service
from app.signin.dependencies import DoorDep
from app.web.routers import ApiRouter
from geo.errors import InvalidInputError, TooManyRequestsError, UnauthenticatedError

router = ApiRouter(prefix="/api/v1/tokens", tags=["accounts"])


class Token(BaseModel):
    """A token as RFC 6749, 5.1 answers it."""

    access_token: str = Field(examples=["pX9cR2…"])
    token_type: str = "bearer"  # noqa: S105 - the kind of token, not one
    expires_in: int = Field(description="seconds", examples=[43200])


@router.post("", summary="Sign in for a bearer token", response_model=Token, responses=problems(429))
def create_token(
    request: Request,
    username: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=200)],
    door: DoorDep,
    code: Annotated[str, Form(max_length=40, description="of the authenticator app, or a recovery code")] = "",
) -> Any:
    """Exchange user name and password for a bearer token, to be sent as `Authorization: Bearer …`.

    An account with a second factor sends its code as well; without it the answer is 401 with the code
    `second_factor_needed`. What else is missing is done in a browser: `new_password_needed`, `enrolment_needed`.
    """
    try:
        opened = service.sign_in_program(door, username, password, code)
    except (UnauthenticatedError, InvalidInputError, TooManyRequestsError) as error:
        answer: Response = answer_own(request, error)  # returned, so that the failure stays written down
        return answer
    return Token(access_token=opened.secret, expires_in=opened.lifetime_s)


@router.delete("/current", status_code=204, summary="End this token")
def delete_token(
    action: Annotated[ActionContext, Depends(acting("session.own"))],
    everywhere: bool = False,
) -> None:
    """End the token the request carries; with `everywhere`, every session and token of the account."""
    accounts.sign_out(action, everywhere=everywhere)
