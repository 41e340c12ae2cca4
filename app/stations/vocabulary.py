"""What one shift leaves open for the next."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class PointKind(Vocabulary):
    """Why something is told to the next shift."""

    WAITING = "waiting", N_("Waiting here"), "hourglass"
    UNDECLARED = "undeclared", N_("Undeclared"), "file-alert"
    ALARM = "alarm", N_("Alarm"), "alert-triangle"
    OVERRIDE = "override", N_("Done otherwise"), "hand-stop"
    NOTICE = "notice", N_("Ban or outage"), "ban"
    OTHER = "other", N_("Other"), "pencil"
