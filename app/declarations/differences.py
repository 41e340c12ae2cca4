"""What one declaration says otherwise than another, field by field: for whoever returned it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS, field_of


@dataclass(frozen=True)
class Difference:
    """One field that changed: its name (`lines.2.quantity`, lines from 1), its label, old and new value."""

    field: str
    label: str
    old: object
    new: object


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Fields of `new` that differ from `old` (both JSON forms), in the order of the form; empty equals missing."""
    found = [
        Difference(name, field.label, _value(old.get(name)), _value(new.get(name)))
        for name, field in HEAD_FIELDS.items()
        if _value(old.get(name)) != _value(new.get(name))
    ]
    old_lines, new_lines = list(old.get("lines") or ()), list(new.get("lines") or ())
    for index in range(max(len(old_lines), len(new_lines))):
        before = old_lines[index] if index < len(old_lines) else {}
        after = new_lines[index] if index < len(new_lines) else {}
        found += [
            Difference(f"lines.{index + 1}.{name}", field.label, _value(before.get(name)), _value(after.get(name)))
            for name, field in LINE_FIELDS.items()
            if _value(before.get(name)) != _value(after.get(name))
        ]
    return found


def changed_parts(found: list[Difference]) -> list[str]:
    """The parts of the declaration that differ: `goods`, `vehicle`, `driver`, `health`, `customs`, in that order.

    Gate and planned arrival are no part that a step vouches for.
    """
    parts = {field.part for difference in found if (field := field_of(difference.field)) is not None}
    return [part for part in ("goods", "vehicle", "driver", "health", "customs") if part in parts]


def _value(value: object) -> object:
    return None if value == "" else value
