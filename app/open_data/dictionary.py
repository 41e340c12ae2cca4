"""The data dictionary of everything that is open: each data set, its columns, their units and what they say. Pure.

One home for it: the collections of `/ogc`, the files of a day and the document `/api/v1/open-data` are made of this,
and tests hold the database's views and the documentation to it. Columns are never renamed or removed
(docs/api-changes.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a column holds, in the words of Table Schema (Frictionless Data, v1)."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "datetime"

    @property
    def postgres(self) -> str:
        """The type of such a column in the database."""
        return _POSTGRES[self]


_POSTGRES: Final = {
    Kind.STRING: "text",
    Kind.NUMBER: "float8",
    Kind.INTEGER: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "timestamptz",
}


@dataclass(frozen=True)
class Column:
    """A column: `unit` as in its name (UCUM where it has one), `required` whether it always has a value."""

    name: str
    kind: Kind
    description: str
    unit: str = ""
    required: bool = True


@dataclass(frozen=True)
class DataSet:
    """A table of open data; `key` are the columns that name a row, `geometry` the kind of its places, if it has any."""

    name: str
    title: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    geometry: str | None = None

    def __post_init__(self) -> None:
        assert set(self.key) <= {column.name for column in self.columns}


def _text(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, Kind.STRING, description, required=required)


def _number(name: str, description: str, unit: str, *, required: bool = False) -> Column:
    return Column(name, Kind.NUMBER, description, unit, required)


def _count(name: str, description: str, unit: str = "vehicles") -> Column:
    return Column(name, Kind.INTEGER, description, unit)


def _time(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, Kind.TIME, description, required=required)


def _flag(name: str, description: str) -> Column:
    return Column(name, Kind.BOOLEAN, description)


_NAMES: Final = tuple(
    _text(f"name_{code}", f"Its name, {said}.")
    for code, said in (("vi", "Vietnamese"), ("en", "English"), ("zh", "Chinese"))
)
_GATE: Final = _text("gate_id", "The gate.")
_YARD: Final = _text("yard_id", "The yard.")
_YARD_KIND: Final = _text("kind", "yard, or temporary_yard: where trucks that come undeclared are declared.")
_SIMULATED: Final = _flag("simulated", "Whether this is of a demonstration, not of a real border.")
_AS_OF: Final = _time("as_of", "When this was said.")
_SLOT: Final = _time("slot", "The begin of the five minutes whose last word this is.")
_OPEN: Final = _flag("is_open", "Whether it is open.")
_QUEUE: Final = (
    _number(
        "queue_veh", "Trucks that stand before the gate, as measured; empty where nothing was of late.", "vehicles"
    ),
    _number("tail_km", "Where the queue ends, kilometre of the road from the border.", "km"),
    _time("measured_at", "When the queue was measured.", required=False),
    _count("booked_veh", "Trucks that have a place booked and have not come."),
    _count("free_veh", "Free places in the gate's yards."),
)
_WAIT: Final = (
    _number("wait_low_s", "Wait before the gate, quantile 0.1.", "s"),
    _number("wait_s", "Wait before the gate, median; empty with a forecast: longer than that looks ahead.", "s"),
    _number("wait_high_s", "Wait before the gate, quantile 0.9.", "s"),
)
_FORECAST: Final = (
    _time("forecast_made_at", "When the forecast was made that the wait is of; empty: there is none.", required=False),
    _number("reach_s", "How far ahead it looks.", "s"),
    _text("severity", "notice, warning or alarm: the worst from now to six hours ahead.", required=False),
)
_TRAVEL: Final = (
    _number("approach_km", "Length of the approach, the last kilometres of the gate's road.", "km"),
    _number("measured_share", "Share of it where positions of the last quarter of an hour show the speed.", "1"),
    _number("travel_s", "Instantaneous travel time over the approach.", "s"),
    _number("free_travel_s", "Travel time over it on an empty road.", "s"),
)
_AHEAD: Final = (
    _count("lead_s", "How far ahead.", "s"),
    _AS_OF,
    _time("target_at", "The moment that is foreseen."),
    _number("queue_low_veh", "Queue foreseen, quantile 0.1.", "vehicles"),
    _number("queue_veh", "Queue foreseen, median.", "vehicles"),
    _number("queue_high_veh", "Queue foreseen, quantile 0.9.", "vehicles"),
    *_WAIT,
    _SIMULATED,
)
_PLACES: Final = (
    _count("capacity_veh", "Places."),
    _count("free_veh", "Free places."),
    _time("next_free_at", "When a newcomer could have a place; empty: not within what is planned.", required=False),
)

COLLECTIONS: Final = (
    DataSet(
        "roads",
        "Roads",
        "The directed pieces of the roads to the border.",
        ("edge_id",),
        (
            _text("edge_id", "The piece."),
            _text("name", "Its name."),
            _text("road", "The road that it belongs to."),
            _text("direction", "to_border or from_border."),
            _number("km_from", "Kilometre from the border where it begins.", "km", required=True),
            _number("km_to", "Kilometre from the border where it ends.", "km", required=True),
            _number("length_m", "Its length.", "m", required=True),
            _count("lanes", "Lanes.", "1"),
            _number("free_speed_mps", "Speed of trucks on the empty road.", "m/s", required=True),
            _number("capacity_veh_per_h", "How many trucks pass it in an hour at most.", "vehicles/h", required=True),
            _text("hgv", "Whether heavy goods vehicles may use it, as OpenStreetMap tags it."),
            _text("source", "Where this is from."),
        ),
        "LineString",
    ),
    DataSet(
        "sites",
        "Sites",
        "Gates, yards and areas on the way where trucks can be held.",
        ("site_id",),
        (
            _text("site_id", "The site."),
            _text("kind", "gate, yard, temporary_yard or staging."),
            _text("gate_id", "The gate that it belongs to.", required=False),
            *_NAMES,
            _text("road", "The road that it is on."),
            _number("km", "Kilometre of that from the border.", "km", required=True),
            _text("source", "Where this is from."),
        ),
        "Point",
    ),
    DataSet(
        "queues",
        "Queues",
        "Each gate now: whether it is open, its queue, the wait, free places.",
        ("gate_id",),
        (_GATE, *_NAMES, _AS_OF, _OPEN, *_QUEUE, *_WAIT, *_FORECAST, _SIMULATED),
        "Point",
    ),
    DataSet(
        "yards",
        "Yards",
        "Each yard now: whether it is open, its free places.",
        ("yard_id",),
        (_YARD, _GATE, _YARD_KIND, *_NAMES, _AS_OF, _OPEN, *_PLACES, _SIMULATED),
        "Point",
    ),
    DataSet(
        "forecasts",
        "Forecasts",
        "Queue and wait of each gate one, three and six hours ahead.",
        ("forecast_id",),
        (_text("forecast_id", "The gate and how far ahead."), _GATE, *_AHEAD),
        "Point",
    ),
)
"""What `/ogc` serves: views of the schema `open_data`."""

HISTORIES: Final = (
    DataSet(
        "queues",
        "Gates by five minutes",
        "Each gate in each five minutes of a day: queue, wait, free places, travel time over the approach.",
        ("slot", "gate_id"),
        (_SLOT, _GATE, _AS_OF, _OPEN, *_QUEUE, *_WAIT, *_FORECAST, *_TRAVEL, _SIMULATED),
    ),
    DataSet(
        "yards",
        "Yards by five minutes",
        "Each yard in each five minutes of a day.",
        ("slot", "yard_id"),
        (_SLOT, _YARD, _GATE, _YARD_KIND, _AS_OF, _OPEN, *_PLACES, _SIMULATED),
    ),
    DataSet(
        "forecasts",
        "Forecasts by five minutes",
        "What was foreseen of each gate in each five minutes of a day, one, three and six hours ahead.",
        ("slot", "gate_id", "lead_s"),
        (_SLOT, _GATE, *_AHEAD),
    ),
)
"""What is kept by day, in files."""
