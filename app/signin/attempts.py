"""Sign-ins that have begun and want something more, and what was asked of a browser: kept in Redis for minutes.

A session is opened when a sign-in is complete, never before. Until then the browser holds the secret of an attempt,
whose SHA-256 is the key here. What is asked of an authenticator (a challenge) counts once.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from pydantic import BaseModel
from redis import Redis

from app.accounts.vocabulary import SignInMethod
from app.platform.encryption import key_ring
from app.signin.vocabulary import Purpose
from geo.errors import UnauthenticatedError

COOKIE: Final = "signin"
LIFETIME_S: Final = 900
CHALLENGE_S: Final = 300
OVER: Final = "This sign-in took too long. Begin again."


class Attempt(BaseModel):
    """How far a sign-in has come: whose, by what, whether a second factor was shown, and where it leads."""

    account_id: int
    method: SignInMethod = SignInMethod.PASSWORD
    has_second_factor: bool = False
    address: str = "/"


class ProviderRequest(BaseModel):
    """What was sent along to an identity provider, to be compared with what comes back (RFC 6749, 10.12; RFC 7636).

    `session` is whose session the identity is linked to or proves, empty where somebody signs in; `sent_s` when it was
    sent, in seconds since 1970.
    """

    state: str
    nonce: str
    code_verifier: str
    purpose: Purpose
    address: str
    sent_s: float
    session: str = ""


def new_secret() -> str:
    """The secret of an attempt, for the browser alone."""
    return secrets.token_urlsafe(32)


def holder_of(secret: str) -> str:
    """What stands for the browser of an attempt in the keys of Redis."""
    return "attempt:" + hashlib.sha256(secret.encode()).hexdigest()


def holder_of_session(session_hash: bytes) -> str:
    """What stands for a session in the keys of Redis."""
    return "session:" + session_hash.hex()


def save(redis: Redis, secret: str, attempt: Attempt) -> None:
    """Keep an attempt."""
    redis.set(f"ck:signin:{holder_of(secret)}", attempt.model_dump_json(), ex=LIFETIME_S)


def get(redis: Redis, secret: str) -> Attempt:
    """The attempt of a browser.

    Raises
    ------
    UnauthenticatedError
        If there is none, or it took too long.
    """
    found = redis.get(f"ck:signin:{holder_of(secret)}") if secret else None
    if found is None:
        raise UnauthenticatedError(OVER)
    return Attempt.model_validate_json(found)


def end(redis: Redis, secret: str) -> None:
    """Forget an attempt."""
    redis.delete(f"ck:signin:{holder_of(secret)}")


def keep_challenge(redis: Redis, holder: str, challenge: bytes) -> None:
    """Note what an authenticator is asked to sign."""
    redis.set(f"ck:challenge:{holder}", challenge, ex=CHALLENGE_S)


def take_challenge(redis: Redis, holder: str) -> bytes | None:
    """What the authenticator was asked to sign; asked for again it is gone."""
    found = redis.getdel(f"ck:challenge:{holder}")
    return bytes(found) if isinstance(found, bytes) else None


def keep_app_secret(redis: Redis, holder: str, secret: str) -> str:
    """The secret of an app that is being enrolled: this one, or the one shown before, until it is confirmed."""
    key = f"ck:app-secret:{holder}"
    if redis.set(key, key_ring().encrypt(secret), ex=LIFETIME_S, nx=True):
        return secret
    return find_app_secret(redis, holder) or secret


def find_app_secret(redis: Redis, holder: str) -> str | None:
    """The secret of the app that is being enrolled."""
    found = redis.get(f"ck:app-secret:{holder}")
    return key_ring().decrypt(found.decode()) if isinstance(found, bytes) else None


def drop_app_secret(redis: Redis, holder: str) -> None:
    """Forget it once it is confirmed."""
    redis.delete(f"ck:app-secret:{holder}")


def keep_provider_request(redis: Redis, secret: str, request: ProviderRequest) -> None:
    """Note what was sent to an identity provider."""
    redis.set(f"ck:provider:{holder_of(secret)}", request.model_dump_json(), ex=LIFETIME_S)


def take_provider_request(redis: Redis, secret: str) -> ProviderRequest | None:
    """What was sent to the identity provider; asked for again it is gone."""
    found = redis.getdel(f"ck:provider:{holder_of(secret)}") if secret else None
    return ProviderRequest.model_validate_json(found) if isinstance(found, bytes) else None
