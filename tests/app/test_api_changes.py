"""The API as others know it: described without clashes, and nothing of it goes unless it is written down."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from fastapi import FastAPI

from docs.make_api import CHANGES, PATH, list_api, undeclared

UNTYPED = re.compile(r"/gps/|/cameras/|/readyz|/corridor/style|/webhooks/|/data$|\.xlsx$")
"""Answers in formats of others, that say nothing, or that are files."""


@pytest.fixture(scope="module")
def document(built_application: FastAPI) -> Any:
    return built_application.openapi()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "operationId" in operation
    ]


def test_what_is_there_is_written_down(document: Any) -> None:
    present, kept = list_api(document), PATH.read_text().splitlines()
    gone = undeclared(kept, present, CHANGES.read_text())
    assert not gone, f"gone, and docs/api-changes.md does not name it: {gone}"
    assert present == kept, "the API changed: run `just api`"


def test_a_field_that_goes_is_noticed_until_it_is_named(document: Any) -> None:
    kept = list_api(document)
    line = "TripOut.plate: string"
    assert line in kept
    present = [each for each in kept if each != line]
    assert undeclared(kept, present, "") == [line]
    assert undeclared(kept, present, f"- `{line}`: see `TripOut.vehicle`") == []


def test_names_are_unique(document: Any) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert [name for name, count in ids.items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in ids)
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"[A-Z_]\w*", name) or "__" in name] == []
    assert all(schema["title"] == name for name, schema in schemas.items())


def test_every_reference_leads_somewhere(document: Any) -> None:
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))
    assert "Problem" in references
    assert references <= document["components"]["schemas"].keys()


def test_answers_are_typed_and_errors_are_problems(document: Any) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if status.startswith(("4", "5")) and content:
                assert content.keys() == {"application/problem+json"}, (method, path, status)
            if status.startswith("2") and not UNTYPED.search(path) and "application/json" in content:
                assert content["application/json"].get("schema"), f"{method} {path} answers anything"
