"""Which languages PDF documents are made in; apart from `pdf`, which takes half a second to load."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("vi", "en")
"""Languages the typeface can write."""


def writable(language: str) -> str:
    """The language a document is made in for a reader of `language`."""
    return language if language in LANGUAGES else "en"
