"""Style sheets of third parties without what no page uses: a slow phone waits for each of their bytes. Pure.

A class counts as used where its name stands anywhere in our templates, scripts and vocabularies, or in the kit's own
script; of names that are put together there (`btn-${kind}`, `ti-{{ icon }}`), every class with that beginning, and of
icons those that are called somewhere. What has no class is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_CLASS: Final = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*")
_BEGINNING: Final = re.compile(r"([A-Za-z][\w-]*-)(?:\{\{|\$\{|[\"'] *[~+])")
_NEGATED: Final = re.compile(r":not\([^()]*\)")
_COMMENT: Final = re.compile(r"/\*(?!!).*?\*/", re.DOTALL)
_NESTING: Final = ("@media", "@supports", "@layer", "@container")
ICON: Final = "ti-"


@dataclass(frozen=True)
class Used:
    """Words of our sources, and beginnings of names that they put together."""

    words: frozenset[str]
    beginnings: tuple[str, ...]

    @classmethod
    def of(cls, sources: Iterable[str]) -> Used:
        """What stands in sources."""
        words, beginnings = set[str](), set[str]()
        for source in sources:
            words.update(_WORD.findall(source))
            beginnings.update(_BEGINNING.findall(source))
        return cls(frozenset(words), tuple(sorted(beginnings - {ICON})))

    def has(self, name: str) -> bool:
        """Whether a class may be used."""
        if name.startswith(ICON) and name.removeprefix(ICON) in self.words:
            return True
        return name in self.words or name.startswith(self.beginnings)


def trim(style: str, used: Used) -> str:
    """A style sheet (CSS, without errors) with the rules alone that can match what is used."""
    return "".join(_kept(_COMMENT.sub("", style), used))


def _kept(style: str, used: Used) -> Iterator[str]:
    for prelude, body in _rules(style):
        head = prelude.strip()
        if body is None:
            yield f"{prelude};"
        elif head.startswith(_NESTING):
            inner = trim(body, used)
            if inner.strip():
                yield f"{prelude}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{prelude}{{{body}}}"
        elif selectors := [each for each in _split(head) if _matches(each, used)]:
            yield f"{','.join(selectors)}{{{body}}}"


def _rules(style: str) -> Iterator[tuple[str, str | None]]:
    """Prelude and body of each rule at the top of a style sheet; no body where a statement ends with a semicolon."""
    at = 0
    while at < len(style):
        opening, semicolon = style.find("{", at), style.find(";", at)
        if 0 <= semicolon < opening or (opening < 0 <= semicolon):
            yield style[at:semicolon], None
            at = semicolon + 1
            continue
        if opening < 0:
            return
        depth, end = 1, opening + 1
        for mark in re.finditer(r"[{}]", style[end:]):
            depth += 1 if mark[0] == "{" else -1
            if depth == 0:
                end += mark.end()
                break
        yield style[at:opening], style[opening + 1 : end - 1]
        at = end


def _split(selectors: str) -> Iterator[str]:
    """The selectors of a list; commas in brackets do not part them."""
    depth, begin = 0, 0
    for at, character in enumerate(selectors):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            yield selectors[begin:at]
            begin = at + 1
    yield selectors[begin:]


def _matches(selector: str, used: Used) -> bool:
    return all(used.has(name) for name in _CLASS.findall(_NEGATED.sub("", selector)))
