"""Whose page somebody looks at who reads those of all, and how the page is asked for another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request


@dataclass(frozen=True)
class Viewpoint:
    """The choice above a page: the parameter `name` of its address, what was chosen, what else can be.

    `home` is the page that is led to by another choice; `words` narrow the choices, `None` where they are few.
    """

    home: str
    name: str
    label: str
    chosen: str
    choices: Sequence[tuple[str, str]]
    words: str | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """What leads back to the same page of the same."""
        return {self.name: self.chosen} if self.chosen else {}

    def keep(self, address: str) -> str:
        """`address` of the same viewpoint."""
        query = urlencode(self.query)
        return f"{address}{'&' if '?' in address else '?'}{query}" if query else address


def set_viewpoint(request: Request, viewpoint: Viewpoint) -> None:
    """Let the page show its choice, and its links keep it (`at` in templates)."""
    request.state.viewpoint = viewpoint


def find_viewpoint(request: Request) -> Viewpoint | None:
    """The viewpoint of this request; `None` where everybody sees the own."""
    return getattr(request.state, "viewpoint", None)
