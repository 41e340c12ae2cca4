"""How each kind of notification is put, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.platform.labels import N_
from app.procedures.steps import Step

TEXTS: Final = {
    "trip.queued": N_("The truck is in the queue"),
    "trip.in_the_yard": N_("The truck is in the yard"),
    "trip.out": N_("The trip is over: the truck is out"),
    "trip.cancelled": N_("The trip was cancelled"),
    "step.done": N_("Done: {step}"),
    "step.returned": N_("Returned to be mended: {step}"),
    "fee.due": N_("A fee is to be paid"),
    "fee.paid": N_("The fee is paid"),
    "fee.waived": N_("The fee was waived"),
    "fee.refunded": N_("The fee was paid back"),
    "order.active": N_("The traffic police issued an order"),
    "order.cancelled": N_("The traffic police withdrew an order"),
}
URGENT: Final = frozenset({"step.returned", "fee.due", "order.active"})
"""Kinds that ask for something to be done."""
ICONS: Final = {"trip": "truck", "step": "clipboard-check", "fee": "cash", "order": "flag-exclamation"}


def text_of(kind: str, data: Mapping[str, object], gettext: Callable[[str], str]) -> str:
    """A notification in words; `gettext` translates."""
    template = gettext(TEXTS.get(kind, kind))
    step = data.get("step")
    if step is None:
        return template
    return template.format(step=gettext(Step.get(str(step)).label))
