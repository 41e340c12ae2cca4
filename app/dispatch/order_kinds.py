"""The kinds of orders: what the police and drivers read of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.dispatch.tables import ORDER_KINDS
from app.platform.labels import N_


@dataclass(frozen=True)
class OrderKindSpec:
    """How one kind is called for the police, what it asks of a driver, how it is called for the driver; gettext keys.

    `icon` is a name of Tabler's icons.
    """

    label: str
    explanation: str
    driver_label: str
    icon: str


ORDER_KIND_SPECS: Final = {
    "hold": OrderKindSpec(N_("Hold"), N_("Wait at a place until the end of the order"), N_("Hold"), "player-pause"),
    "proceed": OrderKindSpec(N_("Proceed"), N_("Go on toward the gate"), N_("Proceed"), "player-play"),
    "divert": OrderKindSpec(N_("Divert"), N_("Go to another gate"), N_("Go to another gate"), "arrow-fork"),
    "yard": OrderKindSpec(N_("To a yard"), N_("Drive into a yard"), N_("Go to a yard"), "parking"),
    "stop": OrderKindSpec(N_("Stop"), N_("Stop at once where it is safe"), N_("Stop"), "hand-stop"),
    "notice": OrderKindSpec(N_("Notice"), N_("Tell drivers something"), N_("Notice"), "speakerphone"),
}


def order_kinds(translate: Callable[[str], str]) -> dict[str, Mapping[str, str]]:
    """The kinds in the order they are offered, in the reader's language, as the pages' scripts read them."""
    return {
        kind: {
            "label": translate(spec.label),
            "explanation": translate(spec.explanation),
            "driver_label": translate(spec.driver_label),
            "icon": spec.icon,
        }
        for kind, spec in ORDER_KIND_SPECS.items()
    }


assert tuple(ORDER_KIND_SPECS) == ORDER_KINDS
