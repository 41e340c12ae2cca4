"""Requests that a bad line repeats: the header `Idempotency-Key`, kept in the database with what it made.

The key is claimed in the transaction that does the work: two arrivals at once come one after the other, the second
finds what the first made, and a failed one leaves nothing behind. Follows draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.platform import idempotency_store
from app.platform.permissions import Principal
from geo.errors import InvalidInputError

KEPT = timedelta(days=7)
"""How long a key is remembered."""
LONGEST_KEY = 255


def once(
    session: Session,
    principal: Principal,
    act: str,
    *,
    key: str | None,
    body: bytes,
    now: datetime,
    make: Callable[[], int],
) -> int:
    """The id of what `make` makes, or of what it made when this request came the first time.

    Arguments: `key`, the header's value, `None` if the client sent none; `body`, the request's bytes.

    Raises
    ------
    InvalidInputError
        If the key is too long, or was used for another request.
    """
    if key is None:
        return make()
    if not 1 <= len(key) <= LONGEST_KEY:
        raise InvalidInputError(
            "The Idempotency-Key has {length} characters; use 1 to {most}, such as a UUID.",
            field="Idempotency-Key",
            length=len(key),
            most=LONGEST_KEY,
        )
    fingerprint = hashlib.sha256(body).digest()
    name = idempotency_store.RequestKey(principal.account_id, act, key)
    if idempotency_store.claim_key(session, name, fingerprint, now):
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


def forget(session: Session, now: datetime) -> int:
    """Forget keys that no client will send again; how many. For control, once an hour or so."""
    return idempotency_store.forget_keys(session, now - KEPT)
