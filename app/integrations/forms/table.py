"""The table of a message form, read from its file: which field of ours stands at which path, in which codes. Pure.

A path is the names of elements from the root, with `/` between. `Classification[IdentificationTypeCode=HS]` is the one
among several that holds such a child, which is written with it; `@unitCode` at the end is an attribute. An entry with
entries of its own is a group; `many` says how often it may stand, `numbered` which child counts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.integrations.forms.record import DeclarationMessage
from geo.errors import InvalidInputError

FOLDER: Final = Path(__file__).parent
_STEP = re.compile(r"(?P<name>[A-Za-z]\w*)(\[(?P<child>[A-Za-z]\w*)=(?P<value>[\w.-]+)\])?", re.ASCII)
_KINDS: Final = {
    "text": "str",
    "code": "str",
    "count": "int | None",
    "flag": "bool | None",
    "decimal": "decimal.Decimal | None",
    "time": "datetime.datetime | None",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Step:
    """One element of a path; with `child`, the one that holds a child of that name with that text."""

    name: str
    child: str = ""
    value: str = ""


class Leaf(_Strict):
    """A field that holds a value. `max`, its length in characters; `wco`, its number in the data model if known."""

    field: str
    path: str
    kind: Literal["text", "code", "count", "flag", "decimal", "time"] = "text"
    codes: str = ""
    max: Annotated[int, Field(ge=1)] = 70
    required: bool = False
    wco: str = ""
    basis: Literal["public", "assumed"]

    @property
    def attribute(self) -> str:
        """The attribute that holds the value, "" if it is the element's text."""
        return self.path.rpartition("@")[2] if "@" in self.path else ""

    @property
    def steps(self) -> tuple[Step, ...]:
        return _steps(self.path.partition("/@")[0])


class Group(_Strict):
    """Fields below one element, once or up to `many` times."""

    field: str
    path: str
    many: Annotated[int, Field(ge=1)] | None = None
    numbered: str = ""
    entries: tuple[Entry, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return _steps(self.path)


Entry: TypeAlias = Leaf | Group


class CodeList(_Strict):
    """Codes by our names for them: the first is written, all are read."""

    source: str
    closed: bool = False
    names: Mapping[str, tuple[str, ...]]

    @property
    def by_code(self) -> Mapping[str, str]:
        return {code: name for name, codes in self.names.items() for code in codes}


class Envelope(_Strict):
    """What stands around the message in XML; read with or without."""

    element: str
    namespace: str
    values: Mapping[str, str]


class XmlNames(_Strict):
    """The namespaces of the message, and of the elements that belong to the data types."""

    namespace: str
    data_namespace: str = ""
    data_elements: tuple[str, ...] = ()
    envelope: Envelope | None = None


class FormTable(_Strict):
    """A message form."""

    name: str
    title: str
    version: str
    root: str
    xml: XmlNames
    entries: tuple[Entry, ...]
    codes: Mapping[str, CodeList]

    def code_of(self, codes: str, name: str) -> str:
        """The code written for our `name` of a list; "" if the list has none."""
        return self.codes[codes].names.get(name, ("",))[0]

    def name_of(self, codes: str, code: str) -> str:
        """Our name for a code of a list; "" if nobody gave it one."""
        return self.codes[codes].by_code.get(code, "")


@dataclass(frozen=True)
class Place:
    """A leaf where it stands: the fields and the whole path to it, `*` behind what may stand several times."""

    fields: tuple[str, ...]
    path: str
    leaf: Leaf


def places(table: FormTable) -> Iterator[Place]:
    """Every leaf of a table, in its order."""
    yield from _places(table.entries, (), table.root)


def _places(entries: tuple[Entry, ...], above: tuple[str, ...], path: str) -> Iterator[Place]:
    for entry in entries:
        fields, here = (*above, entry.field), f"{path}/{entry.path}"
        if isinstance(entry, Group) and entry.many is not None:
            here = f"{here}*"
        if isinstance(entry, Leaf):
            yield Place(fields, here, entry)
        else:
            yield from _places(entry.entries, fields, here)


@cache
def load(name: str = "wco_dec") -> FormTable:
    """The table of a form by the name of its file; raises InvalidInputError, naming what in it cannot be."""
    return parse((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def parse(text: str) -> FormTable:
    """A table from its text.

    Raises
    ------
    InvalidInputError
        If an entry is not of the form, or names a field, path or list of codes that does not exist.
    """
    try:
        table = FormTable.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise _wrong("the file", str(error)) from None
    for place in places(table):
        if place.leaf.kind == "code" and place.leaf.codes not in table.codes:
            raise _wrong(".".join(place.fields), f"there is no list of codes {place.leaf.codes!r}")
    _check_fields(table.entries, DeclarationMessage, "")
    return table


def _check_fields(entries: tuple[Entry, ...], record: type, above: str) -> None:
    """That each entry names a field of the record, of its kind, and once."""
    hints = get_type_hints(record)
    for entry in entries:
        name = f"{above}{entry.field}"
        if entry.field not in hints:
            raise _wrong(name, f"{record.__name__} has no such field")
        hint = hints[entry.field]
        if isinstance(entry, Leaf):
            shown = getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
            if shown != _KINDS[entry.kind]:
                raise _wrong(name, f"a field of {shown} cannot be of the kind {entry.kind}")
        else:
            inner = get_args(hint)[0] if entry.many is not None and get_args(hint) else hint
            _check_fields(entry.entries, inner, f"{name}.")
    named = [entry.field for entry in entries]
    for repeated in {name for name in named if named.count(name) > 1}:
        raise _wrong(f"{above}{repeated}", "it stands twice")


@cache
def _steps(path: str) -> tuple[Step, ...]:
    found = []
    for part in path.split("/"):
        match = _STEP.fullmatch(part)
        if match is None:
            raise _wrong(path, f"{part!r} is no step of a path")
        found.append(Step(match["name"], match["child"] or "", match["value"] or ""))
    return tuple(found)


def _wrong(where: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        "The table of the message form is wrong at {where}: {reason}.", field=where, where=where, reason=reason
    )
