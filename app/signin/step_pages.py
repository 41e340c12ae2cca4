"""What a sign-in wants after the password: a second factor, a password of one's own, the first factor of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import cookies
from app.platform.errors import status_of, translate
from app.signin import attempts, codes, factors, passkeys, service
from app.signin.attempts import Attempt
from app.signin.dependencies import DoorDep, SecretDep, go_on
from app.signin.door import Door
from app.signin.vocabulary import SignInStep
from app.web.pages import render
from geo.errors import ConflictError, CuaKhauError, InvalidInputError, TooManyRequestsError, UnauthenticatedError

router = APIRouter(include_in_schema=False)

MAX_CODE_LENGTH = 40
CodeField = Annotated[str, Form(max_length=MAX_CODE_LENGTH)]
CredentialField = Annotated[str, Form(max_length=passkeys.MAX_CREDENTIAL_LENGTH)]


@router.get("/signin/second-factor")
def show_second_factor(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """The page that asks for a code or a passkey."""
    return _page(request, door, secret, SignInStep.SECOND_FACTOR)


@router.post("/signin/second-factor")
def send_second_factor(
    request: Request, door: DoorDep, secret: SecretDep, code: CodeField = "", credential: CredentialField = ""
) -> Response:
    """A code, or what a passkey signed."""

    def take(attempt: Attempt) -> None:
        if credential:
            service.show_passkey(door, attempt, attempts.holder_of(secret), credential)
        else:
            service.show_code(door, attempt, code)

    return _step(request, door, secret, SignInStep.SECOND_FACTOR, take)


@router.get("/signin/new-password")
def show_new_password(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """The page that asks for a password of one's own."""
    return _page(request, door, secret, SignInStep.NEW_PASSWORD)


@router.post("/signin/new-password")
def send_new_password(
    request: Request,
    door: DoorDep,
    secret: SecretDep,
    password: Annotated[str, Form(max_length=200)] = "",
    repeated: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Put a password of one's own in force."""

    def take(attempt: Attempt) -> None:
        if password != repeated:
            raise InvalidInputError("The two passwords differ.", field="repeated")
        service.set_first_password(door, attempt, password)

    return _step(request, door, secret, SignInStep.NEW_PASSWORD, take)


@router.get("/signin/enrolment")
def show_enrolment(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """The page on which somebody adds the first second factor."""
    return _page(request, door, secret, SignInStep.ENROLMENT)


@router.post("/signin/enrolment/passkey/options")
def ask_for_new_passkey(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """What a browser needs to make a passkey."""
    cookies.check_same_origin(request)
    attempt = attempts.get(door.redis, secret)
    service.require_step(door, attempt, SignInStep.ENROLMENT)
    account = service.account_of(door, attempt)
    options = passkeys.creation_options(door.session, door.redis, attempts.holder_of(secret), door.site, account)
    return Response(options, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/signin/enrolment")
def send_enrolment(
    request: Request,
    door: DoorDep,
    secret: SecretDep,
    code: CodeField = "",
    name: Annotated[str, Form(max_length=200)] = "",
    credential: CredentialField = "",
) -> Response:
    """Keep an app or a passkey; the recovery codes follow, shown once."""
    cookies.check_same_origin(request)
    try:
        attempt = attempts.get(door.redis, secret)
        service.require_step(door, attempt, SignInStep.ENROLMENT)
    except UnauthenticatedError:
        return RedirectResponse("/signin", 303)
    account, holder = service.account_of(door, attempt), attempts.holder_of(secret)
    action = door.acting(account)
    try:
        if credential:
            passkeys.enrol(action, door.redis, holder, door.site, account, name=name, credential=credential)
        else:
            codes.enrol_app(action, door.redis, holder, account, code, door.wall_s)
    except (InvalidInputError, ConflictError) as error:
        return _show(request, door, secret, SignInStep.ENROLMENT, attempt, error)
    attempt.has_second_factor = True
    attempts.save(door.redis, secret, attempt)
    written = codes.make_recovery_codes(action, account.account_id)
    return render(request, "signin/recovery_codes.html", codes=written, then="/signin/finish", is_sign_in=True)


@router.post("/signin/finish")
def finish(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """Sign in, once nothing is missing."""
    cookies.check_same_origin(request)
    try:
        return go_on(door, attempts.get(door.redis, secret), secret)
    except UnauthenticatedError:
        return RedirectResponse("/signin", 303)


def _page(request: Request, door: Door, secret: str, step: SignInStep) -> Response:
    """The page of a step, if the sign-in wants it now."""
    try:
        attempt = attempts.get(door.redis, secret)
        wanted = service.next_step(door, attempt)
    except UnauthenticatedError:
        return RedirectResponse("/signin", 303)
    if wanted is SignInStep.DONE:
        return go_on(door, attempt, secret)
    if wanted is not step:
        return RedirectResponse(wanted.path, 303)
    return _show(request, door, secret, step, attempt)


def _step(request: Request, door: Door, secret: str, step: SignInStep, take: Callable[[Attempt], None]) -> Response:
    """Take what was sent for a step, if the sign-in wants it now, and go on; or show the page again with the reason."""
    cookies.check_same_origin(request)
    try:
        attempt = attempts.get(door.redis, secret)
        service.require_step(door, attempt, step)
    except UnauthenticatedError:
        return RedirectResponse("/signin", 303)
    try:
        take(attempt)
    except (InvalidInputError, TooManyRequestsError) as error:
        return _show(request, door, secret, step, attempt, error)
    return go_on(door, attempt, secret)


def _show(
    request: Request,
    door: Door,
    secret: str,
    step: SignInStep,
    attempt: Attempt,
    error: CuaKhauError | None = None,
) -> Response:
    account = service.account_of(door, attempt)
    context: dict[str, object] = {"username": account.username}
    if step is SignInStep.SECOND_FACTOR:
        context["factors"] = factors.factors_of(door.session, account.account_id)
    elif step is SignInStep.ENROLMENT:
        app_secret = codes.begin_app(door.redis, attempts.holder_of(secret))
        context |= {"secret": app_secret, "picture": codes.picture_of(account, app_secret)}
    return render(
        request,
        f"signin/{step}.html",
        status=status_of(error) if error else 200,
        problem=translate(request, error) if error else "",
        **context,
    )
