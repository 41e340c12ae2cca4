"""Write docs/api.txt: every operation, parameter and field of the API, a line each, as those who call it know them.

A line that goes is a break for somebody: it goes when docs/api-changes.md names it, and not before.

    just api
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.bootstrap import web
from app.settings import Settings

DOCS = Path(__file__).parent
PATH, CHANGES = DOCS / "api.txt", DOCS / "api-changes.md"


def list_api(document: Any) -> list[str]:
    """The lines of an OpenAPI document, sorted."""
    return sorted({*_operations(document), *_fields(document)})


def undeclared(kept: list[str], present: list[str], changes: str) -> list[str]:
    """Lines that went although `changes` does not name them (in backquotes)."""
    return [line for line in kept if line not in set(present) and f"`{line}`" not in changes]


def _operations(document: Any) -> Iterator[str]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "operationId" not in operation:
                continue
            called = f"{method.upper()} {path}"
            yield called
            yield f"{called} = {operation['operationId']}"
            for parameter in operation.get("parameters", []):
                yield f"{called} {parameter['in']} {parameter['name']}"
            for status, answer in operation["responses"].items():
                for media in answer.get("content", {}):
                    if status.startswith("2"):
                        yield f"{called} -> {media}"


def _fields(document: Any) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        for field, about in schema.get("properties", {}).items():
            yield f"{name}.{field}: {_type(about)}"
            for value in [*about.get("enum", []), *about.get("items", {}).get("enum", [])]:
                yield f"{name}.{field} = {value}"
        for value in schema.get("enum", []):
            yield f"{name} = {value}"


def _type(about: Any) -> str:
    if "$ref" in about:
        return str(about["$ref"].rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in about:
            return " | ".join(_type(each) for each in about[several])
    if about.get("type") == "array":
        return f"[{_type(about.get('items', {}))}]"
    return str(about.get("type", "any"))


def main() -> None:
    """Write the file, unless something went that nobody wrote down."""

    present = list_api(web(settings=Settings(demo=True)).openapi())
    kept = PATH.read_text(encoding="utf-8").splitlines() if PATH.exists() else []
    gone = undeclared(kept, present, CHANGES.read_text(encoding="utf-8"))
    if gone:
        print("Name these in docs/api-changes.md, in backquotes, and say what to use instead:", *gone, sep="\n  ")
        sys.exit(1)
    PATH.write_text("\n".join(present) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
