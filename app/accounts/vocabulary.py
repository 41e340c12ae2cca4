"""How people sign in."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class SignInMethod(Vocabulary):
    """By what a session was opened; a second factor beside the password is part of its name."""

    PASSWORD = "password", N_("Password"), "key"
    PASSWORD_AND_CODE = "password_and_code", N_("Password and code"), "device-mobile"
    PASSWORD_AND_PASSKEY = "password_and_passkey", N_("Password and passkey"), "fingerprint"
    PASSKEY = "passkey", N_("Passkey"), "fingerprint"
    PROVIDER = "provider", N_("Identity provider"), "id"
