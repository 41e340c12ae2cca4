"""Whom outgoing connections trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that certificates of others are held against: those of certifi, read once a process.

    httpx reads them for each client that is not given any, for thirty milliseconds of a processor, also where it then
    speaks plain HTTP.
    """
    return httpx.create_ssl_context(trust_env=False)
