"""What of a declaration's personal data a role reads, by the rule of `app.procedures.readers`; what finds it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from app.declarations.differences import Difference
from app.declarations.documents import ReturnReasons
from app.declarations.fields import HEAD_FIELDS
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.platform.personal_fields import digest, mask, name_digests
from app.procedures.readers import project_noted, reads_in_clear
from app.registers.container_number import squeeze

NUMBERS: Final = frozenset({"driver_phone", "driver_paper_number", "driver_licence_number"})
HEALTH: Final = frozenset(name for name, field in HEAD_FIELDS.items() if field.part == "health")


def digests_of(data: Mapping[str, object]) -> list[str]:
    """Digests that find a declaration by its driver: the name, each word of it, telephone, paper and licence."""
    numbers = [str(data[name]) for name in sorted(NUMBERS) if data.get(name)]
    found = {digest(number) for number in numbers} | {digest(squeeze(number)) for number in numbers}
    return sorted(found | name_digests(str(data.get("driver_name") or "")))


def digests_in(name: str) -> Callable[[JsonObject], list[str] | None]:
    """Of a row that holds a declaration's data in the column `name`: the digests; `None` if it holds none."""

    def make(values: JsonObject) -> list[str] | None:
        data = values[name]
        return digests_of(data) if isinstance(data, dict) else None

    return make


def project(data: JsonObject, role: Role) -> JsonObject:
    """A declaration's data as a role reads it."""
    hidden = _hidden(role)
    masked = NUMBERS if not reads_in_clear(role, "driver") else frozenset[str]()
    return {
        name: mask(value) if name in masked and value else value for name, value in data.items() if name not in hidden
    }


def project_differences(found: Iterable[Difference], role: Role) -> list[Difference]:
    """What changed, as a role reads it: that a number changed is seen, health is not."""
    hidden = _hidden(role)
    masked = NUMBERS if not reads_in_clear(role, "driver") else frozenset[str]()
    return [
        Difference(each.field, each.label, mask(each.old), mask(each.new)) if each.field in masked else each
        for each in found
        if each.field not in hidden
    ]


def project_reasons(why: ReturnReasons | None, role: Role) -> ReturnReasons | None:
    """Why a declaration was returned, as a role reads it: what was said of health is for those who read health."""
    if why is None:
        return None
    told = project_noted({**why}, role)
    return ReturnReasons(step=why["step"], reasons=why["reasons"], text=str(told.get("text", "")))


def may_read(field: str, role: Role) -> bool:
    """Whether what is said about a field may quote it to a role."""
    return field not in _hidden(role) and (field not in NUMBERS or reads_in_clear(role, "driver"))


def _hidden(role: Role) -> frozenset[str]:
    return frozenset() if reads_in_clear(role, "health") else HEALTH
