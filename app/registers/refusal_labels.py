"""How people are told why a device's report was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.platform.labels import N_
from ingest.formats.report import RefusalReason

REFUSAL_LABELS: Final[Mapping[str, str]] = {
    RefusalReason.UNKNOWN_DEVICE: N_("not enrolled"),
    RefusalReason.NO_POSITION: N_("no position in it"),
    RefusalReason.OUT_OF_RANGE: N_("position not on earth"),
    RefusalReason.MOCK: N_("position faked on the phone"),
    RefusalReason.FUTURE: N_("clock ahead: time in the future"),
    RefusalReason.TOO_OLD: N_("older than positions are kept"),
    RefusalReason.MALFORMED: N_("message unreadable"),
    RefusalReason.ENCRYPTED: N_("message encrypted"),
    RefusalReason.IMPOSSIBLE_JUMP: N_("impossible jump"),
    RefusalReason.SAME_PLACE: N_("same coordinates as other vehicles"),
}
"""Reason → key of the translations."""
