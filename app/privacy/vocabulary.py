"""Vocabularies of privacy: on what ground a table is kept, what a hold is on, what a person asks for."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class RetentionBasis(Vocabulary):
    """Why rows of a table go, or why they stay."""

    AGE = "age", N_("Deleted when they are old")
    TRIP = "trip", N_("Deleted some time after the end of the trip")
    PARENT = "parent", N_("Deleted with what they belong to")
    FEATURE = "feature", N_("Deleted by the part that keeps them")
    STATE = "state", N_("Only what holds now")
    ACCOUNT = "account", N_("Until the person or organisation is erased")
    FIGURES = "figures", N_("Figures without persons, kept")
    SETTINGS = "settings", N_("Settings of the platform, kept")
    CHAIN = "chain", N_("Kept for good, persons by pseudonym")


class HoldSubject(Vocabulary):
    """What a legal hold is on."""

    TRIP = "trip", N_("Trip")
    ACCOUNT = "account", N_("Person")


class RequestKind(Vocabulary):
    """What is asked for a person's data."""

    ERASURE = "erasure", N_("Erasure")
    RECTIFICATION = "rectification", N_("Rectification")


class RequestStatus(Vocabulary):
    """What became of a request."""

    OPEN = "open", N_("Open"), "", "notice"
    DONE = "done", N_("Done"), "", "ok"
    REFUSED = "refused", N_("Refused"), "", "warning"
