"""Signing in and out, the start page, the language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import cookies, service
from app.accounts.authorisation import acting, find_principal
from app.accounts.cookies import client_of
from app.platform.actions import ActionContext
from app.platform.dependencies import RedisDep, RuntimeDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.web import i18n
from app.web.pages import render
from geo.errors import CuaKhauError, TooManyRequestsError, UnauthenticatedError

router = APIRouter(include_in_schema=False)

MaybePrincipal = Annotated[Principal | None, Depends(find_principal)]


@router.get("/")
def show_start(principal: MaybePrincipal) -> Response:
    """To the page of the caller's role, or to sign in."""
    return RedirectResponse(principal.role.home_page if principal else "/signin", 303)


@router.get("/signin")
def show_signin(request: Request, principal: MaybePrincipal, next: str = "/") -> Response:
    """The sign-in form."""
    if principal:
        return RedirectResponse(local_path(next), 303)
    return render(request, "accounts/signin.html", next=local_path(next), username="", problem="")


@router.post("/signin")
def sign_in(
    request: Request,
    session: SessionDep,
    redis: RedisDep,
    runtime: RuntimeDep,
    username: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a browser session, or show the form again with what was wrong."""
    cookies.check_same_origin(request)
    try:
        opened = service.sign_in(
            session,
            redis,
            runtime.settings,
            client_of(request),
            username=username,
            password=password,
            kind="browser",
            now=runtime.clock.now(),
        )
    except (UnauthenticatedError, TooManyRequestsError) as error:
        return _show_problem(request, error, username, next)
    response = RedirectResponse(local_path(next), 303)
    cookies.set_cookie(response, opened, runtime.settings)
    return response


@router.post("/signout")
def sign_out(
    runtime: RuntimeDep,
    action: Annotated[ActionContext, Depends(acting("account.own"))],
    everywhere: Annotated[str, Form()] = "",
) -> Response:
    """End this session, or all sessions of the account."""
    service.sign_out(action, everywhere=bool(everywhere))
    response = RedirectResponse("/signin", 303)
    cookies.delete_cookie(response, runtime.settings)
    return response


@router.post("/language")
def set_language(
    session: SessionDep,
    runtime: RuntimeDep,
    principal: MaybePrincipal,
    language: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Remember the language, in the account and in a cookie for the sign-in page."""
    if principal:
        service.set_locale(session, principal, language)
    response = RedirectResponse(local_path(next), 303)
    if language in i18n.LANGUAGES:
        response.set_cookie(
            i18n.LANGUAGE_COOKIE, language, max_age=31_536_000, samesite="lax", secure=runtime.settings.cookies_secure
        )
    return response


def local_path(address: str) -> str:
    """`address` if it is a path of this site, else the start page; never a way to another site."""
    if not address.startswith("/") or address.startswith(("//", "/\\")) or "\n" in address or "\r" in address:
        return "/"
    return "/" if address.startswith(("/signin", "/signout")) else address


def _show_problem(request: Request, error: CuaKhauError, username: str, address: str) -> Response:
    return render(
        request,
        "accounts/signin.html",
        status=status_of(error),
        next=local_path(address),
        username=username,
        problem=translate(request, error),
    )
