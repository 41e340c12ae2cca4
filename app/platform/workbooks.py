"""XLSX read in a process of its own, with limits."""

from __future__ import annotations

from app.platform.reading_apart import read_apart
from app.platform.table_cells import Page, xlsx_pages
from geo.errors import MalformedError


def read_workbook(content: bytes, max_lines: int) -> list[Page]:
    """As `xlsx_pages`, whatever the file holds.

    Raises
    ------
    MalformedError
        If it cannot be read, or only with more time or memory than a table takes.
    UnavailableError
        If too many are being read now.
    """
    too_much = MalformedError("The XLSX takes too much to read; copy its table alone into a new workbook.")
    return read_apart(xlsx_pages, content, max_lines, too_much=too_much)
