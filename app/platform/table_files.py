"""Tables that offices and banks send: the header found under titles and behind cover sheets, rows as they stand. Pure.

CSV with any usual separator (also named in a line `sep=;`), in UTF-8, UTF-16, Windows-1258 or GB 18030, and XLSX. How
the bytes become lines of cells is `app.platform.table_cells`; here the header is found and the columns are named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app.platform.table_cells import Cell, Line, Page, csv_pages, is_empty, is_xlsx
from app.platform.workbooks import read_workbook
from geo.errors import MalformedError
from geo.text import fold

MAX_TITLE_LINES: Final = 60
"""Lines over the header: an office's letterhead, a bank's name, the account, its balances."""
MIN_NUMBERED_COLUMNS: Final = 4
NUMBERING: Final = frozenset({"stt", "tt", "no", "so thu tu", "序号"})
"""Headings of columns that number the rows; nobody misses them."""

_PLAIN_UNIT: Final = re.compile(r"\((?:vnd|vnđ|đ|đồng|kg|°c|oc|c)\)", re.IGNORECASE)
_OTHER_UNIT: Final = re.compile(
    r"\((?:tấn|tan|tonnes?|tons?|t|g|usd|cny|rmb|eur|吨"
    r"|(?:nghìn|ngàn|triệu|tỷ|1[.,]?000|thousands?|millions?)(?:\s*(?:đồng|đ|vnd|vnđ))?)\)",
    re.IGNORECASE,
)
_COLUMN_NUMBER: Final = re.compile(r"\(?(\d{1,2})\)?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """What a table is known by: headings by the names of columns, likeliest first, compared without accents and case.

    The header is the first line that has all `required` columns and at least `min_columns`. Where `refuses_twice`, a
    column that is there twice is refused; else the likeliest heading wins. `max_rows` below the header, `max_bytes` of
    the file.
    """

    headings: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    max_rows: int
    max_bytes: int
    min_columns: int = 1
    refuses_twice: bool = False

    @cached_property
    def known(self) -> Mapping[str, tuple[str, ...]]:
        """The headings as they are compared, those with a unit also without it."""
        return {
            name: tuple(
                dict.fromkeys(plain_heading(form) for written in headings for form in (written, _without_unit(written)))
            )
            for name, headings in self.headings.items()
        }

    @cached_property
    def all_headings(self) -> frozenset[str]:
        """All headings of all columns, as they are compared."""
        return frozenset(heading for headings in self.known.values() for heading in headings)

    @cached_property
    def columns_headed(self) -> Mapping[str, frozenset[str]]:
        """The columns that each heading, as it is compared, can stand over."""
        return {
            heading: frozenset(name for name, headings in self.known.items() if heading in headings)
            for heading in self.all_headings
        }

    def columns_of(self, cells: Sequence[Cell]) -> dict[str, int]:
        """Where the columns of a line of headings are; headings in two languages are read in each."""
        written = [_readings(cell) for cell in cells]
        found: dict[str, int] = {}
        for name, headings in self.known.items():
            for heading in headings:
                taken = found.values()
                place = next((n for n, has in enumerate(written) if heading in has and n not in taken), None)
                if place is not None:
                    found[name] = place
                    break
        return found

    def is_header(self, cells: Sequence[Cell]) -> bool:
        """Whether a line has a heading for all that is required. Most lines have none, which is seen at once."""
        written = set().union(*map(_readings, cells))
        likely = {name for heading in written & self.all_headings for name in self.columns_headed[heading]}
        return self.has_all(dict.fromkeys(likely, 0)) and self.has_all(self.columns_of(cells))

    def has_all(self, columns: Mapping[str, int]) -> bool:
        """Whether columns are enough for a header."""
        return len(columns) >= self.min_columns and all(name in columns for name in self.required)


@dataclass(frozen=True)
class Table:
    """What a file holds below its header.

    `columns` are the places of the named columns, `lines` those below the header that are not empty, in order.
    `hidden_columns` are named columns that the file hides, `unread` the headings that no column is known by, `page` the
    sheet it stands on and `other_pages` sheets that hold a table too and were not read. `counts_from_1904` says from
    when its days are counted where they stand as numbers; cells that are shown as days are days already.
    """

    columns: Mapping[str, int]
    lines: Sequence[Line]
    hidden_columns: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    page: str = ""
    other_pages: tuple[str, ...] = ()
    counts_from_1904: bool = False

    def named(self, line: Line) -> dict[str, Cell]:
        """The cells of a line by the names of their columns."""
        return {name: line.cells[place] for name, place in self.columns.items() if place < len(line.cells)}


def read_table(content: bytes, layout: Layout) -> Table:
    """The table of a file, CSV or XLSX by its first bytes.

    It stands on the first sheet that is not hidden and has a header; whatever stands over the header is passed over, as
    are headers that are repeated below it and lines that number the columns.

    Raises
    ------
    MalformedError
        If it is neither, too large, empty, has no header or too many rows.
    """
    if len(content) > layout.max_bytes:
        raise MalformedError("The file is larger than {most} bytes; split it.", most=layout.max_bytes)
    max_lines = layout.max_rows + MAX_TITLE_LINES + 1
    pages = read_workbook(content, max_lines) if is_xlsx(content) else csv_pages(content, layout.all_headings)
    filled = [page for page in pages if page.lines]
    if not filled:
        raise MalformedError("The file is empty.")
    with_header = [page for page in filled if any(layout.is_header(line.cells) for line in _top(page))]
    page = with_header[0] if with_header else filled[0]
    place, columns = _find_header(page, layout)
    lines = [line for line in page.lines[place + 1 :] if not _is_heading_again(line, layout)]
    if len(lines) > layout.max_rows:
        raise MalformedError("The file has more than {most} rows; split it.", most=layout.max_rows)
    header = page.lines[place].cells
    return Table(
        columns=columns,
        lines=lines,
        hidden_columns=frozenset(name for name, column in columns.items() if column in page.hidden_columns),
        unread=tuple(_unread(header, columns)),
        page=page.name,
        other_pages=tuple(other.name for other in with_header[1:]),
        counts_from_1904=page.counts_from_1904,
    )


def plain_heading(text: str) -> str:
    """A heading as it is compared: small letters and digits without accents, single spaces."""
    return " ".join(re.sub(r"[\W]+", " ", fold(text)).split())


def _without_unit(heading: str) -> str:
    return _PLAIN_UNIT.sub(" ", heading)


def _top(page: Page) -> Iterable[Line]:
    return page.lines[:MAX_TITLE_LINES]


def _find_header(page: Page, layout: Layout) -> tuple[int, dict[str, int]]:
    nearest: dict[str, int] = {}
    for place, line in enumerate(_top(page)):
        columns = layout.columns_of(line.cells)
        if layout.has_all(columns):
            if layout.refuses_twice:
                _refuse_twice(line.cells, layout)
            return place, columns
        nearest = max(nearest, columns, key=len)
    missing = next((name for name in layout.required if name not in nearest), layout.required[0])
    if missing in nearest:
        raise MalformedError(
            "Too few columns are known beside {column}; begin with the template.", column=layout.headings[missing][0]
        )
    known = ", ".join(layout.headings[missing])
    raise MalformedError("The column {column} is missing; call it one of: {known}.", column=missing, known=known)


def _refuse_twice(header: Sequence[Cell], layout: Layout) -> None:
    whole = [plain_heading(_without_unit(cell)) if isinstance(cell, str) else "" for cell in header]
    for name, headings in layout.known.items():
        if sum(heading in headings for heading in whole if heading) > 1:
            raise MalformedError("The column {name} is there twice; remove one.", name=name)


def _is_heading_again(line: Line, layout: Layout) -> bool:
    """Whether a line below the header heads it again: on each printed page, in a second language, or by numbers."""
    if layout.is_header(line.cells):
        return True
    given = [str(cell).strip() for cell in line.cells if not is_empty(cell)]
    numbers = [int(found[1]) for text in given if (found := _COLUMN_NUMBER.fullmatch(text))]
    return len(numbers) == len(given) >= MIN_NUMBERED_COLUMNS and numbers == list(
        range(numbers[0], numbers[0] + len(numbers))
    )


def _unread(header: Sequence[Cell], columns: Mapping[str, int]) -> Iterable[str]:
    for place, cell in enumerate(header):
        is_numbering = isinstance(cell, str) and plain_heading(cell) in NUMBERING
        if isinstance(cell, str) and cell.strip() and place not in columns.values() and not is_numbering:
            yield " ".join(cell.split())[:60]


def _readings(cell: Cell) -> set[str]:
    """A heading whole and in its parts: `Số tiền ghi có (VND) / Credit`. One in another unit is not read in parts."""
    if not isinstance(cell, str):
        return set()
    if _OTHER_UNIT.search(cell):
        return {plain_heading(cell)}
    without_unit = _without_unit(cell)
    parts = re.split(r"[/\n|()]", without_unit)
    return {reading for part in (cell, without_unit, *parts) if (reading := plain_heading(part))}
