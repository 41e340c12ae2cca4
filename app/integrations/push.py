"""What a neighbour pushes instead of keeping it to be fetched: signed by Standard Webhooks, put down in the inbox.

Who it is says the signature, made with the neighbour's secret (`CUAKHAU_NEIGHBOUR_SECRETS`). What came is known by its
own identity, however often it comes and by whichever way; it is taken in as what is fetched is.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.integrations import store
from app.integrations.neighbour import Neighbour
from app.notifications.webhooks import parse_secret, sign
from geo.errors import InvalidInputError, UnauthenticatedError

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a signature may be from now, as the specification recommends."""
MAX_MESSAGES: Final = 500
WRONG: Final = "The signature is missing, too old or not of this neighbour's secret."


@dataclass(frozen=True)
class Received:
    """How many messages came, and how many of them were new."""

    received: int
    new: int


def check_signature(secret: SecretStr | None, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Whether a body was signed with a secret lately.

    Raises
    ------
    UnauthenticatedError
        If it was not, or there is no secret.
    """
    message_id, written = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        key = parse_secret("" if secret is None else secret.get_secret_value())
        signed_at = datetime.fromtimestamp(int(written), UTC)
    except (ValueError, OverflowError, OSError):  # no base64, no number, or no time that there is
        raise UnauthenticatedError(WRONG) from None
    if not key or not message_id:
        raise UnauthenticatedError(WRONG)
    expected = sign(key, message_id, signed_at, body.decode("utf-8", "replace"))["webhook-signature"]
    given = headers.get("webhook-signature", "").split()
    is_known = any([hmac.compare_digest(expected.encode(), each.encode()) for each in given])
    if not is_known or abs(now - signed_at) > TOLERANCE:
        raise UnauthenticatedError(WRONG)


def receive(session: Session, neighbour: Neighbour, body: bytes, now: datetime) -> Received:
    """Put what a neighbour pushed down, each message once; it is taken in within seconds.

    Raises
    ------
    InvalidInputError
        If it cannot be read, is of no kind that is known of this neighbour, or too many at once.
    UnauthenticatedError
        If settings name neither an address nor the secret of the neighbour.
    """
    if not store.may_push(session, neighbour.name):
        raise UnauthenticatedError(WRONG)
    messages = neighbour.codec.decode(body)
    if len(messages) > MAX_MESSAGES:
        raise InvalidInputError("Push at most {limit} messages at once.", limit=MAX_MESSAGES)
    known = {incoming.model.KIND for incoming in neighbour.takes}
    for message in messages:
        if message.kind not in known:
            raise InvalidInputError(
                "There is no message {kind}; known are {known}.", kind=message.kind, known=", ".join(sorted(known))
            )
    store.note_push(session, neighbour.name, now)
    return Received(len(messages), store.receive(session, neighbour.name, messages, now))
