"""A message as a tree of named nodes, whether it came as XML or as JSON; bounded, safe to read from strangers. Pure.

In JSON an element is its text, or an object of its children; a list if it stands several times; with attributes an
object of `@name`s and `#text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias
from xml.etree import ElementTree

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from app.integrations.forms.table import FormTable
from geo.errors import MalformedError
from geo.text import nfc

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
Json: TypeAlias = "str | int | bool | Decimal | list[Json] | dict[str, Json] | None"
_BLANKS = re.compile(r"[\t\n\r ]+")
"""What XML takes for white space; the wide blank of Chinese text is a character like others."""


@dataclass
class Node:
    """An element: its name without namespace, its text tidied and composed, attributes, children."""

    name: str
    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def named(self, name: str) -> Iterator[Node]:
        """The children of a name, in order."""
        return (child for child in self.children if child.name == name)


def tidy(text: str) -> str:
    """Text in composed form, without white space around it and with a single blank within."""
    return nfc(_BLANKS.sub(" ", text).strip(" "))


def check_size(body: bytes) -> None:
    """That a message is not larger than any real one; raises MalformedError."""
    if len(body) > MAX_BYTES:
        raise MalformedError(
            "The message is too large, in bytes: {size}; the limit is {limit}.", size=len(body), limit=MAX_BYTES
        )


class _BoundedBuilder(ElementTree.TreeBuilder):
    """Builds elements no deeper and no more than a real message has."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = self.count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        self.count += 1
        _check_bounds(self.depth, self.count)
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def read_xml(body: bytes, table: FormTable) -> Node:
    """The message in an XML document, out of its envelope if it has one.

    Entities and document types are refused; elements of namespaces that the form does not have are passed over.

    Raises
    ------
    MalformedError
        If it is too large, not XML, not safe, or another message.
    """
    check_size(body)
    builder = _BoundedBuilder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(body)
        root = parser.close()
    except DefusedXmlException:
        raise MalformedError("The XML has a document type or entities; send it without them.") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise MalformedError("The message is not XML: {reason}.", reason=str(error)[:200]) from None
    names, envelope = table.xml, table.xml.envelope
    if envelope is not None and root.tag == f"{{{envelope.namespace}}}{envelope.element}":
        inside = [child for child in root if _split(child)[1] == table.root]
        if len(inside) != 1:
            raise MalformedError(
                "{path} must hold {name} exactly once; found: {count}.",
                field=envelope.element,
                path=envelope.element,
                count=len(inside),
                name=table.root,
            )
        root = inside[0]
    namespace, name = _split(root)
    if (namespace, name) != (names.namespace, table.root):
        raise MalformedError(
            "The message is a {name} of {namespace}; only {root} of {known} is read.",
            field=name,
            name=name,
            namespace=namespace or "–",
            root=table.root,
            known=names.namespace,
        )
    return _node(root, frozenset({names.namespace, names.data_namespace}))


def _node(element: ElementTree.Element, known: frozenset[str]) -> Node:
    attributes = {name: tidy(value) for name, value in element.attrib.items() if not name.startswith("{")}
    children = [_node(child, known) for child in element if isinstance(child.tag, str) and _split(child)[0] in known]
    return Node(_split(element)[1], tidy(element.text or ""), attributes, children)


def _split(element: ElementTree.Element) -> tuple[str, str]:
    namespace, _, name = str(element.tag).rpartition("}")
    return namespace.removeprefix("{"), name


def write_xml(root: Node, table: FormTable) -> bytes:
    """A message as an XML document in UTF-8, in its envelope."""
    names = table.xml
    made = _element(root, table)
    if names.envelope is not None:
        outer = ElementTree.Element(f"{{{names.envelope.namespace}}}{names.envelope.element}")
        for name, value in names.envelope.values.items():
            ElementTree.SubElement(outer, f"{{{names.envelope.namespace}}}{name}").text = value
        outer.append(made)
        made = outer
    ElementTree.indent(made)
    document: bytes = ElementTree.tostring(made, encoding="utf-8", xml_declaration=True)
    return document


def _element(node: Node, table: FormTable) -> ElementTree.Element:
    names = table.xml
    namespace = names.data_namespace if node.name in names.data_elements else names.namespace
    element = ElementTree.Element(f"{{{namespace}}}{node.name}", node.attributes)
    element.text = node.text or None
    element.extend(_element(child, table) for child in node.children)
    return element


def read_json(body: bytes, table: FormTable) -> Node:
    """The message in a JSON document, `{root: {…}}`.

    Raises
    ------
    MalformedError
        If it is too large, not JSON, names something twice, or is another message.
    """
    check_size(body)
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise MalformedError("The message is not JSON: {reason}.", reason=str(error)[:200]) from None
    if not isinstance(document, dict) or list(document) != [table.root] or not isinstance(document[table.root], dict):
        raise MalformedError("The message must be an object of {root} alone.", field=table.root, root=table.root)
    count = 0

    def build(name: str, value: Json, depth: int, path: str) -> Node:
        nonlocal count
        count += 1
        _check_bounds(depth, count)
        node = Node(name)
        if isinstance(value, list):
            raise MalformedError("{path} is a list of lists.", field=path, path=path)
        if not isinstance(value, dict):
            node.text = _text(value)
            return node
        for key, below in value.items():
            if key == "#text" or key.startswith("@"):
                if isinstance(below, list | dict):
                    raise MalformedError("{path} must be a text.", field=f"{path}/{key}", path=f"{path}/{key}")
                if key == "#text":
                    node.text = _text(below)
                else:
                    node.attributes[key[1:]] = _text(below)
                continue
            for number, item in enumerate(below if isinstance(below, list) else [below], 1):
                if item is not None:
                    node.children.append(build(key, item, depth + 1, f"{path}/{key}[{number}]"))
        return node

    return build(table.root, document[table.root], 1, table.root)


def write_json(root: Node, lists: frozenset[tuple[str, ...]]) -> bytes:
    """A message as a JSON document in UTF-8; what stands at one of the paths `lists` is a list, once or often."""

    def value(node: Node, path: tuple[str, ...]) -> Json:
        if not node.children and not node.attributes:
            return node.text or ({} if path in lists else "")
        made: dict[str, Json] = {f"@{name}": text for name, text in node.attributes.items()}
        if node.text:
            made["#text"] = node.text
        for name in dict.fromkeys(child.name for child in node.children):
            below = [value(child, (*path, name)) for child in node.named(name)]
            made[name] = below if (*path, name) in lists or len(below) > 1 else below[0]
        return made

    return json.dumps({root.name: value(root, ())}, ensure_ascii=False, indent=1).encode("utf-8", "strict")


def _object(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return made


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no value")


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return tidy(value if isinstance(value, str) else "" if value is None else f"{value}")


def _check_bounds(depth: int, count: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if count > MAX_NODES:
        raise MalformedError("The message has too many elements; the limit is {limit}.", limit=MAX_NODES)


def _too_deep() -> MalformedError:
    return MalformedError("The message is nested too deep; the limit is {limit}.", limit=MAX_DEPTH)
