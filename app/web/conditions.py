"""Conditions in documents with versions (procedures, tariffs), as forms show them: facts, values to be ticked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.platform.labels import N_

YES_NO: Final[Mapping[Any, str]] = {True: N_("Yes"), False: N_("No")}


@dataclass(frozen=True)
class FactField:
    """A fact that conditions ask for: its label, and each value it can have with its label, all gettext keys.

    `is_number`: it is asked for by a range `[from, below)` instead.
    """

    label: str
    values: Mapping[Any, str] = field(default_factory=dict)
    is_number: bool = False

    def shows(self, wanted: object) -> bool:
        """Whether the fields of the fact can show what a condition wants of it."""
        if self.is_number:
            return isinstance(wanted, Mapping) and set(wanted) <= {"from", "below"}
        return all(value in self.values for value in values_of(wanted))


def values_of(wanted: object) -> list[object]:
    """What a condition wants of a fact as a list; one value may stand for itself."""
    return list(wanted) if isinstance(wanted, list) else [wanted]


def is_by_hand(condition: object, facts: Mapping[str, FactField]) -> bool:
    """Whether a condition says more than its facts' fields can show: `any`, `all`, `not`, or values nobody knows."""
    if condition is None:
        return False
    if not isinstance(condition, Mapping):
        return True
    return not all(name in facts and facts[name].shows(wanted) for name, wanted in condition.items())
