"""What operators are warned of."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class AlarmKind(Vocabulary):
    """Conditions of the platform that somebody must see to."""

    PART_AWAY = "part_away", N_("A part does not answer"), "plug-connected-x", "alarm"
    FORECAST_OLD = "forecast_old", N_("The forecast is old"), "clock-exclamation", "alarm"
    STREAM_LAG = "stream_lag", N_("Messages of devices wait to be stored"), "stack-2", "warning"
    CAMERA_SILENT = "camera_silent", N_("A camera or another device at a gate is silent"), "camera-off", "warning"
    DISK_SHORT = "disk_short", N_("The disk is nearly full"), "database-exclamation", "alarm"
    BACKUP_OLD = "backup_old", N_("The last good backup is old"), "archive-off", "alarm"
    OUTBOX_WAITING = "outbox_waiting", N_("Events wait to be sent"), "send-off", "warning"
    DEAD_LETTERS = "dead_letters", N_("Positions could not be stored"), "mailbox-off", "warning"
    CERTIFICATE_ENDS = (
        "certificate_ends",
        N_("The certificate of the web address ends soon"),
        "certificate-off",
        "alarm",
    )
