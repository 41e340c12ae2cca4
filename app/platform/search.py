"""What every search box of the product does with what is typed: words in any order, without accents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import InstrumentedAttribute

from app.platform.personal_fields import digest, word_digest
from geo.text import fold

MAX_WORDS: Final = 12
MIN_NUMBER: Final = 3
"""Of fewer characters the marks say what is meant: `3.5`."""

Column = ColumnElement[str] | ColumnElement[str | None] | InstrumentedAttribute[str] | InstrumentedAttribute[str | None]


def words_of(query: str) -> list[str]:
    """The words of a query, folded; at most `MAX_WORDS`."""
    return fold(query.replace("\0", " ")).split()[:MAX_WORDS]


def matches(
    query: str, *columns: Column, also: Callable[[str], ColumnElement[bool]] | None = None
) -> ColumnElement[bool]:
    """The condition that each word of `query` stands in one of the columns, accents and case left aside.

    `nong san` finds `Nông sản`, `dong dang` finds `Đồng Đăng`; an empty query lets everything through. A number is
    found with its marks and without them: `29C-12345` and `29c123.45` find `29C12345`. `also` is where else a word may
    stand, such as in what is encrypted (`has_digest`).
    """
    written = func.app.fold(func.concat_ws(" ", *columns))  # folded once, however many columns there are
    return and_(
        true(),
        *(
            or_(
                *(written.contains(form, autoescape=True) for form in forms_of(word)),
                *(() if also is None else (also(word),)),
            )
            for word in words_of(query)
        ),
    )


def forms_of(word: str) -> tuple[str, ...]:
    """A folded word as it is looked for: one with digits also without its marks, as plates and numbers are stored."""
    bare = re.sub(r"[\W_]", "", word)
    is_number = len(bare) >= MIN_NUMBER and any(character.isdigit() for character in bare)
    return (word, bare) if is_number and bare != word else (word,)


def has_digest(
    digests: ColumnElement[list[str]] | InstrumentedAttribute[list[str]], word: str, *, by_number: bool
) -> ColumnElement[bool]:
    """The condition that a column of digests holds that of a word of a name, or of a number (`personal_fields`).

    Numbers, `by_number`, for those who read them in clear: a search that finds one confirms a guess.
    """
    either: ColumnElement[bool] = digests.op("&&", is_comparison=True)(
        array([word_digest(word), *((digest(word),) if by_number else ())])
    )
    return either
