"""What people sign in with, and what a sign-in still wants."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class SignInStep(Vocabulary):
    """What a sign-in that has begun wants next; `path` is its page."""

    path: str

    def __init__(self, _name: str, path: str) -> None:
        super().__init__(_name)
        self.path = path

    SECOND_FACTOR = "second_factor", "/signin/second-factor"
    NEW_PASSWORD = "new_password", "/signin/new-password"
    ENROLMENT = "enrolment", "/signin/enrolment"
    DONE = "done", "/signin/finish"


class Failure(Vocabulary):
    """Why a sign-in failed, as the security log and the audit log say it."""

    UNKNOWN_USER = "unknown_user"
    DISABLED = "disabled"
    PASSWORD = "password"  # noqa: S105 - what was wrong
    CODE = "code"
    PASSKEY = "passkey"
    PROVIDER = "provider"


class ResetStatus(Vocabulary):
    """What became of the request to take the second factors of an account away."""

    ASKED = "asked", N_("Waits for a second person"), "hourglass"
    APPROVED = "approved", N_("Approved"), "circle-check"
    REFUSED = "refused", N_("Refused"), "circle-x"


class Purpose(Vocabulary):
    """Why somebody is sent to the identity provider: to sign in, to link an account to it, to prove again who it is."""

    SIGN_IN = "sign_in"
    LINK = "link"
    PROVE = "prove"


class UnknownIdentity(Vocabulary):
    """What happens to an identity of the provider that no account is linked to."""

    REFUSE = "refuse"
    CREATE = "create"


class Strictness(Vocabulary):
    """Which rules hold until an administrator sets others: those of an installation, or those of a demonstration."""

    STRICT = "strict"
    LENIENT = "lenient"
