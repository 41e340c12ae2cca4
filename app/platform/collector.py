"""Python's collector of cyclic garbage, in a process that has started."""

from __future__ import annotations

import gc
from typing import Final

ALLOCATIONS: Final = 20_000
"""Objects made more than freed between two looks at the youngest ones."""
LOADING_ALLOCATIONS: Final = 200_000
"""The same while a process loads what it runs, nearly all of which stays."""


def spare_loading() -> None:
    """Hardly look for garbage until `spare_what_stays`: that took a quarter of the start of the web part."""
    gc.set_threshold(LOADING_ALLOCATIONS, 20, 20)


def spare_what_stays() -> None:
    """Leave out of all later collections what was made until now, and look less often.

    A started web part holds over a million objects for as long as it runs: modules, routes, models. Walking through
    them again and again took two fifths of its time under load (measured with py-spy, 2,000 messages a second).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 20, 20)
