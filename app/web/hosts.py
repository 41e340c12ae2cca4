"""Under which names the platform answers: a request for another host is refused before anything is made of it.

Otherwise links that the platform writes (devices' addresses, pages of results) would lead wherever the request's `Host`
says, and another site's name that resolves to this machine would speak with it (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

import psutil
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.platform.errors import problem
from app.settings import Settings

UNCHECKED: Final = ("/gps/", "/cameras/", "/healthz", "/readyz", "/metrics")
"""What devices and probes ask, by whatever address they were given; these answers hold no links and no session."""
ANY: Final = "*"


def known_hosts(settings: Settings) -> frozenset[str]:
    """The names of the platform, in lower case and without ports; `*` among them: any."""
    named = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
    public = urlsplit(settings.public_url).hostname
    own = {"localhost", socket.gethostname().lower(), settings.host.lower()}
    own |= {
        address.address.partition("%")[0].lower()
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return frozenset(named | own | ({public.lower()} if public else set()) | {"127.0.0.1", "::1"})


def host_of(header: str) -> str:
    """The name in a `Host` header without its port, in lower case; empty if it is none."""
    if "@" in header or "/" in header:
        return ""
    try:
        found = urlsplit(f"//{header}")
        _ = found.port
    except ValueError:
        return ""
    name = (found.hostname or "").rstrip(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


class KnownHosts:
    """Answers 421 (RFC 9110, 15.5.20) to requests for other hosts; `apart` are paths that anybody may name anyhow."""

    def __init__(self, app: ASGIApp, *, names: frozenset[str], apart: tuple[str, ...] = ()) -> None:
        self.app = app
        self.names = names
        self.apart = apart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its host is known."""
        if scope["type"] != "http" or ANY in self.names or scope["path"].startswith(self.apart):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("host")
        if len(given) == 1 and host_of(given[0]) in self.names:
            await self.app(scope, receive, send)
            return
        shown = ", ".join(given)[:100]
        detail = f"The platform is not known as {shown!r}; CUAKHAU_ALLOWED_HOSTS or CUAKHAU_PUBLIC_URL names its hosts."
        await problem(421, detail)(scope, receive, send)
