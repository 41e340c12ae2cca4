"""Dangerous goods: UN numbers and the classes of the UN model regulations. Pure.

Source: UN Recommendations on the Transport of Dangerous Goods, Model Regulations (ST/SG/AC.10/1), 2.0.1; in Viet Nam
decree 34/2024/NĐ-CP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from app.platform.labels import N_, Vocabulary

DIVISIONS: Final[Mapping[str, int]] = {"1": 6, "2": 3, "4": 3, "5": 2, "6": 2}
"""Classes that have divisions, and how many."""
_NUMBER: Final = re.compile(r"(?:UN)?(\d{4})")
_PREFIX: Final = re.compile(r"^(?:class|lớp|loại|第)\s*", re.IGNORECASE)


class HazardClass(Vocabulary):
    """A class of dangerous goods."""

    EXPLOSIVES = "1", N_("Explosives")
    GASES = "2", N_("Gases")
    FLAMMABLE_LIQUIDS = "3", N_("Flammable liquids")
    FLAMMABLE_SOLIDS = "4", N_("Flammable solids")
    OXIDISING = "5", N_("Oxidising substances and organic peroxides")
    TOXIC = "6", N_("Toxic and infectious substances")
    RADIOACTIVE = "7", N_("Radioactive material")
    CORROSIVE = "8", N_("Corrosive substances")
    OTHER = "9", N_("Other dangerous substances and articles")


def tidy_number(written: str) -> str:
    """A UN number as its four digits, written with UN before it or without; anything else as it is."""
    found = _NUMBER.fullmatch("".join(written.upper().split()))
    return found[1] if found else written


def is_number(written: str) -> bool:
    """Whether it is four digits; 0001 to 0003 were never given."""
    return written.isascii() and len(written) == 4 and written.isdigit() and int(written) >= 4


def tidy_class(written: str) -> str:
    """A class, or a class and its division such as 2.1, without words before it and with a point."""
    return _PREFIX.sub("", written.strip()).removesuffix("类").strip().replace(",", ".")


def find_class(written: str) -> HazardClass | None:
    """The class of "3" or "2.1"; `None` if there is no such class or division."""
    main, _, division = written.partition(".")
    found = HazardClass.lookup(main)
    if found is None or (division and not _is_division(main, division)) or written.endswith("."):
        return None
    return found


def _is_division(main: str, division: str) -> bool:
    known = {str(each) for each in range(1, DIVISIONS.get(main, 0) + 1)}
    return division in known
