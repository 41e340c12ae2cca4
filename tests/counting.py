"""Messages with a count: which there are, and whether English has a form of them for one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from app.web.i18n import CountedText, load_catalogues

_PHRASE: Final = re.compile(r"(?:\{(\w+)\}|%\((\w+)\)[sd])((?: [a-z-]+){1,3})")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


NAMES: Final = _words(
    """
    account address agent amount amount_vnd arrival_id bank_ref bbox begin cause cell class code collector column
    container cost cost_vnd date day declared device direction equipment error field file finding_id from gate gate_id
    goods handover_id high host id imei key kg kind km km_from letter line link location low missing moment name number
    order_id organisation path percent place plate probability protocol rate reason reference regime retry_after_s road
    run_id seal seconds seen share sighting_id since site state station status step time to transfer_id trip_id until
    username weight weight_kg what when where who without written
    """
)
"""Placeholders of names, numbers that name, moments and measures: what follows them is not counted by them."""
LIMITS: Final = _words(
    """
    fewest least limit longest max_km max_length most shortest
    """
)
"""Constants above 1."""
SINGULAR: Final = _words(
    """
    across always as besides does has is its less minus needs s this was
    """
)
"""Words in s that are no plural."""
FUNCTION_WORDS: Final = _words(
    """
    a an and at before by each for from in of on or over that the to with
    """
)
"""Where what is counted ends."""
VERBS: Final = _words(
    """
    bears begins belongs carries changes clears collects comes contradicts ends enters exists expires gives goes holds
    lacks leads leaves lies names rings says serves stands stays takes works
    """
)


def counted_by(text: str) -> Iterator[str]:
    """The placeholders of a message that count the noun after them."""
    for found in _PHRASE.finditer(text):
        name, words = found[1] or found[2], found[3].split()
        if name in NAMES | LIMITS or words[0] in VERBS:
            continue
        counted = list(takewhile(lambda word: word not in FUNCTION_WORDS, words))
        if any(word.endswith("s") and not word.endswith("ss") and word not in SINGULAR | VERBS for word in counted):
            yield name


def counted_without_form(text: str) -> list[str]:
    """The placeholders of a message that count and of which English has no form for one."""
    said = load_catalogues()["en"].gettext(text)
    return [name for name in counted_by(text) if not isinstance(said, CountedText) or f"{{{name}:" not in said]
