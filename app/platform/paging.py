"""Cursor pages: one row more than asked for is read, so that the next page is known to exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Found = TypeVar("Found")
Item = TypeVar("Item")


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted: at most `limit` rows below the id `before` (`None`: from the newest on)."""

    before: int | None = None
    limit: int = 50

    @property
    def fetch(self) -> int:
        """How many rows to read."""
        return self.limit + 1


@dataclass(frozen=True)
class Page(Generic[Item]):
    """The items of a page, and the id below which the next one begins (`None`: this is the last)."""

    items: list[Item]
    next_before: int | None

    @classmethod
    def of(cls, found: Sequence[Item], page: PageRequest, number: Callable[[Item], int]) -> Page[Item]:
        """The page that was asked for, of up to `page.fetch` items in order; `number` gives the id of an item."""
        items = list(found[: page.limit])
        return cls(items, number(items[-1]) if len(found) > page.limit else None)


def paginate(rows: Sequence[Found], page: PageRequest, key: str, describe: Callable[[Found], Item]) -> Page[Item]:
    """The page that was asked for, of up to `page.fetch` rows in order.

    Arguments: `describe`, makes the item of a row; `key`, the name of its id in that item.
    """
    items = [describe(row) for row in rows[: page.limit]]
    return Page(items, _id_of(items[-1], key) if len(rows) > page.limit else None)


def _id_of(item: object, key: str) -> int:
    return int(item[key] if isinstance(item, Mapping) else getattr(item, key))
