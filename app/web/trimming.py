"""Style sheets of third parties without what no page uses: a slow phone waits for each of their bytes. Pure.

A class counts as used where its name stands anywhere in our templates, scripts and vocabularies, or in the kit's own
script; of names that are put together there (`btn-${kind}`, `ti-{{ icon }}`), every class with that beginning, and of
icons those that are called somewhere. Attributes count alike. What has neither is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

_NAME: Final = re.compile(r"[.[](-?[A-Za-z_][\w-]*)")
"""Of a class, or of an attribute."""
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*")
_BEGINNING: Final = re.compile(r"([A-Za-z][\w-]*-)(?:\{\{|\$\{|[\"'] *[~+])")
_NEGATED: Final = re.compile(r":not\([^()]*\)")
_COMMENT: Final = re.compile(r"/\*(?!!).*?\*/", re.DOTALL)
_READ_PROPERTY: Final = re.compile(r"var\(\s*(--[\w-]+)")
_CUSTOM_PROPERTY: Final = re.compile(
    r"""(?<![\w-])(--[\w-]+)\s*:((?:"[^"]*"|'[^']*'|\((?:[^()]|\([^()]*\))*\)|[^;"'(){}])*);?"""
)
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
        """Whether a class or an attribute may be used."""
        if name.startswith(ICON) and name.removeprefix(ICON) in self.words:
            return True
        return name in self.words or name.startswith(self.beginnings)


@dataclass(frozen=True)
class Rule:
    """A rule of a style sheet: `text` as it is written if nothing of it is ever left out.

    Else either `inner` rules in a condition, or a body after selectors, each with the classes and attributes it needs.
    """

    text: str = ""
    condition: str = ""
    inner: tuple[Rule, ...] = ()
    body: str = ""
    selectors: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def trimmed(self, used: Used) -> str:
        """What of it can match what is used; empty if nothing."""
        if self.inner:
            inner = join(self.inner, used)
            return f"{self.condition}{{{inner}}}" if inner.strip() else ""
        selectors = [text for text, names in self.selectors if all(map(used.has, names))]
        return f"{','.join(selectors)}{{{self.body}}}" if selectors else self.text


def trim(style: str, used: Used) -> str:
    """A style sheet (CSS, without errors) with the rules alone that can match what is used."""
    return join(parse(style), used)


def join(rules: Iterable[Rule], used: Used) -> str:
    """The rules alone that can match what is used, as a style sheet."""
    return "".join(rule.trimmed(used) for rule in rules)


def without_unread_properties(style: str) -> str:
    """A style sheet without the custom properties that it does not read itself."""
    while True:
        read = frozenset(_READ_PROPERTY.findall(style))
        kept = _CUSTOM_PROPERTY.sub(partial(_if_read, read), style)
        if kept == style:
            return kept
        style = kept


def _if_read(read: frozenset[str], found: re.Match[str]) -> str:
    return found[0] if found[1] in read else ""


def parse(style: str) -> tuple[Rule, ...]:
    """The rules of a style sheet (CSS, without errors)."""
    return tuple(_parsed(_COMMENT.sub("", style)))


def _parsed(style: str) -> Iterator[Rule]:
    for prelude, body in _rules(style):
        head = prelude.strip()
        if body is None:
            yield Rule(text=f"{prelude};")
        elif head.startswith(_NESTING):
            yield Rule(condition=prelude, inner=parse(body))
        elif head.startswith("@"):
            yield Rule(text=f"{prelude}{{{body}}}")
        else:
            yield Rule(body=body, selectors=tuple((each, _names(each)) for each in _split(head)))


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


def _names(selector: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(_NEGATED.sub("", selector)))
