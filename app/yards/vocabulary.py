"""How kinds of places, units of prices and shifts are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.platform.labels import N_
from capacity.vocabulary import PriceUnit, Shift, ZoneKind

KIND_NAMES: Final[Mapping[ZoneKind, str]] = {
    ZoneKind.STANDARD: N_("Standard"),
    ZoneKind.FORTY_FOOT: N_("40-foot"),
    ZoneKind.REEFER: N_("Reefer plugs"),
    ZoneKind.LIVESTOCK: N_("Livestock"),
    ZoneKind.DANGEROUS: N_("Dangerous goods"),
    ZoneKind.DOCK: N_("Transshipment docks"),
    ZoneKind.TEMPORARY: N_("Temporary"),
}
UNIT_NAMES: Final[Mapping[PriceUnit, str]] = {
    PriceUnit.ENTRY: N_("for an entry"),
    PriceUnit.HOUR: N_("for an hour"),
    PriceUnit.DAY: N_("for a day"),
}
SHIFT_NAMES: Final[Mapping[Shift, str]] = {Shift.DAY: N_("day shift"), Shift.NIGHT: N_("night shift")}
