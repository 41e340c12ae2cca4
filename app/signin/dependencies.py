"""What routes of signing in are given, and the cookies by which a browser carries a sign-in along."""

from __future__ import annotations

import re
import time
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import cookies
from app.accounts.cookies import client_of, own_cookie
from app.accounts.service import Account
from app.accounts.sessions import Opened
from app.platform.dependencies import RuntimeDep, SessionDep
from app.settings import Settings
from app.signin import attempts, known_devices, service
from app.signin.attempts import Attempt
from app.signin.door import Door, Site


def open_door(request: Request, session: SessionDep, runtime: RuntimeDep) -> Door:
    """What a sign-in stands on."""
    settings = runtime.settings
    return Door(
        session=session,
        redis=runtime.redis,
        settings=settings,
        client=client_of(request),
        site=site_of(request, settings),
        now=runtime.clock.now(),
        wall_s=time.time(),
        device=request.cookies.get(own_cookie(settings, known_devices.COOKIE), ""),
        old_session=request.cookies.get(cookies.cookie_name(settings), ""),
        after=request.app.state.after_signin,
    )


DoorDep = Annotated[Door, Depends(open_door)]


def site_of(request: Request, settings: Settings) -> Site:
    """Where the browser of a request reaches the platform: the public address, else the one it asks."""
    parts = urlsplit(settings.public_url or str(request.base_url))
    return Site(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def attempt_secret(request: Request, door: DoorDep) -> str:
    """The secret of the attempt that a browser carries; empty if it carries none."""
    return request.cookies.get(own_cookie(door.settings, attempts.COOKIE), "")


SecretDep = Annotated[str, Depends(attempt_secret)]

_LOCAL_PATH: Final = re.compile(r"/(?!/)[^\x00-\x20\x7f\\]*")
"""Neither another host nor what browsers make one of: they take backslashes for slashes and leave out line ends and
tabs (WHATWG URL, 4.4)."""


def carry(response: Response, settings: Settings, secret: str) -> None:
    """Let the browser carry an attempt."""
    response.set_cookie(
        own_cookie(settings, attempts.COOKIE),
        secret,
        max_age=attempts.LIFETIME_S,
        httponly=True,
        secure=settings.cookies_secure,
        samesite="lax",
    )


def go_on(door: Door, attempt: Attempt, secret: str = "") -> Response:
    """To what a sign-in wants next, kept under `secret` (empty: a new one); with nothing missing, signed in."""
    step = service.next_step(door, attempt)
    if step is not step.DONE:
        secret = secret or attempts.new_secret()
        attempts.save(door.redis, secret, attempt)
        response: Response = RedirectResponse(step.path, 303)
        carry(response, door.settings, secret)
        return response
    account, opened = service.finish(door, attempt)
    if secret:
        attempts.end(door.redis, secret)
    response = RedirectResponse(door.after(door.session, account.username, local_path(attempt.address)), 303)
    hand_over(response, door, account, opened)
    return response


def hand_over(response: Response, door: Door, account: Account, opened: Opened) -> None:
    """Give a browser its session, and let it be known to the account."""
    settings = door.settings
    cookies.set_cookie(response, opened, settings)
    remember_device(response, door, account)
    response.delete_cookie(
        own_cookie(settings, attempts.COOKIE), httponly=True, secure=settings.cookies_secure, samesite="lax"
    )


def remember_device(response: Response, door: Door, account: Account) -> None:
    """Let a browser be known to an account that is signed in with it."""
    settings = door.settings
    response.set_cookie(
        own_cookie(settings, known_devices.COOKIE),
        known_devices.remember(settings, door.device, account),
        max_age=known_devices.MAX_AGE_S,
        httponly=True,
        secure=settings.cookies_secure,
        samesite="lax",
    )


def local_path(address: str) -> str:
    """`address` if it is a path of this site, else the start page; never a way to another site."""
    if _LOCAL_PATH.fullmatch(address) is None:
        return "/"
    return "/" if address.startswith(("/signin", "/signout")) else address
