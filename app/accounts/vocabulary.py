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


class SignInChange(Vocabulary):
    """What changed of how an account signs in: its owner is told on every page until it was seen (ASVS 2.2.3)."""

    PASSWORD = "password", N_("The password was changed"), "key"
    PASSWORD_RESET = "password_reset", N_("Somebody else set a new password"), "key"
    FACTOR_ADDED = "factor_added", N_("A second factor was added"), "device-mobile"
    FACTOR_REMOVED = "factor_removed", N_("A second factor was removed"), "device-mobile-off"
    FACTORS_TAKEN_AWAY = "factors_taken_away", N_("All second factors were taken away"), "device-mobile-off"
    RECOVERY_CODES = "recovery_codes", N_("New recovery codes were made"), "list-numbers"
    RECOVERY_CODE_USED = "recovery_code_used", N_("A recovery code was used"), "list-numbers"
    IDENTITY_LINKED = "identity_linked", N_("An identity provider was linked"), "id"
    IDENTITY_UNLINKED = "identity_unlinked", N_("An identity provider is no longer linked"), "id-off"
