"""A place in the queue as sentences, the same on every page that shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from app.dispatch.texts import format_until
from app.platform.labels import N_
from app.trip_eta.queue_places import MoveRecord, QueuePlace
from app.trip_eta.reasons import Wording
from app.trip_eta.schemas import QueueMoveOut, QueuePlaceOut
from app.trip_eta.vocabulary import MoveKind

MAX_MOVES: Final = 4
"""So many reasons are told, the newest first."""

NUMBER: Final = N_("Number {number} in the queue at {gate}")
AHEAD: Final = N_("{count} trucks ahead")
NOBODY: Final = N_("No truck ahead")
BETWEEN: Final = N_("Expected through the entrance between {start} and {end}")
ABOUT: Final = N_("Expected through the entrance at about {start}")
AFTER: Final = N_("Expected through the entrance after {start}, later than the forecast reaches")
BEYOND: Final = N_("The turn comes later than the forecast reaches")
UNKNOWN: Final = N_("No forecast of the time now")
SILENT: Final = N_("No position is heard: counted by when the truck came.")
HELD: Final = N_("Held by order until {until}; trucks that come before then may go ahead.")


def describe(place: QueuePlace, wording: Wording) -> QueuePlaceOut:
    """A place in the reader's language."""
    gettext = wording.gettext
    gate = wording.places.name(place.gate_id, wording.locale)
    notes = [] if place.by_gps else [gettext(SILENT)]
    if place.held_until is not None:
        notes.append(gettext(HELD).format(until=_time(place.held_until, wording)))
    return QueuePlaceOut(
        trip_id=place.trip_id or 0,
        gate_id=place.gate_id,
        as_of=place.made_at,
        number=place.number,
        ahead=place.ahead,
        enter_at=place.enter_at,
        held_until=place.held_until,
        by_gps=place.by_gps,
        headline=gettext(NUMBER).format(number=place.number, gate=gate),
        ahead_text=gettext(AHEAD).format(count=place.ahead) if place.ahead else gettext(NOBODY),
        expected_text=_expected(place, wording),
        notes=notes,
        moves=[_move(move, wording) for move in reversed(place.moves[-MAX_MOVES:])],
    )


def _expected(place: QueuePlace, wording: Wording) -> str:
    if place.enter_at is None:
        return wording.gettext(UNKNOWN)
    start, _, end = place.enter_at
    if start is None:
        return wording.gettext(BEYOND)
    if end is None:
        return wording.gettext(AFTER).format(start=_time(start, wording))
    begin, last = _time(start, wording), _time(end, wording)
    return wording.gettext(ABOUT if begin == last else BETWEEN).format(start=begin, end=last)


def _move(move: MoveRecord, wording: Wording) -> QueueMoveOut:
    kind, at = MoveKind.get(move["kind"]), datetime.fromisoformat(move["at"])
    text = wording.gettext(kind.label).format(count=move["count"])
    return QueueMoveOut(kind=kind, at=at, count=move["count"], change=move["change"], icon=kind.icon, text=text)


def _time(moment: datetime, wording: Wording) -> str:
    return format_until(moment, wording.now, wording.locale)
