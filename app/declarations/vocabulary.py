"""How lists of declarations and the desk's undeclared trucks stand."""

from __future__ import annotations

from collections.abc import Mapping

from app.platform.labels import N_, Vocabulary


class ImportStatus(Vocabulary):
    """How a list of declarations that was sent in as a file stands."""

    ASKING = "asking", N_("Has questions"), "help"
    CHECKING = "checking", N_("Being checked"), "loader"
    CHECKED = "checked", N_("Checked"), "list-check"
    MAKING = "making", N_("Being declared"), "loader"
    DONE = "done", N_("Declared"), "check"

    @classmethod
    def running(cls) -> tuple[ImportStatus, ...]:
        """In these the platform works on it; an enterprise has at most one such."""
        return (cls.CHECKING, cls.MAKING)


class RowState(Vocabulary):
    """How one declaration of a file stands."""

    WAITING = "waiting", N_("Not checked yet"), "hourglass"
    FINE = "fine", N_("Can be declared"), "check"
    REFUSED = "refused", N_("Cannot be declared"), "alert-octagon"
    CHOSEN = "chosen", N_("Will be declared"), "hourglass"
    MADE = "made", N_("Declared"), "check"
    LEFT_OUT = "left_out", N_("Left out"), "minus"

    @classmethod
    def open(cls) -> tuple[RowState, ...]:
        """In these nothing has come of it yet."""
        return (cls.WAITING, cls.FINE, cls.REFUSED, cls.CHOSEN)

    @classmethod
    def changeable(cls) -> tuple[RowState, ...]:
        """In these a person can change it or take it up again."""
        return (cls.WAITING, cls.FINE, cls.REFUSED, cls.LEFT_OUT)

    @classmethod
    def progress(cls, counts: Mapping[RowState, int]) -> float:
        """The share of rows that the platform has no more to do with, 0 to 1."""
        count = sum(counts.values())
        return 1.0 if count == 0 else 1.0 - (counts[cls.WAITING] + counts[cls.CHOSEN]) / count


class ArrivalStatus(Vocabulary):
    """How a truck that came undeclared stands at the desk."""

    WAITING = "waiting", N_("Waits"), "hourglass"
    DECLARING = "declaring", N_("Declaring"), "pencil"
    DECLARED = "declared", N_("Declared"), "check"
    LEFT = "left", N_("Left undeclared"), "logout"

    @classmethod
    def open(cls) -> tuple[ArrivalStatus, ...]:
        """In these the desk has still to act."""
        return (cls.WAITING, cls.DECLARING)


class SightingOutcome(Vocabulary):
    """What became of a plate that nobody declared; none while the desk has still to act."""

    REGISTERED = "registered"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class PrefillSource(Vocabulary):
    """Whose data fill in a declaration beforehand."""

    NANNING = "nanning", N_("Nanning customs"), "building-bank"


class PrefillState(Vocabulary):
    """How a pre-filled declaration stands."""

    OFFERED = "offered", N_("To be checked and declared"), "file-import", "notice"
    TAKEN = "taken", N_("Taken over"), "check", "ok"
    WITHDRAWN = "withdrawn", N_("Withdrawn"), "ban", "warning"
