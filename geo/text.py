"""Text as it is stored and searched: one composed form, and one form without accents to compare by.

`fold` stands twice, here and as the SQL function `app.fold` (migration 0020), because the database compares whole
columns; a test holds both to the same answers.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document can hold."""
_MARKS = re.compile("[\u0300-\u036f]")
"""Combining diacritical marks, the block that `app.fold` removes."""


def nfc(text: str) -> str:
    """`text` in the composed form in which everything is stored (Unicode NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Small letters without accents, đ as d: `Nông sản` and `NONG SAN` are both `nong san`.

    So is ð (eth), which older texts write for đ.
    """
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFD", text.lower())).replace("đ", "d").replace("ð", "d")
