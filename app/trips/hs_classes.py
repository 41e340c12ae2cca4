"""Which class of goods an HS code stands for: the one home of this rule, for the form, the gate and the tariff.

The rule is a table (data/hs_classes.tsv, with its source in data/LICENSE.md). The longest prefix of a code that is
listed holds. Pure.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from app.gates.vocabulary import GoodsClass

MAX_PREFIX_LENGTH: Final = 6
"""Subheadings are the finest that all countries share; national lines below them do not change the class."""


@dataclass(frozen=True)
class Classification:
    """What is known of the class of a line of goods.

    `goods_class` is what holds, empty where only a person can say. `by_hs` are the classes that the HS code allows, in
    the order of the table; none where the code is not known. `declared` is the declarant's word. `is_contradicted` says
    that the declarant's word is none of those the code allows.
    """

    goods_class: str
    by_hs: tuple[str, ...]
    declared: str

    @property
    def is_contradicted(self) -> bool:
        """Whether the declarant names a class that the HS code rules out."""
        return bool(self.by_hs and self.declared) and self.declared not in self.by_hs

    @property
    def is_open(self) -> bool:
        """Whether the HS code leaves the class to the declarant."""
        return len(self.by_hs) != 1


@cache
def _rules() -> Mapping[str, tuple[str, ...]]:
    source = resources.files("app.trips").joinpath("data", "hs_classes.tsv")
    with source.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["hs"]: tuple(GoodsClass.get(name) for name in row["classes"].split()) for row in rows}


def classes_of(hs_code: str) -> tuple[str, ...]:
    """The classes that an HS code allows, the likeliest first; none if no chapter of the table holds it.

    `hs_code` may be written with dots and spaces (`0810.90`).
    """
    digits = "".join(character for character in hs_code if character.isascii() and character.isdigit())
    for length in range(min(len(digits), MAX_PREFIX_LENGTH), 1, -1):
        if digits[:length] in _rules():
            return _rules()[digits[:length]]
    return ()


def suggest_class(hs_code: str) -> str:
    """The class that a form suggests for an HS code; empty if nothing is known of it."""
    return next(iter(classes_of(hs_code)), "")


def classify(hs_code: str, declared: str) -> Classification:
    """The class of a line of goods: the HS code's, and the declarant's word only where the code leaves it open.

    A word that the code rules out decides nothing: where the code names one class, that one holds; where it names
    several, a person must say which. A vehicle without goods (`empty`) carries nothing that a code could class.
    """
    known = GoodsClass.lookup(declared)
    word = str(known) if known is not None else ""
    allowed = classes_of(hs_code)
    if word == GoodsClass.EMPTY and not hs_code.strip():
        return Classification(word, (), word)
    if len(allowed) == 1:
        return Classification(allowed[0], allowed, word)
    if not allowed or word in allowed:
        return Classification(word, allowed, word)
    return Classification("", allowed, word)
