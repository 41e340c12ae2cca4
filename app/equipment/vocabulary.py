"""What became of plate reads and of commands to barriers."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class ReadStatus(Vocabulary):
    """What became of a plate read."""

    DOUBTFUL = "doubtful", N_("Doubtful")
    UNKNOWN = "unknown", N_("Of no trip")
    MATCHED = "matched", N_("Matched")
    HISTORY = "history", N_("History")
    REPEAT = "repeat"

    @classmethod
    def listed(cls) -> tuple[ReadStatus, ...]:
        """Those that people look through; a repeat is part of the passage whose read stands for it."""
        return (cls.DOUBTFUL, cls.UNKNOWN, cls.MATCHED, cls.HISTORY)

    @classmethod
    def undecided(cls) -> tuple[ReadStatus, ...]:
        """In these a person can say whose plate it is."""
        return (cls.DOUBTFUL, cls.UNKNOWN)


class CommandStatus(Vocabulary):
    """What became of a command to a barrier."""

    SENT = "sent"
    OPENED = "opened"
    FAILED = "failed"
    BY_HAND = "by_hand"
