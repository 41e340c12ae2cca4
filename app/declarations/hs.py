"""HS codes: their form, what we know of them, and search by number or by words with or without accents.

The list is the chapters of the Harmonized System and the headings that matter at these gates (data/hs_codes.tsv, with
its source in data/LICENSE.md); any well-formed code is accepted, known or not. Which class of goods a code stands for
is said in `app.trips.hs_classes`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from app.trips.hs_classes import suggest_class
from geo.text import fold

LENGTHS: Final = (4, 6, 8, 10)
"""Digits of a heading, a subheading, a national and a Chinese tariff line."""
RESERVED: Final = ("00", "77")
"""There is no chapter 00; 77 is kept free by the convention."""


@dataclass(frozen=True)
class HsCode:
    """A chapter, heading or subheading with its titles, and further words that it is searched by."""

    code: str
    vi: str
    en: str
    zh: str
    words: str

    @property
    def goods_class(self) -> str:
        """What the form suggests for it."""
        return suggest_class(self.code)

    @property
    def names(self) -> dict[str, str]:
        """The title in each language."""
        return {"vi": self.vi, "en": self.en, "zh": self.zh}

    @property
    def shown(self) -> str:
        """The code as it is printed."""
        return show(self.code)


@cache
def known_codes() -> Mapping[str, HsCode]:
    """The codes we know, by number."""
    source = resources.files("app.declarations").joinpath("data", "hs_codes.tsv")
    with source.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["code"]: HsCode(**{name: text or "" for name, text in row.items()}) for row in rows}


@cache
def _searchable() -> Mapping[str, str]:
    return {code: fold(" ".join((names.vi, names.en, names.zh, names.words))) for code, names in known_codes().items()}


def squeeze(written: str) -> str:
    """A code without dots, dashes and spaces, full-width digits made plain; not checked."""
    return re.sub(r"[.\s\-‐-―]", "", unicodedata.normalize("NFKC", written))


def is_well_formed(code: str) -> bool:
    """Whether a squeezed code has 4, 6, 8 or 10 digits and a chapter that can exist."""
    return code.isascii() and code.isdigit() and len(code) in LENGTHS and code[:2] not in RESERVED and code[2:4] != "00"


def show(code: str) -> str:
    """A code as it is printed: 0810.90, 8471.30.20."""
    return ".".join(part for part in (code[:4], code[4:6], code[6:8], code[8:10]) if part)


def find(code: str) -> HsCode | None:
    """What we know of a code: itself, else the nearest above it that is at least a heading."""
    squeezed = squeeze(code)
    return next((known_codes()[squeezed[:n]] for n in (10, 8, 6, 4) if squeezed[:n] in known_codes()), None)


def chapter(code: str) -> HsCode | None:
    """The chapter of a code."""
    return known_codes().get(squeeze(code)[:2])


def search(query: str, *, limit: int = 12) -> list[HsCode]:
    """Codes that begin with the digits asked for, or whose titles hold every word asked for.

    Headings and subheadings come before chapters, whole words before parts of words.
    """
    wanted = fold(query).split()
    if not wanted:
        return []
    digits = squeeze(query)
    if digits.isascii() and digits.isdigit():
        below = sorted(code for code in known_codes() if code.startswith(digits))
        above = [digits[:n] for n in (8, 6, 4, 2) if n < len(digits) and digits[:n] in known_codes()]
        return [known_codes()[code] for code in (*below, *above)][:limit]
    scored = []
    for code, text in _searchable().items():
        if all(word in text for word in wanted):
            is_whole = re.search(rf"\b{re.escape(' '.join(wanted))}\b", text) is not None
            scored.append((not is_whole, len(code) == 2, code))
    return [known_codes()[code] for *_, code in sorted(scored)[:limit]]
