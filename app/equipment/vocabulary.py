"""What became of plate reads and of commands to barriers; what passing a camera means."""

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


class CameraMovement(Vocabulary):
    """What a truck that passes a camera does, as the camera's set-up says it (`config.movement`)."""

    ENTER = "enter", N_("enters")
    LEAVE = "leave", N_("leaves")
    TOWARD_ENTERS = "toward_enters", N_("enters if it comes toward the camera, else leaves")
    AWAY_ENTERS = "away_enters", N_("enters if it goes away from the camera, else leaves")
    HEADING_ENTERS = "heading_enters", N_("enters if it moves in the direction below, else leaves")


class CommandStatus(Vocabulary):
    """What became of a command to a barrier."""

    SENT = "sent"
    OPENED = "opened"
    FAILED = "failed"
    BY_HAND = "by_hand"
