"""Names of what people see of devices: how they fare, what they tell beside positions, how commands to them stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.platform.labels import N_, Vocabulary
from app.tracking.health import DeviceHealth
from ingest.signals import SignalKind
from ingest.speeds import SpeedUnit


class DeviceView(Vocabulary):
    """Which devices a page shows."""

    ALL = "all", N_("All devices"), "list"
    SILENT = "silent", N_("Silent"), "wifi-off"
    REFUSED = "refused", N_("Refused"), "ban"
    CLOCK = "clock", N_("Clock or unit wrong"), "clock-exclamation"
    DOUBTFUL = "doubtful", N_("Perhaps faked"), "mask"

    def shows(self, device: DeviceHealth) -> bool:
        """Whether a device belongs to this view."""
        if self is DeviceView.SILENT:
            return device.overdue_s is not None or device.heard_at is None
        if self is DeviceView.REFUSED:
            return device.refused is not None
        if self is DeviceView.CLOCK:
            return device.is_clock_off or device.speed_unit is not SpeedUnit.PROTOCOL
        return self is DeviceView.ALL or device.is_doubtful


SPEED_UNIT_LABELS: Final[Mapping[str, str]] = {
    SpeedUnit.PROTOCOL: N_("as its protocol says"),
    SpeedUnit.MPS_FOR_KNOTS: N_("m/s instead of knots"),
    SpeedUnit.KNOTS_FOR_MPS: N_("knots instead of m/s"),
    SpeedUnit.MPS_FOR_KMH: N_("m/s instead of km/h"),
    SpeedUnit.KMH_FOR_MPS: N_("km/h instead of m/s"),
    SpeedUnit.KNOTS_FOR_KMH: N_("knots instead of km/h"),
    SpeedUnit.KMH_FOR_KNOTS: N_("km/h instead of knots"),
    SpeedUnit.NONE: N_("always zero: not used"),
}
"""Unit → key of the translations."""


class DeviceEventKind(Vocabulary):
    """What a device told; the names are those of `ingest.signals.SignalKind`."""

    SOS = SignalKind.SOS.value, N_("Call for help (SOS)"), "urgent", "alarm"
    ACCIDENT = SignalKind.ACCIDENT.value, N_("Accident reported by the tracker"), "car-crash", "alarm"
    POWER_LOST = SignalKind.POWER_LOST.value, N_("Tracker lost its power"), "plug-off", "warning"
    LOW_BATTERY = SignalKind.LOW_BATTERY.value, N_("Battery of the device is low"), "battery-1", "notice"
    REGION_ENTERED = SignalKind.REGION_ENTERED.value, N_("Entered a region set on the device"), "login-2", "ok"
    REGION_LEFT = SignalKind.REGION_LEFT.value, N_("Left a region set on the device"), "logout-2", "ok"
    IGNITION_ON = SignalKind.IGNITION_ON.value, N_("Ignition on"), "engine", "ok"
    IGNITION_OFF = SignalKind.IGNITION_OFF.value, N_("Ignition off"), "engine-off", "ok"

    @classmethod
    def emergencies(cls) -> tuple[DeviceEventKind, ...]:
        """Those that the traffic police is called by, until somebody there says that it was seen."""
        return (cls.SOS, cls.ACCIDENT)

    @classmethod
    def ignition(cls) -> tuple[DeviceEventKind, ...]:
        """Those of which the last one is the state."""
        return (cls.IGNITION_ON, cls.IGNITION_OFF)


class CommandStatus(Vocabulary):
    """From the queue to the device."""

    WAITING = "waiting", N_("Waiting for the device"), "clock", "notice"
    SENT = "sent", N_("Sent to the device"), "send", "notice"
    ACKNOWLEDGED = "acknowledged", N_("Shown by the device"), "circle-check", "ok"
    REFUSED = "refused", N_("Refused by the device"), "circle-x", "warning"
    EXPIRED = "expired", N_("Never fetched by a device"), "clock-off", "warning"
