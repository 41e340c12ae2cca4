"""The gateway of text messages to telephones, by SMS or Zalo: an operator's, over HTTP, or a file.

No provider's interface is taken for granted: the gateway is posted one small JSON document, `id channel to text`,
signed as Standard Webhooks say, which it turns into what its provider takes. `Idempotency-Key` is the document's `id`:
a gateway that remembers it sends no text twice. A text names a person's telephone: it is kept encrypted, for days that
settings name (`text_messages_keep_days`), and shown only to those who mend it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field
from sqlalchemy.orm import Session

from app.integrations import service, store
from app.integrations.adapter import MAX_ANSWER, Adapter, Answer, OneWayCarrier, Outcome, nothing
from app.integrations.messages import Body, Codec, Message, read_body
from app.integrations.neighbour import Neighbour, Tried
from app.notifications import reach
from app.notifications.text_messages import MAX_LENGTH, TextMessage
from app.notifications.webhooks import sign
from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.platform.personal_fields import mask
from geo.errors import InvalidInputError

NAME: Final = "text-messages"


class Text(Body):
    """A text to one telephone."""

    KIND: ClassVar[str] = "text.message"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"to", "text"})

    channel: Literal["sms", "zalo"]
    to: PlainText = Field(min_length=1, max_length=60)
    text: PlainText = Field(min_length=1, max_length=MAX_LENGTH)


def as_document(message: Message) -> JsonObject:
    """What a gateway is posted of a message; raises InvalidInputError if it is no text."""
    return {"id": message.id, **read_body(Text, message.body).model_dump(mode="json")}


class GatewayAdapter(OneWayCarrier):
    """Posts each text to the address itself; an answer of 2xx says that it was taken, whatever else it says."""

    def __init__(self, url: str, secret: str = "") -> None:
        super().__init__(url, secret)
        self.url = url

    def send(self, message: Message, now: datetime) -> Answer:
        """Post a text; never raises what the gateway did. What it says of the text is kept without its telephone."""
        document = as_document(message)
        body = json.dumps(document, ensure_ascii=False)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.id,
            **(sign(self.secret, message.id, now, body) if self.secret else {}),
        }
        request = self.client.build_request("POST", self.url, content=body.encode(), headers=headers)
        answer = self.exchange(request, nothing)
        return replace(answer, error=_without(answer.error, document))


@dataclass
class FileAdapter:
    """Appends each text to a file, a line of JSON each: for trials, and for gateways that watch a file.

    A process that dies just then may write a line twice, under the same `id`.
    """

    path: Path
    max_answer: int = MAX_ANSWER

    def send(self, message: Message, now: datetime) -> Answer:
        """Append a text; a file that cannot be written is away."""
        started = time.perf_counter()
        line = json.dumps({**as_document(message), "at": now.isoformat()}, ensure_ascii=False)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            return Answer(Outcome.AWAY, 0, f"The file of text messages cannot be written: {error.strerror}")
        return Answer(Outcome.TAKEN, round((time.perf_counter() - started) * 1000.0))

    def fetch(self, cursor: str, now: datetime) -> Answer:  # noqa: ARG002 - as every adapter
        """Nothing: a file keeps nothing for us."""
        return Answer(Outcome.TAKEN, 0)

    def close(self) -> None:
        """Nothing is held open."""


def text_messages() -> Neighbour:
    """The neighbour; it says nothing. How each text to a driver went is noted where it was put down."""
    return Neighbour(
        name=NAME,
        label=N_("Text messages (SMS, Zalo)"),
        icon="message",
        sends=(Text,),
        is_polled=False,
        connect=connect,
        tried=_note,
    )


def connect(url: str, secret: str, _codec: Codec) -> Adapter:
    """What carries texts to an address, `file:///path`, `https://…` or `http://…`.

    Raises
    ------
    InvalidInputError
        If it is none, or the secret cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return FileAdapter(Path(unquote(parts.path)))
    if parts.scheme in ("http", "https") and parts.hostname:
        return GatewayAdapter(url, secret)
    raise InvalidInputError(
        "CUAKHAU_TEXT_MESSAGES_URL is neither file:///path nor https://host/path.", field="text_messages_url"
    )


class OutboxTexts:
    """Puts texts down to be sent, each `id` once."""

    def is_open(self, session: Session) -> bool:
        """Whether there is a gateway that text messages go to."""
        return store.is_connected(session, NAME)

    def send(self, session: Session, message: TextMessage, now: datetime) -> bool:
        """Put a message down in the present transaction; whether it will be sent."""
        body = read_body(Text, {"channel": message.channel, "to": message.to, "text": message.text[:MAX_LENGTH]})
        return service.send(session, NAME, body, about=_end_of(message.to), subject=message.id, now=now)

    def withdraw(self, session: Session, ids: Collection[str], now: datetime) -> None:
        """Let go of messages that did not leave yet and are needed no more."""
        store.drop_waiting(session, NAME, ids, now)


def _note(session: Session, tried: Tried, now: datetime) -> None:
    reach.note_text(session, tried.subject, is_sent=tried.is_sent, is_over=tried.is_over, error=tried.error, now=now)


def _end_of(telephone: str) -> str:
    return mask(re.sub(r"[\W_]+", "", telephone))


def _without(error: str, document: JsonObject) -> str:
    """What a gateway said, without the telephone and text that it may have repeated."""
    for name in Text.PERSONAL:
        error = error.replace(str(document[name]), "…")
    return error
