"""The page of the link that `cuakhau up` prints on an empty installation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.accounts import cookies, first_administrator
from app.platform.dependencies import RuntimeDep, SessionDep
from app.platform.errors import status_of, translate
from app.signin.attempts import Attempt
from app.signin.dependencies import DoorDep, go_on
from app.web.pages import render
from geo.errors import ConflictError, InvalidInputError

router = APIRouter(include_in_schema=False)
FIRST_STEPS = "/admin/first-steps"


@router.get("/first-administrator/{token}")
def show_form(request: Request, session: SessionDep, runtime: RuntimeDep, token: str) -> Response:
    """The form of the first administrator."""
    first_administrator.check_open(session, token, runtime.settings.secret_key.get_secret_value())
    return render(request, "signin/first_administrator.html", username="", full_name="", problem="")


@router.post("/first-administrator/{token}")
def make(
    request: Request,
    door: DoorDep,
    token: str,
    username: Annotated[str, Form(max_length=64)] = "",
    full_name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    repeated: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make the first administrator, sign in, and lead on; or show the form again with what was wrong."""
    cookies.check_same_origin(request)
    try:
        if password != repeated:
            raise InvalidInputError("The two passwords differ.", field="repeated")
        account = first_administrator.make_first(
            door.by_nobody(),
            token,
            door.settings.secret_key.get_secret_value(),
            username=username,
            password=password,
            full_name=full_name,
            locale=request.app.state.pages.language(request),
        )
    except (InvalidInputError, ConflictError) as error:
        return render(
            request,
            "signin/first_administrator.html",
            status=status_of(error),
            username=username,
            full_name=full_name,
            problem=translate(request, error),
        )
    return go_on(door, Attempt(account_id=account.account_id, address=FIRST_STEPS))
