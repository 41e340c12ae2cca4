"""The adapter over HTTP: sends a message to a neighbour, fetches what it keeps for us. The form is the codec's.

What is assumed of a neighbour is no more than this: `POST {address}/messages` takes a message and may answer with
others; `GET {address}/messages?after=…` answers with those that it keeps for us, and says in the header `Next-Cursor`
what to ask after next. Requests are signed as Standard Webhooks say where a secret is set, and carry the message's
identity in `Idempotency-Key`. A neighbour whose answers say `Simulated: true` is shown as such everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from app.integrations.messages import Codec, JsonCodec, Message
from app.notifications.webhooks import parse_secret, sign
from app.platform.trust import trusted
from geo.errors import InvalidInputError

TRY_S: Final = 8.0
FETCH_LIMIT: Final = 200
MAX_ERROR: Final = 300
AWAY: Final = frozenset({401, 407, 408, 429, 502, 503, 504})
"""What is answered of a neighbour that is away, asks for a pause, or does not know us, as after a change of secrets: no
fault of the message."""

ENCODING_HEADERS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""What no longer holds of an answer whose body was decoded while it was read."""
MAX_ANSWER: Final = 8_000_000
"""Bytes of an answer, unpacked, unless settings say otherwise."""


class TooLargeError(Exception):
    """An answer that is larger than is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer is larger than {limit} bytes (CUAKHAU_NEIGHBOUR_MAX_ANSWER).")


class Outcome(Enum):
    """How an exchange ended."""

    TAKEN = auto()
    """It was taken."""
    REFUSED = auto()
    """The message is wrong: another try would be in vain."""
    FAILED = auto()
    """The neighbour answered that it could not; the message may be the cause."""
    AWAY = auto()
    """The neighbour does not answer."""


@dataclass(frozen=True)
class Answer:
    """What came of an exchange: the messages answered, and after what to ask next (`None`: as before)."""

    outcome: Outcome
    took_ms: int
    error: str = ""
    messages: list[Message] = field(default_factory=list)
    cursor: str | None = None
    is_simulated: bool = False


class Adapter(Protocol):
    """What carries messages to a neighbour and back."""

    max_answer: int

    def send(self, message: Message, now: datetime) -> Answer:
        """Send a message; never raises what the neighbour did."""
        ...

    def fetch(self, cursor: str, now: datetime) -> Answer:
        """Fetch what the neighbour keeps for us since `cursor`; never raises what the neighbour did."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Carrier:
    """What adapters over HTTP share; safe for several threads.

    Raises
    ------
    InvalidInputError
        If the address is none of http or https, or the secret is not `whsec_` and base64.
    """

    max_answer: int = MAX_ANSWER
    """Bytes of an answer, unpacked, that are read at most."""

    def __init__(self, url: str, secret: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInputError("{value} is no address of a neighbour; write https://host/path.", value=url[:100])
        try:
            self.secret = parse_secret(secret)
        except ValueError:
            raise InvalidInputError(
                "The secret of the neighbour at {host} is not whsec_ and base64.", host=parts.hostname
            ) from None
        self.url = url.rstrip("/")
        self.client = httpx.Client(verify=trusted(), timeout=TRY_S, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        """Give connections back."""
        self.client.close()

    def exchange(self, request: httpx.Request, read: Callable[[httpx.Response], list[Message]]) -> Answer:
        """Send a request and judge what came of it; `read` gets the messages out of an answer, or raises
        InvalidInputError."""
        started = time.perf_counter()
        try:
            response = self._receive(request)
        except TooLargeError as error:
            return Answer(Outcome.FAILED, _since_ms(started), str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            text = f"{type(error).__name__}: {error}"[:MAX_ERROR]
            return Answer(Outcome.AWAY, _since_ms(started), text)
        took_ms, simulated = _since_ms(started), response.headers.get("Simulated") == "true"
        if not response.is_success:
            text = f"{response.status_code} {response.text[:MAX_ERROR]}".replace("\x00", "").strip()
            return Answer(_judge(response.status_code), took_ms, text, is_simulated=simulated)
        try:
            messages = read(response)
        except InvalidInputError as error:
            return Answer(Outcome.FAILED, took_ms, str(error)[:MAX_ERROR], is_simulated=simulated)
        cursor = response.headers.get("Next-Cursor")
        return Answer(Outcome.TAKEN, took_ms, messages=messages, cursor=cursor, is_simulated=simulated)

    def _receive(self, request: httpx.Request) -> httpx.Response:
        """The whole answer, read until `max_answer` bytes and no further; raises TooLargeError."""
        response = self.client.send(request, stream=True)
        try:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > self.max_answer:
                    raise TooLargeError(self.max_answer)
        finally:
            response.close()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in ENCODING_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=bytes(content), request=request)


def nothing(_response: httpx.Response) -> list[Message]:
    """The messages in an answer of which nothing but its status is looked at: none."""
    return []


class OneWayCarrier(Carrier):
    """A carrier to somebody who keeps nothing for us; raises InvalidInputError as `Carrier`."""

    def fetch(self, cursor: str, now: datetime) -> Answer:  # noqa: ARG002 - as every adapter
        """Nothing."""
        return Answer(Outcome.TAKEN, 0)


class HttpAdapter(Carrier):
    """The adapter over HTTP; raises InvalidInputError as `Carrier`."""

    def __init__(self, url: str, secret: str = "", codec: Codec | None = None) -> None:
        super().__init__(url, secret)
        self._url = f"{self.url}/messages"
        self._codec: Codec = codec or JsonCodec()

    def send(self, message: Message, now: datetime) -> Answer:
        """Send a message; never raises what the neighbour did."""
        body = self._codec.encode(message)
        headers = {
            "Content-Type": self._codec.content_type,
            "Accept": self._codec.content_type,
            "Idempotency-Key": message.id,
            **self._signature(message.id, now, body),
        }
        return self.exchange(self.client.build_request("POST", self._url, content=body, headers=headers), self._read)

    def fetch(self, cursor: str, now: datetime) -> Answer:
        """Fetch what the neighbour keeps for us since `cursor`; never raises what the neighbour did."""
        headers = {"Accept": self._codec.content_type, **self._signature(f"fetch {cursor}", now, b"")}
        query: Mapping[str, str | int] = {"after": cursor, "limit": FETCH_LIMIT}
        return self.exchange(self.client.build_request("GET", self._url, params=query, headers=headers), self._read)

    def _signature(self, name: str, now: datetime, body: bytes) -> dict[str, str]:
        return sign(self.secret, name, now, body.decode("utf-8", "replace")) if self.secret else {}

    def _read(self, response: httpx.Response) -> list[Message]:
        return self._codec.decode(response.content)


def _judge(status: int) -> Outcome:
    if status in AWAY:
        return Outcome.AWAY
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.FAILED


def _since_ms(started: float) -> int:
    return round((time.perf_counter() - started) * 1000.0)
