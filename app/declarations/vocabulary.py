"""How lists of declarations and the desk's undeclared trucks stand."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class ImportStatus(Vocabulary):
    """How a list of declarations that was sent in as a file stands."""

    CHECKED = "checked"
    DONE = "done"


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
