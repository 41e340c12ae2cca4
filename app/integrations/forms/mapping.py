"""Between the tree of a message and its record, by the table alone. Pure.

Every value that cannot be taken is named with its whole path; all of them are, not the first only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, TypeVar, get_args, get_type_hints

from app.integrations.forms.record import DeclarationMessage, Value
from app.integrations.forms.table import Entry, FormTable, Leaf, Step
from app.integrations.forms.tree import Node, tidy
from app.platform.labels import N_
from geo.errors import InvalidInputError, RefusedError
from geo.text import UNWRITABLE

DECIMAL: Final = re.compile(r"-?\d{1,16}(\.\d{1,6})?", re.ASCII)
"""As the data model's format n..16,6."""
COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)
TIME: Final = re.compile(r"(\d{14})(Z|[+-]\d{2}(?:\d{2})?)", re.ASCII)
"""CCYYMMDDHHMMSSZZZ, format 304 of UN/EDIFACT 2379; the offset in hours, or in hours and minutes."""
TIME_FORMAT: Final = "304"
_FLAGS: Final[Mapping[str, bool]] = {"0": False, "1": True}
Record = TypeVar("Record")


@dataclass
class _Work:
    """One message that is read or written: the table, what is wrong so far, which elements a condition tells apart."""

    table: FormTable
    problems: list[InvalidInputError] = field(default_factory=list)
    told_apart: list[tuple[Node, Step]] = field(default_factory=list)

    def refuse(self, message: str, path: str, **values: object) -> None:
        self.problems.append(InvalidInputError(message, field=path, path=path, **values))


def read(tree: Node, table: FormTable) -> DeclarationMessage:
    """The record of a message.

    Raises
    ------
    RefusedError
        With every value that cannot be taken, by its path.
    """
    work = _Work(table)
    record = _read_record(work, DeclarationMessage, table.entries, tree, tree.name)
    if work.problems:
        raise RefusedError(work.problems)
    return record


def write(record: DeclarationMessage, table: FormTable) -> Node:
    """The tree of a record; raises RefusedError with every value that the form cannot hold, by its path."""
    work = _Work(table)
    root = Node(table.root)
    _write_record(work, record, table.entries, root, table.root)
    if work.problems:
        raise RefusedError(work.problems)
    for node, step in work.told_apart:
        node.children.insert(1, Node(step.child, step.value))  # a code stands behind what it is the code of
    return root


# Reading


def _read_record(work: _Work, record: type[Record], entries: Sequence[Entry], node: Node, path: str) -> Record:
    hints = get_type_hints(record)
    values: dict[str, object] = {}
    for entry in entries:
        found = _find(node, entry.steps, path)
        if isinstance(entry, Leaf):
            values[entry.field] = _read_leaf(work, entry, found, path)
        elif entry.many is None:
            if len(found) > 1:
                _refuse_count(work, entry, found, path, 1)
            if found:
                values[entry.field] = _read_record(work, hints[entry.field], entry.entries, *found[0])
        else:
            if len(found) > entry.many:
                _refuse_count(work, entry, found, path, entry.many)
            inner = get_args(hints[entry.field])[0]
            values[entry.field] = tuple(
                _read_record(work, inner, entry.entries, below, f"{where}[{number}]")
                for number, (below, where) in enumerate(found[: entry.many], 1)
            )
    return record(**values)


def _refuse_count(work: _Work, entry: Entry, found: Sequence[object], path: str, limit: int) -> None:
    work.refuse(
        N_("{path} stands too often: {count}; the limit is {limit}."),
        f"{path}/{entry.path}",
        count=len(found),
        limit=limit,
    )


def _find(node: Node, steps: Sequence[Step], path: str) -> list[tuple[Node, str]]:
    """The elements at the end of a path, each with the path to it."""
    found = [(node, path)]
    for step in steps:
        found = [
            (child, f"{where}/{step.name}")
            for parent, where in found
            for child in parent.named(step.name)
            if not step.child or any(below.text == step.value for below in child.named(step.child))
        ]
    return found


def _read_leaf(work: _Work, leaf: Leaf, found: Sequence[tuple[Node, str]], above: str) -> Value:
    nothing: Value = "" if leaf.kind in {"text", "code"} else None
    path = f"{above}/{leaf.path}"
    if len(found) > 1 and not leaf.attribute:
        _refuse_count(work, leaf, found, above, 1)
        return nothing
    node = found[0][0] if found else Node("")
    text = node.attributes.get(leaf.attribute, "") if leaf.attribute else node.text
    if not text:
        if leaf.required:
            work.refuse(N_("{path} is missing."), path)
        return nothing
    value = _value(work, leaf, text, node.attributes.get("formatCode", TIME_FORMAT), path)
    return nothing if value is None else value


def _value(work: _Work, leaf: Leaf, text: str, time_format: str, path: str) -> Value:
    shown = text[:80]
    if UNWRITABLE.search(text):
        work.refuse(N_("{path}: {value} holds a control character; remove it."), path, value=repr(shown))
        return None
    match leaf.kind:
        case "text" | "code":
            if len(text) > leaf.max:
                work.refuse(
                    N_("{path}: {value} is too long: {length}; the limit is {limit}."),
                    path,
                    value=shown,
                    length=len(text),
                    limit=leaf.max,
                )
                return None
            return _code(work, leaf, text, path)
        case "decimal":
            if DECIMAL.fullmatch(text):
                return Decimal(text)
            work.refuse(N_("{path}: {value} is not a number such as 1234.5."), path, value=shown)
        case "count":
            if COUNT.fullmatch(text):
                return int(text)
            work.refuse(N_("{path}: {value} is not a whole number of at most nine digits."), path, value=shown)
        case "flag":
            if text in _FLAGS:
                return _FLAGS[text]
            work.refuse(N_("{path}: {value} is neither 0 nor 1."), path, value=shown)
        case "time":
            moment = parse_time(text) if time_format == TIME_FORMAT else None
            if moment is None:
                work.refuse(
                    N_("{path}: {value} is not a time of format 304, such as 20260302153000+07."), path, value=shown
                )
            return moment
    return None


def _code(work: _Work, leaf: Leaf, text: str, path: str) -> str:
    """The code, if the list takes it; in the record of a closed list our name for it stands."""
    if leaf.kind == "text":
        return text
    codes = work.table.codes[leaf.codes]
    if not codes.closed:
        return text
    name = codes.by_code.get(text, "")
    if not name:
        known = ", ".join(codes.by_code)
        work.refuse(N_("{path}: {value} is not one of {known}."), path, value=text, known=known)
    return name


def parse_time(text: str) -> datetime | None:
    """A time of format 304 in UTC; `None` if it is not one."""
    match = TIME.fullmatch(text)
    if match is None:
        return None
    offset = match[2]
    minutes = 0 if offset == "Z" else int(f"{offset[0]}{int(offset[1:3]) * 60 + int(offset[3:] or 0)}")
    try:
        zone = timezone(timedelta(minutes=minutes))
        return datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# Writing


def _write_record(work: _Work, record: object, entries: Sequence[Entry], node: Node, path: str) -> None:
    for entry in entries:
        value: Any = getattr(record, entry.field)
        if isinstance(entry, Leaf):
            _write_leaf(work, entry, value, node, path)
        elif entry.many is None:
            if value != type(value)():
                below = _make(work, node, entry.steps)
                _write_record(work, value, entry.entries, below, f"{path}/{entry.path}")
        else:
            if len(value) > entry.many:
                _refuse_count(work, entry, value, path, entry.many)
            for number, item in enumerate(value, 1):
                below = Node(entry.steps[-1].name)
                _make(work, node, entry.steps[:-1]).children.append(below)
                if entry.numbered:
                    below.children.append(Node(entry.numbered, str(number)))
                _write_record(work, item, entry.entries, below, f"{path}/{entry.path}[{number}]")


def _write_leaf(work: _Work, leaf: Leaf, value: Value, node: Node, above: str) -> None:
    path = f"{above}/{leaf.path}"
    text = _as_text(work.table, leaf, value)
    if not text:
        if leaf.required:
            work.refuse(N_("{path} is missing."), path)
        return
    before = len(work.problems)
    _value(work, leaf, text, TIME_FORMAT, path)  # what is written must be what can be read again
    if len(work.problems) > before:
        return
    below = _make(work, node, leaf.steps)
    if leaf.attribute:
        below.attributes[leaf.attribute] = text
        return
    below.text = text
    if leaf.kind == "time":
        below.attributes["formatCode"] = TIME_FORMAT


def _as_text(table: FormTable, leaf: Leaf, value: Value) -> str:
    """A value as it is written; of a closed list the code for our name, or the name itself, which is then refused."""
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y%m%d%H%M%S+00")
    text = tidy(str(value))
    is_closed = leaf.kind == "code" and table.codes[leaf.codes].closed
    return table.code_of(leaf.codes, text) or text if is_closed else text


def _make(work: _Work, node: Node, steps: Sequence[Step]) -> Node:
    """The element at the end of a path, made where it is missing."""
    for step in steps:
        found = next((child for child in node.named(step.name) if _fits(work, child, step)), None)
        if found is None:
            found = Node(step.name)
            node.children.append(found)
            if step.child:
                work.told_apart.append((found, step))
        node = found
    return node


def _fits(work: _Work, node: Node, step: Step) -> bool:
    return not step.child or any(known is node and told == step for known, told in work.told_apart)
