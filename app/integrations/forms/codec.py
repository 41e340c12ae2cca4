"""Declarations in messages of a form: read from XML or JSON, written as either. Pure."""

from __future__ import annotations

from typing import Final, Literal

from app.integrations.forms import mapping, tree
from app.integrations.forms.record import DeclarationMessage
from app.integrations.forms.schema import list_paths
from app.integrations.forms.table import FormTable, load

Syntax = Literal["xml", "json"]
MEDIA_TYPES: Final[dict[Syntax, str]] = {"xml": "application/xml", "json": "application/json"}


def syntax_of(body: bytes) -> Syntax:
    """Which of the two a message is, by its first character: what neighbours say of it is often wrong."""
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "json" if start.startswith((b"{", b"[")) else "xml"


def read(body: bytes, table: FormTable | None = None) -> DeclarationMessage:
    """The declaration in a message, XML or JSON.

    Raises
    ------
    MalformedError
        If it is neither, is larger or deeper than any real message, not safe to read, or another message.
    RefusedError
        With every value that cannot be taken; `field` is its path, `value` what stands there.
    """
    table = table or load()
    found = tree.read_json(body, table) if syntax_of(body) == "json" else tree.read_xml(body, table)
    return mapping.read(found, table)


def write(record: DeclarationMessage, syntax: Syntax = "xml", table: FormTable | None = None) -> bytes:
    """A declaration as a message in UTF-8; read again it is the same record.

    Raises
    ------
    RefusedError
        With every value that the form cannot hold, by its path.
    """
    table = table or load()
    made = mapping.write(record, table)
    return tree.write_xml(made, table) if syntax == "xml" else tree.write_json(made, list_paths(table))
