"""The neighbours there are: a file each, and a line here (docs/recipes/add-a-neighbour-system.md)."""

from __future__ import annotations

from app.integrations.bank import bank
from app.integrations.customs import customs
from app.integrations.exports import nanning, single_window
from app.integrations.neighbour import Neighbours
from app.integrations.registration import registration
from app.integrations.seals import seals
from app.integrations.text_messages import text_messages
from app.integrations.traccar import traccar
from app.integrations.weather import weather
from app.sheets.service import Sheets


def make_neighbours(sheets: Sheets) -> Neighbours:
    """The neighbours of the platform; what they say acts on these sheets."""
    return Neighbours.of(
        customs(sheets),
        registration(),
        single_window(),
        nanning(),
        bank(),
        seals(),
        text_messages(),
        weather(),
        traccar(),
    )
