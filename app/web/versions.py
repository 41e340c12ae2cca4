"""Documents in versions (procedures, tariffs) on their pages: what differs from the version before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

NAMING_KEYS: Final = ("rate", "factor", "collector")
"""What names an entry of a list, so that one put before it does not make all others differ."""
MISSING: Final = object()


@dataclass(frozen=True)
class Change:
    """What stands somewhere in a document, before and after; `None` where there was or is nothing.

    An entry of a list that nothing names stands in the path by its place, "2.": no name of anything is written so.
    """

    path: tuple[str, ...]
    before: object
    after: object


def list_changes(before: object, after: object) -> list[Change]:
    """The smallest parts in which two documents (plain JSON values) differ, in the order of the later one."""
    return list(_changes((), before, after))


def _changes(path: tuple[str, ...], before: object, after: object) -> Iterator[Change]:
    old, new = _parts(before), _parts(after)
    if old is None or new is None:
        if before != after:
            shown = [None if value is MISSING else value for value in (before, after)]
            yield Change(path, *shown)
        return
    for key in [*new, *(key for key in old if key not in new)]:
        yield from _changes((*path, key), old.get(key, MISSING), new.get(key, MISSING))


def _parts(value: object) -> dict[str, object] | None:
    """The parts of a mapping or of a list of mappings by name; `None` if it has none."""
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
        parts: dict[str, object] = {}
        for number, part in enumerate(value, 1):
            name = next((str(part[key]) for key in NAMING_KEYS if key in part), f"{number}.")
            parts[name if name not in parts else f"{name} {number}"] = part
        return parts
    return None
