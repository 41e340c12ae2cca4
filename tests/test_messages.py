"""The catalogues are complete: whatever people are shown is there in every language."""

from __future__ import annotations

import pytest

from tests.messages import TRANSLATED, error_messages, interface_messages, known_messages

MAX_UNTRANSLATED_ERRORS = 133
"""Errors that only operators of the command line or programs see stay English. The number may fall, not grow."""


def test_the_extraction_finds_templates_scripts_and_code() -> None:
    places = {place for message in interface_messages().values() for place in message.places}
    for suffix in (".html:", ".js:", ".py:"):
        assert any(suffix in place for place in places), f"no message of a {suffix} file"
    assert len(interface_messages()) > 1_000


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_of_the_interface_is_translated(language: str) -> None:
    known = known_messages(language)
    missing = {text: message.places for text, message in interface_messages().items() if text not in known}
    assert not missing, "run `just messages` and translate what it adds"


@pytest.mark.parametrize("language", TRANSLATED)
def test_errors_that_people_see_are_translated(language: str) -> None:
    known = known_messages(language)
    missing = [
        f"{', '.join(message.places)}: {text}" for text, message in error_messages().items() if text not in known
    ]
    assert len(missing) <= MAX_UNTRANSLATED_ERRORS, "\n".join(missing)
