"""Bearer tokens for programs: `/api/v1/tokens`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel, Field

from app.accounts import service
from app.accounts.authorisation import acting
from app.accounts.cookies import client_of
from app.platform.actions import ActionContext
from app.platform.dependencies import RedisDep, RuntimeDep, SessionDep
from app.platform.errors import problems

router = APIRouter(prefix="/api/v1/tokens", tags=["accounts"])


class Token(BaseModel):
    """A token as RFC 6749, 5.1 answers it."""

    access_token: str = Field(examples=["pX9cR2…"])
    token_type: str = "bearer"  # noqa: S105 - the kind of token, not one
    expires_in: int = Field(description="seconds", examples=[43200])


@router.post("", summary="Sign in for a bearer token", responses=problems(429))
def create_token(
    request: Request,
    username: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=200)],
    session: SessionDep,
    redis: RedisDep,
    runtime: RuntimeDep,
) -> Token:
    """Exchange user name and password for a bearer token, to be sent as `Authorization: Bearer …`."""
    opened = service.sign_in(
        session,
        redis,
        runtime.settings,
        client_of(request),
        username=username,
        password=password,
        kind="token",
        now=runtime.clock.now(),
    )
    return Token(access_token=opened.secret, expires_in=opened.lifetime_s)


@router.delete("/current", status_code=204, summary="End this token")
def delete_token(
    action: Annotated[ActionContext, Depends(acting("account.own"))],
    everywhere: bool = False,
) -> None:
    """End the token the request carries; with `everywhere`, every session and token of the account."""
    service.sign_out(action, everywhere=everywhere)
