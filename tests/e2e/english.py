"""Text from the machine on a page in another language: English words of messages, and identifiers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from babel.messages.pofile import read_po

from app.trips.codes import CODE_ALPHABET
from tests.messages import LOCALE_DIR

WORD = re.compile(r"[^\W\d_]+")
CODE = re.compile(rf"\b[{CODE_ALPHABET}]{{4}}(?:-[{CODE_ALPHABET}]{{4}}){{2}}\b")
IDENTIFIER = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
SHORTEST = 4
"""Shorter words are units, or words of both languages."""
MEANT = re.compile(
    r"[^\n]*©[^\n]*|Mozilla/[^\n]*|English|Simulated data|\bdemo\.\w+|\blong\b",
    re.IGNORECASE,
)
"""What looks English on purpose: sources of maps and their licences, what a browser calls itself, the name of the
language, the mark of the demonstration and its user names; and a syllable of dragon fruit. In the codes of trips four
letters may be a word."""


def machine_text(text: str, language: str) -> list[str]:
    """What of a page's text was not meant for readers of `language`, in order, each once."""
    text = MEANT.sub(" ", CODE.sub(" ", text))
    english = _english_words(language)
    words = [word for word in WORD.findall(text) if word.isascii() and word.casefold() in english]
    return list(dict.fromkeys([*IDENTIFIER.findall(text), *words]))


@cache
def _english_words(language: str) -> frozenset[str]:
    """Words of the message ids that no translation into a language has."""
    ids, translations = set[str](), set[str]()
    for msgid, msgstr in _messages(language):
        ids |= {word.casefold() for word in WORD.findall(msgid) if word.isascii() and len(word) >= SHORTEST}
        translations |= {word.casefold() for word in WORD.findall(msgstr)}
    return frozenset(ids - translations)


def _messages(language: str) -> Iterator[tuple[str, str]]:
    for path in sorted((LOCALE_DIR / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id and message.string:
                    yield str(message.id), str(message.string)
