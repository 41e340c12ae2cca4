"""The JSON Schema (2020-12) of a message form, made from its table. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from app.integrations.forms.mapping import COUNT, DECIMAL, TIME, TIME_FORMAT
from app.integrations.forms.table import Entry, FormTable, Group, Leaf, Step

Path: TypeAlias = tuple[str, ...]
Schema: TypeAlias = Any
"""A JSON Schema, or a part of it; its shape is the standard's."""
TIME_PATTERN: Final = TIME.pattern


def list_paths(table: FormTable) -> frozenset[Path]:
    """The paths below the root that are lists in JSON: groups that may repeat, elements told apart by a condition."""
    told_apart: dict[Path, set[Step]] = defaultdict(set)
    for path, step in _conditions(table.entries, ()):
        told_apart[path].add(step)
    repeated = {path for path, group in _groups(table.entries, ()) if group.many is not None}
    return frozenset(repeated | {path for path, steps in told_apart.items() if len(steps) > 1})


def json_schema(table: FormTable) -> Schema:
    """What a message of the form is in JSON; elements that it does not name may stand and are passed over."""
    lists = list_paths(table)
    root: Schema = {"type": "object", "properties": {}}
    _describe(table, table.entries, root, (), lists)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{table.title} {table.version}",
        "type": "object",
        "properties": {table.root: root},
        "required": [table.root],
        "additionalProperties": False,
    }


def _groups(entries: Sequence[Entry], above: Path) -> Iterator[tuple[Path, Group]]:
    for entry in entries:
        if isinstance(entry, Group):
            here = (*above, *(step.name for step in entry.steps))
            yield here, entry
            yield from _groups(entry.entries, here)


def _conditions(entries: Sequence[Entry], above: Path) -> Iterator[tuple[Path, Step]]:
    for entry in entries:
        here = above
        for step in entry.steps:
            here = (*here, step.name)
            if step.child:
                yield here, step
        if isinstance(entry, Group):
            yield from _conditions(entry.entries, here)


def _describe(table: FormTable, entries: Sequence[Entry], parent: Schema, path: Path, lists: frozenset[Path]) -> None:
    for entry in entries:
        here, below = path, parent
        for step in entry.steps:
            here = (*here, step.name)
            below = _child(below, step, is_list=here in lists)
        if isinstance(entry, Group):
            if entry.many is not None:
                parent_of = _parent(parent, entry.steps)
                parent_of["properties"][entry.steps[-1].name]["maxItems"] = entry.many
            if entry.numbered:
                below["properties"].setdefault(entry.numbered, _value(r"\d+", "integer"))
            _describe(table, entry.entries, below, here, lists)
            continue
        _fill(table, entry, below)
        if entry.required:
            _parent(parent, entry.steps).setdefault("required", []).append(entry.steps[-1].name)


def _parent(node: Schema, steps: Sequence[Step]) -> Schema:
    for step in steps[:-1]:
        node = _items(node["properties"][step.name])
    return node


def _child(parent: Schema, step: Step, *, is_list: bool) -> Schema:
    """What describes an element, made where it is missing."""
    properties = parent.setdefault("properties", {})
    if step.name not in properties:
        node: Schema = {"type": "object", "properties": {}}
        properties[step.name] = {"type": "array", "items": node} if is_list else node
    node = _items(properties[step.name])
    if step.child:
        known = node["properties"].setdefault(step.child, {"type": "string", "examples": []})
        if step.value not in known["examples"]:
            known["examples"].append(step.value)
    return node


def _items(described: Schema) -> Schema:
    items: Schema = described.get("items", described)
    return items


def _fill(table: FormTable, leaf: Leaf, node: Schema) -> None:
    """Describe the value of a leaf in the place of its element."""
    described = _leaf(table, leaf)
    if leaf.attribute:
        text = {**node}
        node.clear()
        both = {"#text": text, f"@{leaf.attribute}": described}
        node["anyOf"] = [text, {"type": "object", "properties": both, "required": [f"@{leaf.attribute}"]}]
    elif leaf.kind == "time":
        node |= {
            "type": "object",
            "properties": {"#text": described, "@formatCode": {"const": TIME_FORMAT}},
            "required": ["#text"],
        }
    else:
        node.clear()
        node |= described


def _leaf(table: FormTable, leaf: Leaf) -> Schema:
    match leaf.kind:
        case "decimal":
            return _value(DECIMAL.pattern, "number")
        case "count":
            return _value(COUNT.pattern, "integer")
        case "flag":
            return {"enum": ["0", "1", True, False]}
        case "time":
            return {"type": "string", "pattern": f"^{TIME_PATTERN}$"}
    if leaf.kind == "code":
        codes = table.codes[leaf.codes]
        known = list(codes.by_code)
        if codes.closed:
            return {"enum": known, "description": codes.source}
        return {"type": "string", "maxLength": leaf.max, "examples": known, "description": codes.source}
    return {"type": "string", "maxLength": leaf.max}


def _value(pattern: str, number: str) -> Schema:
    """A number, or the same as a text, which loses no digit."""
    return {"type": ["string", number], "pattern": f"^({pattern})$"}
