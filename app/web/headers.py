"""What every HTTP answer carries or passes through: security headers, compression, the access log.

Pure ASGI, so that event streams are never buffered.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence

import structlog
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("access")

COMPRESSED_PREFIXES = ("/static/", "/vendor/", "/api/", "/tiles/", "/ogc/")
"""Besides pages, whose session's secret is masked for it (`app.platform.csrf`)."""

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/readyz/web", "/metrics"})


def content_security_policy(
    map_hosts: Sequence[str] = (), scripts: Sequence[str] = (), styles: Sequence[str] = ()
) -> str:
    """The policy: own scripts and styles, and those that stand in the page, known by their digests, only; no frames.

    `map_hosts` are the origins of outside maps, if any are configured; they may be asked for tiles and images.
    """
    host = "".join(f" {origin}" for origin in map_hosts)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self'{_known(scripts)}",
            f"style-src 'self'{_known(styles)}",  # scripts set styles by CSSOM, charts draw their tooltips
            f"img-src 'self' data: blob:{host}",
            f"connect-src 'self'{host}",
            "font-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "object-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )


def _known(sources: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources)
    return "".join(f" 'sha256-{digest}'" for digest in digests)


class SecurityHeaders:
    """Adds the security headers to every answer; `policy` is the Content-Security-Policy of those without their own."""

    def __init__(self, app: ASGIApp, *, policy: str, secure: bool = False) -> None:
        self.app = app
        self.policy = policy
        self.fixed = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(self), camera=(self), microphone=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if secure:
            self.fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers as the answer starts."""
        if scope["type"] != "http" or scope["path"].startswith(DOORS):
            await self.app(scope, receive, send)
            return
        is_personal = is_signed_in(scope) and not scope["path"].startswith(SHARED_PREFIXES)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.fixed.items():
                    headers[name] = value
                if is_personal:
                    headers["Cache-Control"] = "no-store"
                if "content-security-policy" not in headers:
                    headers["Content-Security-Policy"] = self.policy
            await send(message)

        await self.app(scope, receive, send_with_headers)


DOORS = "/gps/"
"""Where devices report, thousands of times a second: no browser reads these answers, so they carry no page headers,
and what the doors do is counted, not logged line by line."""


SHARED_PREFIXES = ("/static/", "/vendor/", "/tiles/", "/ogc/", "/api/v1/corridor", "/api/v1/forecasts", "/t/")
"""What is the same for everybody, so that a browser may keep it: files, roads and sites, forecasts, public codes."""


def is_signed_in(scope: Scope) -> bool:
    """Whether a request brings a session or a token, true or not."""
    return any(
        name == b"authorization" or (name == b"cookie" and b"session=" in value) for name, value in scope["headers"]
    )


class SelectiveGZip:
    """Compresses pages, static files, API answers and tiles; event streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressing = GZipMiddleware(app, minimum_size=1500, compresslevel=3)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose by path, or by what is asked for."""
        is_compressed = scope["type"] == "http" and (
            scope["path"].startswith(COMPRESSED_PREFIXES)
            or any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
        )
        await (self.compressing if is_compressed else self.app)(scope, receive, send)


class AccessLog:
    """One structured line a request: method, path, status, duration, of a refused one whose account it was.

    The query string is left out, since it may carry a device's identifier or a position; static files and
    health checks are not logged unless they fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log it when it is over."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            path = scope["path"]
            if status >= 400 or not (path in QUIET_PATHS or path.startswith(("/static/", "/vendor/", DOORS))):
                duration_ms = round((time.perf_counter() - started) * 1000.0, 1)
                known = scope.get("state", {}).get("account_id")
                who = {"account_id": known} if status >= 400 and known is not None else {}
                log.info("request", method=scope["method"], path=path, status=status, duration_ms=duration_ms, **who)
