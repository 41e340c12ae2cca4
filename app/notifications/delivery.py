"""Sending messages to webhooks: which are due, where they may go, and when to try again.

A message goes only to a public address: its host is looked up, every address found must be public, and the connection
goes to the very address that was checked, so that a name that changes its mind leads nowhere (DNS rebinding).
Redirects are not followed, proxies not used, answers read to the first kilobyte, and the whole try is cut off in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx

from app.notifications import store
from app.notifications.vocabulary import DeliveryStatus
from app.notifications.webhooks import check_url, secret_of, sign
from app.platform.retrying import Pauses, Rounds
from app.platform.runtime import Runtime
from app.platform.trust import trusted
from geo.errors import CuaKhauError, InvalidInputError

RETRIES: Final = Pauses.of_seconds((10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400))
"""After the last the message is dead, some two days on."""
LEASE: Final = timedelta(seconds=60)
TRY_S: Final = 8.0
MAX_ADDRESSES: Final = 3
"""How many addresses of a host are tried in turn."""
MAX_AT_ONCE: Final = 40
MAX_EACH: Final = 5
"""Messages to one webhook in one round: a slow receiver must not keep the others waiting."""
ANSWER_BYTES: Final = 1024
NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "100.64.0.0/10")
)
"""Ways to private IPv4 addresses through IPv6 (NAT64, 6to4, Teredo), and carrier networks (RFC 6598)."""


@dataclass(frozen=True)
class Answer:
    """How a try went: the status answered (`None`: none), the beginning of the answer or what went wrong."""

    status: int | None
    text: str
    took_ms: int

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300


class Deliverer(Rounds):
    """Sends what is due, round after round."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__("webhooks", lambda: deliver_waiting(runtime, runtime.clock.now()))


def deliver_waiting(runtime: Runtime, now: datetime) -> int:
    """Send the messages that are due at `now`, each once; how many were taken by their receivers."""
    with runtime.sessions() as session:
        claimed = store.claim_deliveries(session, now, until=now + LEASE, limit=MAX_AT_ONCE, each=MAX_EACH)
        session.commit()
    if not claimed:
        return 0
    answers = asyncio.run(_send_all(runtime, claimed, now))
    with runtime.sessions() as session:
        for row, answer in zip(claimed, answers, strict=True):
            store.settle_delivery(session, row.delivery_id, outcome(answer, row.tries, now))
        session.commit()
    return sum(answer.is_success for answer in answers)


def outcome(answer: Answer, tries: int, now: datetime) -> store.Outcome:
    """What is noted after the try number `tries`: delivered, to be tried again, or dead."""
    next_try_at = None if answer.is_success else RETRIES.next_try(tries, now)
    status = DeliveryStatus.WAITING if next_try_at is not None else DeliveryStatus.DEAD
    if answer.is_success:
        status = DeliveryStatus.DELIVERED
    return store.Outcome(
        status, now, answer.status, answer.text.replace("\x00", ""), answer.took_ms, next_try_at=next_try_at
    )


async def _send_all(runtime: Runtime, claimed: Sequence[store.ClaimedDelivery], now: datetime) -> list[Answer]:
    timeout = httpx.Timeout(TRY_S, connect=TRY_S / MAX_ADDRESSES)
    limits = httpx.Limits(max_connections=MAX_AT_ONCE, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        verify=trusted(), timeout=timeout, limits=limits, trust_env=False, follow_redirects=False
    ) as client:
        return await asyncio.gather(*(_send(client, runtime, row, now) for row in claimed))


async def _send(client: httpx.AsyncClient, runtime: Runtime, row: store.ClaimedDelivery, now: datetime) -> Answer:
    started = time.perf_counter()
    headers = sign(secret_of(runtime.settings, bytes(row.salt)), f"msg_{row.delivery_id}", now, row.body)
    status, text = None, ""
    try:
        async with asyncio.timeout(TRY_S):
            requests = await prepare(
                client, row.url, row.body, headers, allow_private=runtime.settings.webhook_allow_private
            )
            response = await send_to_first(client, requests)
            try:
                status = response.status_code
                text = await _beginning(response)
            finally:
                await response.aclose()
    except TimeoutError:
        status, text = None, f"No answer within {TRY_S:.0f} s."
    except CuaKhauError as error:
        text = str(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        status, text = None, f"{type(error).__name__}: {error}"[:300]
    return Answer(status, text, round((time.perf_counter() - started) * 1000.0))


async def send_to_first(client: httpx.AsyncClient, requests: Sequence[httpx.Request]) -> httpx.Response:
    """The answer of the first address that takes the connection: a host may have one that leads nowhere from here."""
    for request in requests[:-1]:
        with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
            return await client.send(request, stream=True)
    return await client.send(requests[-1], stream=True)


async def prepare(
    client: httpx.AsyncClient, url: str, body: str | bytes, headers: Mapping[str, str], *, allow_private: bool
) -> list[httpx.Request]:
    """The request, once for each address of its host (`MAX_ADDRESSES`), all of them looked up and checked.

    It says that `body` is JSON unless `headers` say otherwise.

    Raises
    ------
    InvalidInputError
        If the host is unknown, or any of its addresses is not public and `allow_private` is not set.
    """
    check_url(url, allow_private=allow_private)
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    addresses = await _look_up(host, port)
    if not allow_private and not all(is_public(address) for address in addresses):
        raise InvalidInputError("{host} leads to an address that is not public.", field="url", host=host)
    all_headers = {
        "Content-Type": "application/json",
        "User-Agent": "cuakhau-webhooks/1",
        **headers,
        "Host": parts.netloc,
    }
    extensions = {"sni_hostname": host} if parts.scheme == "https" else {}
    return [
        client.build_request(
            "POST",
            httpx.URL(url).copy_with(host=address, port=port),
            content=body.encode() if isinstance(body, str) else body,
            headers=all_headers,
            extensions=extensions,
        )
        for address in addresses[:MAX_ADDRESSES]
    ]


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by everybody, and only so."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    barred = any(parsed in network for network in NOT_PUBLIC if network.version == parsed.version)
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and not barred


async def _look_up(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidInputError("The host {host} is not known.", field="url", host=host) from None
    return list(dict.fromkeys(str(address[4][0]) for address in found))


async def _beginning(response: httpx.Response) -> str:
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= ANSWER_BYTES:
            break
    return read[:ANSWER_BYTES].decode(errors="replace")
