"""Messages call things as the glossary does, in every language."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.messages import LOCALE_DIR

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
COLUMNS = {"vi": 1, "zh": 2}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{[^{}]*\}")
OTHER_SENSES = {
    "There is no barrier driver {vendor}.",
    "This draft is not right yet, so that no trip can be tried on it.",
}
"""Messages whose word means something else, or that need no word for it."""
ABANDONED = {
    "vi": ("công-ten-nơ", "ba-ri-e", "tài xế", "hàng đợi xe", "kẹp chì"),
    "zh": ("行程", "运次", "趟次", "堆场", "号牌", "账号"),
}
"""Words that meant what another of the glossary means."""


def terms() -> list[tuple[str, str, str]]:
    """Term, language and the words allowed, of each row and language."""
    rows = [
        line.strip("|").split("|") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    cells = [[cell.strip() for cell in row] for row in rows[1:]]
    return [(row[0], language, row[column]) for row in cells for language, column in COLUMNS.items()]


@cache
def messages(language: str) -> dict[str, str]:
    """Message ids with their translations, one form of each."""
    found = {}
    for path in sorted((LOCALE_DIR / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id:
                    ids, strings = (
                        value if isinstance(value, str) else value[0] for value in (message.id, message.string)
                    )
                    found[ids] = strings
    return found


@pytest.mark.parametrize(("term", "language", "words"), terms())
def test_a_term_is_called_by_its_words(term: str, language: str, words: str) -> None:
    named = re.compile(rf"\b{term}s?\b", re.IGNORECASE)
    called = re.compile("|".join(re.escape(word) for word in words.split(" / ")), re.IGNORECASE)
    concerned = {
        text: translation
        for text, translation in messages(language).items()
        if named.search(PLACEHOLDER.sub(" ", text)) and text not in OTHER_SENSES
    }
    assert concerned, f"no message has {term}: take it out of the glossary"
    wrong = {text: translation for text, translation in concerned.items() if not called.search(translation)}
    assert wrong == {}, f"{term} is {words}"


@pytest.mark.parametrize("language", ABANDONED)
def test_no_other_words_are_used_beside_them(language: str) -> None:
    found = {
        text: word
        for text, written in messages(language).items()
        for word in ABANDONED[language]
        if word in written.lower()
    }
    assert not found


def test_the_terms_stand_in_order_and_once() -> None:
    names = [term for term, language, _ in terms() if language == "vi"]
    assert names == sorted(set(names))
