"""Which personal data of a driver a role reads in clear: by the steps that it has. Pure.

Health is for those who check it, and for those who declare it; the numbers of a driver's papers and telephone for those
whose steps look at the driver. Of a number others see the end, enough to compare with a paper in hand; of health
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.platform.personal_fields import Left, is_health_step, is_number, is_of_health, mask, replace_personal
from app.procedures.steps import DeclaredPart, Step

DECLARANTS: Final = frozenset({Role.ENTERPRISE, Role.SUPPORT})
"""Who writes declarations, each within its own; the sheet of a driver's trip is the driver's own."""


def reads_in_clear(role: Role, part: DeclaredPart) -> bool:
    """Whether a role reads a part of declarations, such as `driver` or `health`, as it was declared."""
    if role in DECLARANTS or role is Role.DRIVER:
        return True
    return any(role in step.spec.roles and part in step.spec.shows for step in Step)


def project_noted(value: JsonObject, role: Role, step: str = "") -> JsonObject:
    """What officers noted, however deep, as a role reads it: with a `step`, or an object in it names one."""
    health, driver = reads_in_clear(role, "health"), reads_in_clear(role, "driver")

    def shown(name: str, inner: object) -> object:
        if is_of_health(name):
            return inner if health else Left.OUT
        return inner if driver or not is_number(name) else _masked(inner)

    projected = replace_personal(value, shown, of_health=is_health_step(step))
    assert isinstance(projected, dict)
    return projected


def _masked(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_masked(inner) for inner in value]
    return mask(value) if value else value
