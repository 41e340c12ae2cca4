"""The sentences of reasons: one table for every page, program and command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from capacity.reasons import Reason
from geo.clock import LOCAL_ZONE


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark `message` for translation; whoever shows it translates it."""
    return message


SENTENCES: Final[Mapping[str, str]] = {
    "free_on_arrival": N_("About {free} places are expected to be free when the truck arrives."),
    "booked": N_("A place is booked for the truck from {until} on."),
    "kept": N_("As told before: a place is kept for the truck."),
    "other_yard_sooner": N_("Its place is free sooner than at a nearer yard."),
    "other_gate_sooner": N_("The line of trucks at that gate is shorter; the truck is expected to be through sooner."),
    "wait_for_place": N_("It is expected to be full from when the truck arrives until then."),
    "wait_for_entry": N_("There are places, but its entrance takes no more trucks until then."),
    "wait_for_held": N_(
        "Until then its last places ({held}) are kept for trucks that come sooner or stay longer than expected."
    ),
    "wait_turn": N_("Until then its places and its entrance are taken."),
    "wait_for_room": N_("Until then it has no place for as long as the truck stays."),
    "closed": N_("It is closed when the truck arrives, and opens before then."),
    "perishable_first": N_("{perishable} trucks with perishable goods that come later go in first."),
    "no_yard": N_("No yard can be reached from here."),
    "no_kind": N_("No yard that can be reached from here has places of the kind that the truck needs."),
    "no_opening": N_("No yard that suits the truck opens until {until}."),
    "no_place": N_("All places that suit the truck are expected to be taken until {until}."),
    "no_held": N_(
        "Until {until} the last places that suit the truck are kept for trucks that come sooner or stay longer than "
        "expected."
    ),
    "no_entry": N_("There are places, but the entrances take no more trucks until {until}."),
    "no_turn": N_(
        "Until {until} the places and entrances that suit the truck are taken by trucks that go in before it."
    ),
}
BEFORE: Final = N_("{before} trucks go in before this one.")


def explains_wait(code: str) -> bool:
    """Whether a reason says why a truck waits for the place that it gets."""
    return code.startswith("wait_") or code in ("closed", "perishable_first")


def say_reason(code: str, values: Mapping[str, Any], until: str, translate: Callable[[str], str]) -> str:
    """The sentences of a reason; `until` is the end of the plan in words. A number that is not known is not said."""
    free, before = values.get("free_veh"), values.get("before_veh")
    template = SENTENCES[code]
    if code == "free_on_arrival" and not free:
        template = SENTENCES["kept"]
    said = translate(template).format(
        free=free, perishable=values.get("perishable_veh"), until=until, held=values.get("held_veh")
    )
    if code.startswith("wait_") and before:
        said += " " + translate(BEFORE).format(before=before)
    return said


def reason_text(reason: Reason, start: datetime) -> str:
    """A reason in English, for programs."""
    until_s = reason.values.get("until_s")
    until = "" if until_s is None else f"{(start + timedelta(seconds=until_s)).astimezone(LOCAL_ZONE):%d/%m %H:%M}"
    return say_reason(reason.code, reason.values, until, str)
