"""The OpenAPI document made fit for generated clients: how to sign in, one schema of errors, names that do not clash.

Pure, on the document as FastAPI makes it. What a name is called must stay: clients are generated from it
(docs/api-changes.md; a test compares it with what was there before).
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from fastapi.routing import APIRoute

Document: TypeAlias = Any
"""Parsed JSON."""
METHODS: Final = ("get", "put", "post", "delete", "patch")
_CLASH: Final = re.compile(r"^app__(\w+?)__\w+?__([A-Z]\w*)$")

PROBLEM: Final = {
    "title": "Problem",
    "description": "What was wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always about:blank: `title` and `status` say what it is."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong with which value, in the caller's language."},
        "field": {"type": "string", "description": "The field that it is about."},
        "code": {"type": "string", "description": "A name for programs, where one has to be told from others."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "title": "FieldProblem",
            },
        },
    },
}
SECURITY: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/tokens."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "Pages; changes also need the header X-CSRF-Token.",
    },
}


def operation_id(route: APIRoute) -> str:
    """The name of an operation: the room of its function, and the function."""
    room = route.endpoint.__module__.split(".")[1]
    return f"{room}_{route.name}"


def describe(document: Document) -> Document:
    """The document as it is published; `document` itself is changed."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY
    document["security"] = [{"token": []}, {"session": []}]
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    _name_apart(document)
    names = {
        name: f"{match[1].title().replace('_', '')}{match[2]}" for name in schemas if (match := _CLASH.match(name))
    }
    names |= {name: name.replace("-", "") for name in schemas if "-" in name}
    # Generators name classes by titles: two of one title are one class, or none.
    components["schemas"] = {
        named: {**schema, "title": named} for named, schema in sorted((names.get(n, n), s) for n, s in schemas.items())
    }
    return _renamed(
        document, {f"#/components/schemas/{old}": f"#/components/schemas/{new}" for old, new in names.items()}
    )


def _name_apart(document: Document) -> None:
    """A route of several methods is several operations."""
    for item in document["paths"].values():
        operations = {method: item[method] for method in METHODS if method in item}
        if len({operation["operationId"] for operation in operations.values()}) < len(operations):
            for method, operation in operations.items():
                operation["operationId"] = f"{operation['operationId'].removesuffix(f'_{method}')}_{method}"


def _renamed(node: Document, references: dict[str, str]) -> Document:
    if isinstance(node, dict):
        return {key: _renamed(value, references) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, references) for value in node]
    return references.get(node, node) if isinstance(node, str) else node
