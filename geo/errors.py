"""The error tree of the platform.

Framework-free: `app.platform.errors` holds the one table from these classes to HTTP status codes.
A message says what was wrong with which value and what to do; it is a gettext message
with named placeholders, so that it can be shown in the reader's language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class CuaKhauError(Exception):
    """Base of every error this platform raises on purpose.

    Arguments: `message`, a `str.format` template in English (also the gettext key);
    `values`, what fills its placeholders; `field`, the input it concerns, if one.
    `code` tells programs apart what they can do something about.
    """

    code: str | None = None

    def __init__(self, message: str, *, field: str | None = None, **values: Any) -> None:
        self.message = message
        self.field = field
        self.values = values
        super().__init__(message.format(**values) if values else message)


class MalformedError(CuaKhauError):
    """The bytes could not be read as the format they claim to be."""


class InvalidInputError(CuaKhauError):
    """A value was read but cannot be accepted; `field` names it."""


class UnauthenticatedError(CuaKhauError):
    """Nobody is signed in, or the credentials are wrong."""


class ForbiddenError(CuaKhauError):
    """Somebody is signed in but may not do this."""


class StaleFormError(ForbiddenError):
    """A form of another session than the one that sends it."""


class ProofNeededError(ForbiddenError):
    """The caller may do this, after proving once more who it is; `code` is how programs know."""

    code = "proof_needed"


class SessionLockedError(ForbiddenError):
    """The caller's session is locked until it proves who it is."""

    code = "session_locked"


class NotFoundError(CuaKhauError):
    """The thing does not exist, or not for this caller."""


class ConflictError(CuaKhauError):
    """The request contradicts the present state."""


class UnlikelyError(ConflictError):
    """What was entered is hard to believe; sent again as confirmed it counts. `code` is how programs know."""

    code = "unlikely"


class StaleError(CuaKhauError):
    """The caller edited a version that is no longer the present one (`If-Match`)."""


class PreconditionRequiredError(CuaKhauError):
    """An edit of something shared came without `If-Match`."""


class TooManyRequestsError(CuaKhauError):
    """The caller must slow down; `retry_after_s` among the values says how long."""


class UnavailableError(CuaKhauError):
    """A part the platform depends on does not answer; trying again later may work."""


class RefusedError(InvalidInputError):
    """Several values cannot be accepted: `problems` holds one error a field, in the order of the form."""

    def __init__(self, problems: Sequence[InvalidInputError]) -> None:
        first = problems[0]
        self.problems = tuple(problems)
        super().__init__(first.message, field=first.field, **first.values)
