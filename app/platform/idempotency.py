"""Requests that a bad line repeats: the header `Idempotency-Key`, kept in the database with what it made.

The key is claimed in the transaction that does the work: two arrivals at once come one after the other, the second
finds what the first made, and a failed one leaves nothing behind. Follows draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.platform import idempotency_store
from app.platform.actions import ActionContext
from geo.errors import InvalidInputError

KEPT = timedelta(days=7)
"""How long a key is remembered."""
MAX_KEY_LENGTH = 255


def once(action: ActionContext, act: str, key: str | None, sent: Sequence[object], make: Callable[[], int]) -> int:
    """The id of what `make` makes, or of what it made when this request came the first time.

    Arguments: `act`, what is done, such as `trips.create`; `key`, the header's value, `None` if the client sent none;
    `sent`, what tells this request from another: its body (a Pydantic model or bytes) and the ids in its path.

    Raises
    ------
    InvalidInputError
        If the key is too long, or was used for another request.
    """
    if key is None:
        return make()
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidInputError(
            "The Idempotency-Key has {length} characters; use 1 to {most}, such as a UUID.",
            field="Idempotency-Key",
            length=len(key),
            most=MAX_KEY_LENGTH,
        )
    fingerprint = hashlib.sha256(b" ".join(map(_as_bytes, sent))).digest()
    session, name = action.session, idempotency_store.RequestKey(action.actor.account_id, act, key)
    if idempotency_store.claim_key(session, name, fingerprint, action.now):
        object_id = make()
        idempotency_store.settle_key(session, name, object_id)
        return object_id
    known_fingerprint, known_id = idempotency_store.get_key(session, name)
    if known_fingerprint != fingerprint or known_id is None:
        raise InvalidInputError(
            "The Idempotency-Key {key} was used for another request; send a new one.",
            field="Idempotency-Key",
            key=key,
        )
    return known_id


def _as_bytes(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    return (part.model_dump_json() if isinstance(part, BaseModel) else str(part)).encode()


def forget(session: Session, now: datetime) -> int:
    """Forget keys that no client will send again; how many. For control, once an hour or so."""
    return idempotency_store.forget_keys(session, now - KEPT)
