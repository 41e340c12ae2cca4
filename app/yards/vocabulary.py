"""How units of prices and shifts are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.platform.labels import N_
from capacity.vocabulary import PriceUnit, Shift

UNIT_NAMES: Final[Mapping[PriceUnit, str]] = {
    PriceUnit.ENTRY: N_("for an entry"),
    PriceUnit.HOUR: N_("for an hour"),
    PriceUnit.DAY: N_("for a day"),
}
SHIFT_NAMES: Final[Mapping[Shift, str]] = {Shift.DAY: N_("day shift"), Shift.NIGHT: N_("night shift")}
