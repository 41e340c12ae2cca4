"""The simulated gateway of text messages: takes each text once by its identity, and sends it to nobody."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.integrations.messages import Message, parse_body
from app.integrations.simulators.storage import Planned, Storage
from app.integrations.text_messages import NAME, Text, as_document
from app.platform.json import JsonObject
from geo.clock import Clock
from geo.errors import InvalidInputError


@dataclass(frozen=True)
class TextMessagesScript:
    """A gateway that keeps what it was to send: `GET /status` counts it, `GET /records/last` shows the last."""

    seed: int = 0
    name: str = NAME

    def answer(self, storage: Storage, message: Message, _clock: Clock, _generator: random.Random) -> Sequence[Planned]:
        """Nothing is said of a text that was taken; raises InvalidInputError if it is none."""
        storage.keep_record("last", as_document(message))
        return ()

    def keep(self, storage: Storage, key: str, data: JsonObject, _clock: Clock) -> Sequence[Planned]:
        """It is told nothing; what it is told is kept."""
        storage.keep_record(key, data)
        return ()


class GatewayCodec:
    """The form in which a gateway is posted texts, one document each."""

    content_type: Final = "application/json"

    def encode(self, message: Message) -> bytes:
        """One text."""
        return json.dumps(as_document(message), ensure_ascii=False).encode()

    def encode_all(self, messages: Sequence[Message]) -> bytes:
        """Several texts, a line each."""
        return b"\n".join(self.encode(message) for message in messages)

    def decode(self, data: bytes) -> list[Message]:
        """The text of a document; raises InvalidInputError if it is none."""
        body = parse_body(data.decode("utf-8", "replace"))
        identity = body.pop("id", None)
        if not isinstance(identity, str) or not 1 <= len(identity) <= 200:
            raise InvalidInputError("The answer cannot be read: {reason}", reason="id")
        return [Message(id=identity, kind=Text.KIND, about=identity, sent_at=datetime.now(UTC), body=body)]
