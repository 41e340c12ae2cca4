"""Where finders of faults write: security.txt (RFC 9116)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from app.platform.dependencies import ClockDep, RuntimeDep
from app.public.security_contact import security_txt

router = APIRouter(include_in_schema=False)


@router.get("/.well-known/security.txt")
def show_security_txt(request: Request, runtime: RuntimeDep, clock: ClockDep) -> Response:
    """Contact, expiry, languages."""
    settings = runtime.settings
    base_url = settings.public_url or str(request.base_url)
    return PlainTextResponse(security_txt(base_url, settings.security_contact, clock.now()))


@router.get("/security.txt")
def lead_to_security_txt() -> Response:
    """The place of earlier days (RFC 9116, 3)."""
    return RedirectResponse("/.well-known/security.txt", 301)
