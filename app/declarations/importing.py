"""Declarations out of a table: CSV or XLSX, one row a line of goods, read row by row. Pure.

Rows with the same `reference` (or, without one, rows with the same plate that follow each other) are one declaration:
what stands only in its first row holds for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from app.declarations.documents import Question, QuestionKind
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS
from app.declarations.import_columns import COLUMNS, REASON, REFERENCE, ROW_KEY, find_choice, layout, plain_value
from app.declarations.restoring import DecimalMark, Value, decimal_mark, restore, shown
from app.platform.json import JsonObject
from app.platform.table_cells import Cell
from app.platform.table_files import read_table
from app.web.forms import Problem
from geo.errors import InvalidInputError
from geo.text import fold

TOTALS: Final = re.compile(r"(tong( cong| so)?|cong|total|sum|合计|总计)\b[\s:.]*", re.ASCII)
ROW_KEY_FORM: Final = re.compile(r"(\d{1,9})-(\d{1,5})", re.ASCII)
MAX_PLACES: Final = 100
"""How many row numbers a question names."""

Cells: TypeAlias = dict[str, Cell]
"""A row by the names of its columns: text, numbers or dates as the spreadsheet has them."""


@dataclass(frozen=True)
class Answers:
    """What a person chose where a file can be meant in two ways; `None` where nothing was chosen yet.

    `hidden`: rows and columns that the spreadsheet hides. `doubles`: lines and declarations that are there twice.
    """

    hidden: Literal["skip", "take"] | None = None
    doubles: Literal["once", "each"] | None = None


@dataclass(frozen=True)
class Sheet:
    """One declaration of a file: the numbers of its rows (as a spreadsheet counts them) and what they say.

    `found` is what reading the file said of its values, by the fields of the form: notes on what was restored, and
    what was lost. `corrects` is the import and the number of the declaration that it is a correction of.
    """

    rows: tuple[int, ...]
    written: JsonObject = field(default_factory=dict)
    reference: str = ""
    found: tuple[Problem, ...] = ()
    corrects: tuple[int, int] | None = None


@dataclass(frozen=True)
class FileReading:
    """What a file holds: its declarations as far as `questions` are answered, and what of it was not read.

    `unread` are headings that no column is known by and `other_pages` further sheets with tables; `passed_over` are
    the numbers of rows with sums.
    """

    sheets: list[Sheet]
    questions: list[Question]
    unread: tuple[str, ...] = ()
    other_pages: tuple[str, ...] = ()
    passed_over: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Row:
    number: int
    values: Mapping[str, Value]
    found: tuple[tuple[str, Problem], ...]
    """Name of the column → what was restored or lost."""


def read_file(content: bytes, *, gate_names: Mapping[str, str], answers: Answers = Answers()) -> FileReading:
    """The declarations of a file, CSV or XLSX by its first bytes.

    Arguments: `gate_names`, names of gates (small letters, no accents) → gate id, beside the ids themselves.

    Raises
    ------
    MalformedError
        If it is neither, cannot be read, is too large or has no known heading.
    InvalidInputError
        If it holds no row.
    """
    table = read_table(content, layout())
    hidden_columns = {
        name
        for name in table.hidden_columns
        if name in COLUMNS and any(shown(table.named(line).get(name)) for line in table.lines)
    }
    is_skipping = answers.hidden == "skip"
    lines = [line for line in table.lines if not (is_skipping and line.is_hidden)]
    named = [(line.number, _drop(table.named(line), hidden_columns if is_skipping else set())) for line in lines]
    named = [(number, cells) for number, cells in named if any(shown(cells.get(name)) for name in COLUMNS)]
    sums = tuple(number for number, cells in named if _is_sum(cells))
    mark = decimal_mark(
        text for _, cells in named for name, cell in cells.items() if _is_number(name, cell, text := shown(cell))
    )
    calendar = table.counts_from_1904
    rows = [_row(number, cells, gate_names, mark, calendar) for number, cells in named if number not in sums]
    if not rows:
        raise InvalidInputError("The file holds no rows below its headings.", field="file")
    sheets, doubles = _without_doubles(_group(rows), keeps_each=answers.doubles != "once")
    questions = []
    hidden_rows = [line.number for line in table.lines if line.is_hidden]
    if answers.hidden is None and hidden_rows:
        questions.append(_question("hidden_rows", map(str, hidden_rows)))
    if answers.hidden is None and hidden_columns:
        questions.append(_question("hidden_columns", sorted(hidden_columns, key=COLUMNS.index)))
    if answers.doubles is None and doubles:
        questions.append(_question("doubles", (f"{double} = {first}" for first, double in doubles)))
    return FileReading(sheets, questions, table.unread, table.other_pages, sums)


def _question(kind: QuestionKind, places: Iterable[str]) -> Question:
    listed = list(places)
    return {"kind": kind, "count": len(listed), "places": listed[:MAX_PLACES]}


def _drop(cells: Cells, hidden: set[str]) -> Cells:
    return {name: cell for name, cell in cells.items() if name not in hidden}


def _is_sum(cells: Cells) -> bool:
    """Whether a row sums up others: it says so, and names no truck."""
    plate = fold(shown(cells.get("plate")))
    texts = [plate] if plate else [fold(shown(cell)) for cell in cells.values()]
    return any(TOTALS.fullmatch(text) for text in texts)


def _is_number(name: str, cell: Cell, text: str) -> bool:
    field = HEAD_FIELDS.get(name) or LINE_FIELDS.get(name)
    return isinstance(cell, str) and bool(text) and field is not None and field.kind in {"decimal", "whole"}


def _row(number: int, cells: Cells, gate_names: Mapping[str, str], mark: DecimalMark, counts_from_1904: bool) -> _Row:
    values: dict[str, Value] = {}
    found: list[tuple[str, Problem]] = []
    paper = find_choice("driver_paper", shown(cells.get("driver_paper"))) or ""
    for name, cell in cells.items():
        text = shown(cell)
        if not text or name == REASON:
            continue
        word = _find_gate(gate_names, text) if name == "gate_id" else find_choice(name, text)
        if word is not None:
            values[name] = word
            continue
        declared = HEAD_FIELDS.get(name) or LINE_FIELDS.get(name)
        restored = restore(name, declared, cell, paper=paper, mark=mark, counts_from_1904=counts_from_1904)
        values[name] = restored.value
        if restored.message:
            said = {"written": text[:40], "value": str(restored.value)[:40]}
            found.append((name, Problem(name, restored.message, said, is_note=not restored.is_lost)))
    return _Row(number, values, tuple(found))


def _find_gate(names: Mapping[str, str], text: str) -> str | None:
    return names.get(fold(text)) or names.get(plain_value(text))


def _group(rows: Sequence[_Row]) -> list[list[_Row]]:
    groups: dict[tuple[str, int], list[_Row]] = {}
    run, last_plate = 0, ""
    for row in rows:
        reference, plate = str(row.values.get(REFERENCE, "")), fold(str(row.values.get("plate", "")))
        if reference:
            key = (reference, -1)
        else:
            run += plate not in {"", last_plate}
            key = ("", run)
        last_plate = plate or last_plate
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _without_doubles(groups: Sequence[list[_Row]], *, keeps_each: bool) -> tuple[list[Sheet], list[tuple[int, int]]]:
    """The declarations, and which rows say what another says: (first, double).

    A line is double that says the same of goods as another line of its declaration; a declaration is that says all
    that another says, but for its reference.
    """
    doubles: list[tuple[int, int]] = []
    sheets: list[Sheet] = []
    first_sheets: dict[str, int] = {}
    for group in groups:
        first_lines: dict[str, int] = {}
        kept = []
        for row in group:
            line = _part(row, LINE_FIELDS)
            first = first_lines.setdefault(repr(sorted(line.items())), row.number)
            is_double = bool(line) and first != row.number
            if is_double:
                doubles.append((first, row.number))
            if keeps_each or not is_double:
                kept.append(row)
        sheet = _sheet(kept)
        first = first_sheets.setdefault(repr(sheet.written), sheet.rows[0])
        if first != sheet.rows[0]:
            doubles.append((first, sheet.rows[0]))
            if not keeps_each:
                continue
        sheets.append(sheet)
    return sheets, doubles


def _part(row: _Row, names: Mapping[str, object]) -> dict[str, Value]:
    return {name: row.values[name] for name in names if name in row.values}


def _sheet(group: Sequence[_Row]) -> Sheet:
    head: dict[str, object] = {}
    found: list[Problem] = []
    lines: list[dict[str, Value]] = []
    for row in group:
        line = _part(row, LINE_FIELDS)
        if line:
            lines.append(line)
        new = [name for name in HEAD_FIELDS if name in row.values and name not in head]
        head.update({name: row.values[name] for name in new})
        for name, problem in row.found:
            if name in LINE_FIELDS:
                found.append(Problem(f"lines.{len(lines)}.{name}", problem.message, problem.values, problem.is_note))
            elif name in new:
                found.append(problem)
    key = next((str(row.values[ROW_KEY]) for row in group if ROW_KEY in row.values), "")
    match = ROW_KEY_FORM.fullmatch(key)
    return Sheet(
        rows=tuple(row.number for row in group),
        written={**head, "lines": lines},
        reference=next((str(row.values[REFERENCE]) for row in group if REFERENCE in row.values), ""),
        found=tuple(found),
        corrects=(int(match[1]), int(match[2])) if match else None,
    )
