"""Text messages to telephones, by SMS or Zalo: what a feature that sends one is given.

What carries them is an operator's gateway or a file (`app.integrations.text_messages`): a text is put down in the
transaction of the act that it tells of, and goes out as every message to a neighbour does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.orm import Session

MAX_LENGTH: Final = 480
"""Three SMS of letters beyond the GSM alphabet are 201; providers join more of them. Longer texts are cut."""


@dataclass(frozen=True)
class TextMessage:
    """A text to one telephone; `id` is the same at a second try. `channel` is `sms` or `zalo`."""

    id: str
    channel: str
    to: str
    text: str


class TextPort(Protocol):
    """What takes text messages."""

    def is_open(self, session: Session) -> bool:
        """Whether there is a gateway that text messages go to."""
        ...

    def send(self, session: Session, message: TextMessage, now: datetime) -> bool:
        """Put a message down in the present transaction; whether it will be sent: it is not if one of its `id` was put
        down before, or there is no gateway."""
        ...

    def withdraw(self, session: Session, ids: Collection[str], now: datetime) -> None:
        """Let go of messages that did not leave yet and are needed no more."""
        ...
