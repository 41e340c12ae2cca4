"""Text messages to telephones, by SMS or Zalo: one port, a file and an HTTP gateway behind it.

No provider's interface is taken for granted: the HTTP driver posts one small JSON document, signed as Standard Webhooks
say, which an operator's gateway turns into what its provider takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import httpx

from app.notifications.webhooks import parse_secret, sign
from app.platform.trust import trusted
from app.settings import Settings
from geo.errors import InvalidInputError, UnavailableError

MAX_LENGTH: Final = 480
"""Three SMS of letters beyond the GSM alphabet are 201; providers join more of them. Longer texts are cut."""
SEND_S: Final = 8.0


@dataclass(frozen=True)
class TextMessage:
    """A text to one telephone; `id` is the same at a second try. `channel` is `sms` or `zalo`."""

    id: str
    channel: str
    to: str
    text: str


class TextPort(Protocol):
    """What takes text messages."""

    def send(self, message: TextMessage, now: datetime) -> None:
        """Take one message; raises UnavailableError if it was not taken."""
        ...


@dataclass(frozen=True)
class FileTexts:
    """Appends each message to a file, a line of JSON each: for trials, and for gateways that watch a file."""

    path: Path

    def send(self, message: TextMessage, now: datetime) -> None:
        """Take one message; raises UnavailableError if it was not taken."""
        line = json.dumps({**asdict(message), "at": now.isoformat()}, ensure_ascii=False)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise UnavailableError("The file of text messages cannot be written: {reason}", reason=str(error)) from None


@dataclass(frozen=True)
class HttpTexts:
    """Posts each message to the operator's gateway; an answer of 2xx says that it was taken."""

    url: str
    secret: bytes

    def send(self, message: TextMessage, now: datetime) -> None:
        """Take one message; raises UnavailableError if it was not taken."""
        body = json.dumps(asdict(message), ensure_ascii=False)
        headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            **(sign(self.secret, message.id, now, body) if self.secret else {}),
        }
        try:
            answer = httpx.post(
                self.url, content=body.encode(), headers=headers, timeout=SEND_S, verify=trusted(), trust_env=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError("The gateway of text messages: {reason}", reason=type(error).__name__) from None
        if not answer.is_success:
            raise UnavailableError("The gateway of text messages: {reason}", reason=str(answer.status_code))


def open_port(settings: Settings) -> TextPort | None:
    """The port that the settings name, `None` if none.

    Raises
    ------
    InvalidInputError
        If they name what is none.
    """
    url = settings.text_messages_url.get_secret_value()
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return FileTexts(Path(unquote(parts.path)))
    if parts.scheme in ("http", "https") and parts.hostname:
        try:
            return HttpTexts(url, parse_secret(settings.text_messages_secret.get_secret_value()))
        except ValueError:
            raise InvalidInputError(
                "CUAKHAU_TEXT_MESSAGES_SECRET is not whsec_ and base64.", field="text_messages_secret"
            ) from None
    raise InvalidInputError(
        "CUAKHAU_TEXT_MESSAGES_URL is neither file:///path nor https://host/path.", field="text_messages_url"
    )
