"""Small workbooks that unpack to hours of work or gigabytes are ended, and good ones read as before."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from openpyxl import Workbook

from app.platform import reading_apart
from app.platform.table_cells import xlsx_pages
from app.platform.workbooks import read_workbook
from geo.errors import MalformedError

STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def good(rows: int = 3) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(rows):
        sheet.append([f"29C-{number:05d}", number, 1.5, None])
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def replaced(part: str, text: str) -> bytes:
    """A good workbook with one of its parts replaced."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good())) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
    ):
        for entry in old.infolist():
            kept = old.read(entry).decode()
            if entry.filename == "[Content_Types].xml" and STRINGS not in kept:
                kept = kept.replace(
                    "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{STRINGS}"/></Types>'
                )
            new.writestr(entry.filename, text if entry.filename == part else kept)
        if part not in old.namelist():
            new.writestr(part, text)
    return made.getvalue()


def test_a_good_one_reads_as_in_this_process() -> None:
    content = good(500)
    assert read_workbook(content, 1000) == xlsx_pages(content, 1000)
    with ThreadPoolExecutor(reading_apart.MAX_WAITING) as pool:
        assert {len(pages[0].lines) for pages in pool.map(lambda _: read_workbook(content, 1000), range(6))} == {500}


def test_who_comes_when_some_wait_already_is_told_to_come_again() -> None:
    content = good(500)
    with ThreadPoolExecutor(12) as pool:
        tried = [pool.submit(read_workbook, content, 1000) for _ in range(12)]
        refused = [error for future in tried if (error := future.exception()) is not None]
    assert 0 < len(refused) <= 12 - reading_apart.MAX_WAITING
    assert {(type(error).__name__, error.values["retry_after_s"]) for error in refused} == {("UnavailableError", 60)}


def test_what_is_no_workbook_is_said_in_words() -> None:
    for content in (b"PK\x03\x04", good()[:200], replaced("xl/workbook.xml", "<")):
        with pytest.raises(MalformedError, match="cannot be read"):
            read_workbook(content, 10)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (
            "xl/sharedStrings.xml",
            f"<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>{'<si/>' * 9_000_000}</sst>",
        ),
        ("xl/worksheets/sheet1.xml", SHEET.format(f"<row>{'<c/>' * 9_000_000}</row>")),
        ("xl/worksheets/sheet1.xml", SHEET.format("<row/>" * 9_000_000)),
    ],
    ids=["shared strings", "one row", "empty rows"],
)
def test_a_bomb_is_ended(part: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_apart, "MAX_WAIT_S", 3.0)
    content = replaced(part, text)
    assert len(content) < 300_000
    with pytest.raises(MalformedError):
        read_workbook(content, 5000)
    assert read_workbook(good(), 10)[0].lines
