"""Cursor pages."""

from __future__ import annotations

import pytest

from app.platform.paging import PageRequest, paginate

IDS = list(range(10, 0, -1))


@pytest.mark.parametrize("limit", [1, 3, 5, 9, 10, 11])
def test_pages_hold_every_row_once_and_the_last_names_no_next(limit: int) -> None:
    seen, before, pages = [], None, 0
    while True:
        request = PageRequest(before, limit)
        rows = [number for number in IDS if before is None or number < before][: request.fetch]
        page = paginate(rows, request, "number", lambda number: {"number": number})
        seen += [item["number"] for item in page.items]
        pages += 1
        if page.next_before is None:
            break
        before = page.next_before
    assert seen == IDS
    assert pages == -(-len(IDS) // limit)
