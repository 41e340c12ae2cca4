"""Pictures of cameras and scanners on disk, under `data_dir/pictures/<day>/`, kept for a limited time.

A picture is named by its own hash, so that a message that comes twice leaves one file. What is not a JPEG or PNG by its
first bytes is not kept: nothing else is ever served.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from geo.errors import NotFoundError

KEPT_DAYS = 30
"""Pictures show people; after this many days they are erased, what was read stays."""
MAX_BYTES = 8 * 2**20
_TYPES = {b"\xff\xd8\xff": ("jpg", "image/jpeg"), b"\x89PNG\r\n\x1a\n": ("png", "image/png")}
_REF = re.compile(r"(\d{4}-\d{2}-\d{2})/[0-9a-f]{64}\.(jpg|png)", re.ASCII)


@dataclass(frozen=True)
class Pictures:
    """The pictures of one installation."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> Pictures:
        """Those under a data directory."""
        return cls(data_dir / "pictures")

    def keep(self, data: bytes | None, now: datetime) -> str | None:
        """Keep a picture; its reference, `None` if there is none or it is no picture."""
        if data is None or len(data) > MAX_BYTES:
            return None
        kind = next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), None)
        if kind is None:
            return None
        ref = f"{now.astimezone(UTC).date()}/{hashlib.sha256(data).hexdigest()}.{kind[0]}"
        path = self.folder / ref
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        return ref

    def load(self, ref: str | None) -> tuple[bytes, str]:
        """A kept picture and its media type.

        Raises
        ------
        NotFoundError
            If there is none, or its time is over.
        """
        match = _REF.fullmatch(ref or "")
        path = self.folder / (ref or "")
        if match is None or not path.is_file():
            raise NotFoundError("There is no picture, or its time is over ({days} days).", days=KEPT_DAYS)
        kind = next(kind for kind in _TYPES.values() if kind[0] == match[2])
        return path.read_bytes(), kind[1]

    def drop_old(self, now: datetime) -> int:
        """Erase pictures whose time is over; how many days were erased."""
        limit = (now.astimezone(UTC) - timedelta(days=KEPT_DAYS)).date()
        dropped = 0
        for day in self.folder.iterdir() if self.folder.is_dir() else ():
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day.name) and date.fromisoformat(day.name) < limit:
                shutil.rmtree(day, ignore_errors=True)
                dropped += 1
        return dropped
