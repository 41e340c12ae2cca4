"""Fixes as columns: the one layout in which they travel from the intake through Redis to the worker.

A fix is a judged report: its vehicle is known, its place is on earth, its time is plausible.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import MalformedError
from ingest.formats.report import AttributeValues

VERSION = 1

FIX = np.dtype(
    [
        ("vehicle_id", "<i4"),
        ("device_id", "<i8"),
        ("time_us", "<i8"),
        ("received_us", "<i8"),
        ("lon", "<f8"),
        ("lat", "<f8"),
        ("speed_mps", "<f4"),
        ("heading_deg", "<f4"),
        ("accuracy_m", "<f4"),
        ("flags", "<i4"),
    ]
)
"""One fix. Times are microseconds since 1970 UTC, `lon`/`lat` EPSG:4326, unknown measurements NaN."""

FixArray = npt.NDArray[np.void]
Attributes = dict[int, AttributeValues]
"""Row of a fix → what else its message said; only fixes with something to say are in it."""

FLAG_LATE = 1
"""Not newer than the vehicle's last position: stored in its place, moves nothing."""
FLAG_JUMP = 2
"""Out of reach from the last position and not confirmed by the next fix: stored, moves nothing."""
FLAG_RECEIPT_TIME = 4
"""The message named no time; the time of receipt stands for it."""
FLAG_SPEED_DERIVED = 8
"""The message named no speed; that of the last position is derived from the way moved since the one before."""
FLAG_CAMERA = 16
"""Not a receiver's: a plate camera on the road read the vehicle's plate there; the place is the camera's."""

FLAG_CLOCK = 32
"""The device's clock was wrong; the time is corrected (`ingest.clocks`)."""
FLAG_SPEED_UNIT = 64
"""The device reports speeds in another unit than its protocol says; the speed is corrected (`ingest.speeds`)."""
FLAG_SECOND = 128
"""Of a truck's other receiver, while one leads: stored, moves nothing (`ingest.receivers`)."""
FLAG_SPEED_DOUBTED = 256
"""The reported speed contradicts the way moved, or no truck drives it; it is not kept (`ingest.speeds`)."""


def pack(fixes: FixArray, attributes: Attributes | None = None) -> dict[bytes | str, bytes]:
    """The stream entry that carries `fixes` (and what else their messages said)."""
    entry: dict[bytes | str, bytes] = {b"v": b"%d" % VERSION, b"n": b"%d" % len(fixes), b"f": fixes.tobytes()}
    if attributes:
        entry[b"a"] = orjson.dumps([[row, values] for row, values in attributes.items()])
    return entry


def unpack(entry: dict[bytes, bytes]) -> tuple[FixArray, Attributes]:
    """The fixes of a stream entry, a read-only view of its bytes, and their attributes.

    Raises
    ------
    MalformedError
        If the entry is of another version, cut short, or otherwise not what `pack` writes.
    """
    try:
        if entry[b"v"] != b"%d" % VERSION:
            raise MalformedError("Entry of version {version}.", version=entry[b"v"].decode("ascii", "replace"))
        fixes = np.frombuffer(entry[b"f"], FIX)
        attributes = {int(row): dict(values) for row, values in orjson.loads(entry.get(b"a", b"[]"))}
        if len(fixes) != int(entry[b"n"]) or any(not 0 <= row < len(fixes) for row in attributes):
            raise MalformedError("Entry of {length} bytes is cut short.", length=len(entry[b"f"]))
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedError("Not an entry of fixes: {reason}.", reason=str(error)[:200]) from None
    return fixes, attributes
