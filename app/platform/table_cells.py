"""CSV and XLSX as pages of lines of cells, with what a spreadsheet hides. Pure."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final, TypeAlias
from xml.etree import ElementTree

from openpyxl import load_workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.utils.exceptions import InvalidFileException

from geo.errors import MalformedError
from geo.text import fold

Cell: TypeAlias = str | int | float | bool | datetime | date | time | None

MAX_UNPACKED_BYTES: Final = 60 * 2**20
MAX_COLUMNS: Final = 80
MAX_EMPTY_LINES: Final = 20_000
"""Spreadsheets that were formatted to the bottom have a million lines; no table has a gap as long as this."""
SIGNATURE_OF_ZIP: Final = b"PK\x03\x04"
SIGNATURE_OF_OLE: Final = b"\xd0\xcf\x11\xe0"
DELIMITERS: Final = (",", ";", "\t", "|")
MAX_LOOKED_AT_LINES: Final = 60

_SAID_SEPARATOR: Final = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_SPREADSHEET_ML: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    InvalidFileException,
    ElementTree.ParseError,
    KeyError,
    ValueError,
    IndexError,
    OSError,
    SyntaxError,
    TypeError,
    AttributeError,
)
"""What openpyxl raises for a file that is no workbook or a damaged one."""


@dataclass(frozen=True)
class Line:
    """A line that is not empty: its number as a spreadsheet counts, its cells, and whether the spreadsheet hides it."""

    number: int
    cells: Sequence[Cell]
    is_hidden: bool = False


@dataclass(frozen=True)
class Page:
    """A sheet of a workbook, or all of a CSV: its lines that are not empty, and its hidden columns, counted from 0.

    `counts_from_1904`: the workbook counts days from 1904-01-01, as Excel for Macintosh did (ISO/IEC 29500-1,
    18.17.4.1).
    """

    name: str
    lines: list[Line]
    hidden_columns: frozenset[int] = field(default_factory=frozenset)
    counts_from_1904: bool = False


def is_xlsx(content: bytes) -> bool:
    """Whether a file is an XLSX by its first bytes.

    Raises
    ------
    MalformedError
        If it is an old Excel file or one with a password, which only Excel can read.
    """
    if content.startswith(SIGNATURE_OF_OLE):
        raise MalformedError("This is an old Excel file (.xls) or one with a password; save it as XLSX without one.")
    return content.startswith(SIGNATURE_OF_ZIP)


def is_empty(cell: Cell) -> bool:
    """Whether nothing is written in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def decodings(content: bytes) -> list[str]:
    """The texts that a CSV can be, likeliest first, composed (NFC).

    UTF-8 with or without a byte order mark, UTF-16 with one; else Windows-1258 and GB 18030, as older programs of
    Vietnamese and Chinese offices write.

    Raises
    ------
    MalformedError
        If it is none of them.
    """
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        candidates: tuple[tuple[str, ...], ...] = (("utf-16",),)
    else:
        candidates = (("utf-8-sig",), ("cp1258", "gb18030"))
    for encodings in candidates:
        texts = []
        for encoding in encodings:
            try:
                texts.append(unicodedata.normalize("NFC", content.decode(encoding)))
            except UnicodeDecodeError:
                continue
        if texts:
            return texts
    raise MalformedError("The file is neither UTF-8 nor Windows-1258; save it as CSV UTF-8 or XLSX.")


def csv_pages(content: bytes, headings: Collection[str]) -> list[Page]:
    """The one page of a CSV.

    Arguments: `headings`, those that are expected, folded: encoding and separator are those by which most of them are
    recognised, since titles hold commas too.

    Raises
    ------
    MalformedError
        If it is no CSV.
    """
    read = [(_separator(text, headings), text) for text in decodings(content)]
    (delimiter, _), text = max(read, key=lambda found: found[0][1])
    if "\x00" in text:
        raise MalformedError("The file is neither CSV nor XLSX; save it as CSV UTF-8 or XLSX.")
    try:
        return [Page("", list(_csv_lines(text, delimiter)))]
    except (csv.Error, TypeError) as error:  # TypeError: a delimiter that cannot be one
        raise MalformedError("The file is no CSV: {error}.", error=str(error)) from None


def _csv_lines(text: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 0
    for cells in reader:
        number, before = before + 1, reader.line_num  # a quoted cell may go over several lines: its first counts
        if number == 1 and _SAID_SEPARATOR.match(text):
            continue
        if any(not is_empty(cell) for cell in cells[:MAX_COLUMNS]):
            yield Line(number, cells[:MAX_COLUMNS])


def _separator(text: str, headings: Collection[str]) -> tuple[str, tuple[int, int]]:
    """The character between columns, and how many headings are recognised by it and how often it is there."""
    said = _SAID_SEPARATOR.match(text)
    lines = text.splitlines()[:MAX_LOOKED_AT_LINES]

    def recognised(delimiter: str) -> tuple[int, int]:
        most = 0
        for line in lines:
            try:
                cells = next(csv.reader([line], delimiter=delimiter), [])
            except (csv.Error, TypeError):
                continue
            folded = {" ".join(re.sub(r"\W+", " ", fold(part)).split()) for cell in cells for part in _parts(cell)}
            most = max(most, len(folded & set(headings)))
        return most, sum(line.count(delimiter) for line in lines)

    found = [(delimiter, recognised(delimiter)) for delimiter in ([said[1]] if said else []) + list(DELIMITERS)]
    if said and found[0][1][0]:
        return found[0]
    return max(found, key=lambda each: each[1])  # also where the file says one separator and has another


def _parts(cell: str) -> list[str]:
    return [cell, *re.split(r"[/\n|()]", cell)]


def xlsx_pages(content: bytes, max_lines: int) -> list[Page]:
    """The sheets of a workbook that are not hidden, each with at most `max_lines` lines, and one more if it has more.

    Raises
    ------
    MalformedError
        If it cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
            if unpacked_bytes > MAX_UNPACKED_BYTES:
                raise MalformedError("The XLSX unpacks to more than can be read; remove pictures and empty sheets.")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            pages = []
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    continue
                rows, columns = _hidden(archive, getattr(sheet, "_worksheet_path", ""))
                sheet.reset_dimensions()
                found = _xlsx_lines(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS), rows)
                lines = [line for line, _ in zip(found, range(max_lines + 1), strict=False)]
                pages.append(Page(sheet.title, lines, columns, counts_from_1904=book.epoch == CALENDAR_MAC_1904))
            book.close()
            return pages
    except _UNREADABLE as error:
        raise MalformedError("The XLSX cannot be read: {detail}.", detail=str(error)[:100]) from error


def _xlsx_lines(rows: Iterator[Sequence[object]], hidden: Collection[int]) -> Iterator[Line]:
    empty = 0
    for number, row in enumerate(rows, 1):
        cells = [_cell(value) for value in row[:MAX_COLUMNS]]
        if any(not is_empty(cell) for cell in cells):
            empty = 0
            yield Line(number, cells, number in hidden)
        else:
            empty += 1
            if empty > MAX_EMPTY_LINES:
                return


def _hidden(archive: zipfile.ZipFile, path: str) -> tuple[frozenset[int], frozenset[int]]:
    """The numbers of the hidden rows, from 1, and the places of the hidden columns, from 0.

    Read beside openpyxl, which does not say it of a workbook that is read row by row. Rows and columns of no height or
    width are hidden too; so are rows that a filter leaves out.
    """
    rows: set[int] = set()
    columns: set[int] = set()
    if not path:
        return frozenset(), frozenset()
    last = 0
    with archive.open(path.lstrip("/")) as part:
        for event, element in ElementTree.iterparse(part, events=("start", "end")):  # noqa: S314 - openpyxl reads it so too
            if event == "start" and element.tag == f"{_SPREADSHEET_ML}row":
                last = int(element.get("r", last + 1))
                if _is_hidden(element, "ht"):
                    rows.add(last)
            elif event == "start" and element.tag == f"{_SPREADSHEET_ML}col" and _is_hidden(element, "width"):
                begin, end = int(element.get("min", 1)), int(element.get("max", 0))
                columns.update(range(begin - 1, min(end, MAX_COLUMNS)))
            elif event == "end":
                element.clear()
    return frozenset(rows), frozenset(columns)


def _is_hidden(element: ElementTree.Element, size: str) -> bool:
    return element.get("hidden") in {"1", "true"} or float(element.get(size, 1)) == 0.0


def _cell(value: object) -> Cell:
    """A cell as far as tables have them; formulas without a value and rich text are text."""
    if value is None or isinstance(value, str | int | float | datetime | date | time):
        return value
    return str(value)
