"""JSON documents whose fields nobody here knows: what was before and after an act, what a webhook carries."""

from __future__ import annotations

from typing import TypeAlias

JsonObject: TypeAlias = dict[str, object]
"""A JSON object. One with known fields has a type of its own instead: a model, or a `TypedDict` of its feature."""
