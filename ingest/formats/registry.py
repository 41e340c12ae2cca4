"""Every format that the platform reads: one line each.

Routes, set-up links of devices, vendors of cameras and the list of public routes follow from these two tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

from ingest.formats import (
    axis,
    batch,
    dahua,
    flat,
    frigate,
    gt06,
    h02,
    hikvision,
    jt808,
    osmand,
    overland,
    owntracks,
    phonetrack,
    plate_recognizer,
    rekor,
    traccar,
)
from ingest.formats.camera_format import CameraFormat
from ingest.formats.gps_format import GpsFormat
from ingest.formats.terminal_format import TerminalFormat


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Format = TypeVar("Format", bound=_Named)


def by_name(*formats: Format) -> dict[str, Format]:
    """Formats by name, in the given order.

    Raises
    ------
    ValueError
        If two have the same name.
    """
    table = {item.name: item for item in formats}
    if len(table) < len(formats):
        raise ValueError(f"Two formats of one name among {[item.name for item in formats]}.")
    return table


GPS_FORMATS: Final[Mapping[str, GpsFormat]] = by_name(
    osmand.FORMAT,
    owntracks.FORMAT,
    traccar.FORMAT,
    batch.FORMAT,
    flat.FORMAT,
    flat.HOME_ASSISTANT,
    overland.FORMAT,
    phonetrack.FORMAT,
)
"""What GPS clients speak; served under `/gps/{name}`."""

TERMINAL_FORMATS: Final[Mapping[str, TerminalFormat]] = by_name(jt808.FORMAT, gt06.FORMAT, h02.FORMAT)
"""What trackers speak over TCP; each has a gateway, `cuakhau terminals`."""

CAMERA_FORMATS: Final[Mapping[str, CameraFormat]] = by_name(
    plate_recognizer.FORMAT,
    rekor.FORMAT,
    hikvision.FORMAT,
    dahua.FORMAT,
    axis.FORMAT,
    frigate.FORMAT,
)
"""What plate cameras speak, by vendor; those without an MQTT topic are served under `/cameras/{vendor}`."""
