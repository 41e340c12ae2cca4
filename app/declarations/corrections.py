"""XLSX files to fill in: the empty template, and refused rows with the reason beside each. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from app.declarations.documents import StoredProblem
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS, field_of
from app.declarations.import_columns import (
    COLUMNS,
    MAX_ROWS,
    REASON,
    REFERENCE,
    ROW_KEY,
    in_words,
    label_of,
    shown_choices,
)
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.web.i18n import load_catalogues

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEXT_FORMAT: Final = "@"
"""Text: leading zeros stay, dates are not turned around."""
HEADING_FILL: Final = PatternFill("solid", fgColor="DCE6F2")
REQUIRED_FILL: Final = PatternFill("solid", fgColor="FFE9A8")
PROBLEM_FILL: Final = PatternFill("solid", fgColor="FFC7CE")

KIND_NOTES: Final = {
    "plate": N_("Write it like {placeholder}."),
    "choice": N_("Choose from the list."),
    "flag": N_("Choose yes or no."),
    "whole": N_("A whole number, such as 26000."),
    "decimal": N_("A number, such as 1250 or 12,5."),
    "date": N_("A day, such as 31/12/2026."),
    "time": N_("Day and time, such as 31/12/2026 14:30."),
}
NOTES: Final = {
    REFERENCE: N_(
        "Rows with the same reference are one declaration; what holds for all of them may stand in the first only."
    ),
    "hs_code": N_("4, 6, 8 or 10 digits, as text, so that a 0 at the beginning stays."),
    "driver_phone": N_("As text, so that the 0 at the beginning stays."),
    "gate_id": N_("Choose from the list."),
}
REQUIRED: Final = N_("Needed.")

EXAMPLE: Final[Mapping[str, str | int]] = {
    "reference": "1",
    "gate_id": "huu-nghi",
    "regime": "export",
    "planned_arrival": "31/12/2026 14:30",
    "customs_number": "305123456780",
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "container": "40",
    "refrigerated": "yes",
    "payload_kg": 26000,
    "inspection_expires": "31/12/2027",
    "driver_name": "Nguyễn Văn An",
    "driver_phone": "0912 345 678",
    "driver_paper": "passport",
    "driver_paper_number": "C1234567",
    "driver_paper_expires": "31/12/2030",
    "driver_licence_number": "790123456789",
    "driver_licence_expires": "31/12/2029",
    "health_symptoms": "none",
    "hs_code": "0810.90",
    "description": "Thanh long tươi",
    "goods_class": "fresh_fruit",
    "quantity": 18000,
    "unit": "kg",
    "gross_weight_kg": 19500,
    "net_weight_kg": 18000,
    "packages": 900,
    "packaging": "carton",
    "temperature_c": 5,
}


@dataclass(frozen=True)
class RefusedRow:
    """A declaration of a file that cannot be made: where it is kept, what it says and why not."""

    import_id: int
    number: int
    reference: str
    written: JsonObject
    problems: Sequence[StoredProblem]


def make_template(language: str = "vi", gates: Mapping[str, str] | None = None) -> bytes:
    """An XLSX with headings, notes, lists to choose from and one example row.

    Arguments: `gates`, gate id → name in that language.
    """
    book, page = _begin(COLUMNS, language, gates or {})
    page.append([_shown(name, EXAMPLE.get(name, ""), language, gates or {}) for name in COLUMNS])
    return _save(book)


def make_corrections(refused: Iterable[RefusedRow], language: str) -> bytes:
    """An XLSX of refused declarations as they were written, the reason beside each and wrong cells marked.

    Sent in again, its rows take the place of those that they come from.
    """
    columns = (REASON, ROW_KEY, *COLUMNS)
    book, page = _begin(columns, language, {})
    for row in refused:
        lines = row.written.get("lines")
        listed: list[JsonObject] = list(lines) if isinstance(lines, list) and lines else [{}]
        for position, line in enumerate(listed, 1):
            values = {
                **({} if position > 1 else {**row.written, REASON: _reason(row.problems, language)}),
                ROW_KEY: f"{row.import_id}-{row.number}",
                REFERENCE: row.reference or f"#{row.number}",
                **line,
            }
            wrong = {_column_of(problem["field"]) for problem in row.problems if _line_of(problem["field"]) == position}
            _append(page, columns, values, wrong, language)
    return _save(book)


def _append(page: Worksheet, columns: Sequence[str], values: JsonObject, wrong: set[str], language: str) -> None:
    number = page.max_row + 1
    for place, name in enumerate(columns, 1):
        cell = page.cell(number, place)
        assert isinstance(cell, Cell)  # nothing is merged
        _set(cell, _shown(name, values.get(name, ""), language, {}))
        if name in wrong:
            cell.fill = PROBLEM_FILL
        if name == REASON:
            cell.alignment = Alignment(wrap_text=True, vertical="top")


def _set(cell: Cell, value: str | int | float) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # what begins with "=" is text here, never a formula
        cell.number_format = TEXT_FORMAT


def _begin(columns: Sequence[str], language: str, gates: Mapping[str, str]) -> tuple[Workbook, Worksheet]:
    book = Workbook()
    page = book.active
    assert isinstance(page, Worksheet)
    text = load_catalogues()[language]
    page.title = text.gettext(N_("Declarations"))
    lists = book.create_sheet("lists")
    lists.sheet_state = "hidden"
    page.append([label_of(name, language) for name in columns])
    for place, name in enumerate(columns, 1):
        letter = get_column_letter(place)
        heading = page.cell(1, place)
        field = HEAD_FIELDS.get(name) or LINE_FIELDS.get(name)
        heading.font = Font(bold=True)
        heading.fill = REQUIRED_FILL if field is not None and field.required else HEADING_FILL
        heading.alignment = Alignment(wrap_text=True, vertical="top")
        note = _note(name, language)
        if note:
            heading.comment = Comment(note, "Cửa Khẩu Số", width=260, height=110)
        dimension = page.column_dimensions[letter]
        dimension.width = 60 if name == REASON else max(14, len(str(heading.value)) // 2 + 6)
        if field is None or field.kind not in {"whole", "decimal"}:
            dimension.number_format = TEXT_FORMAT
        choices = list(gates.values()) if name == "gate_id" else list(shown_choices(name, language).values())
        if choices:
            _offer(page, lists, letter, choices)
    page.freeze_panes = "A2"
    return book, page


def _offer(page: Worksheet, lists: Worksheet, letter: str, choices: Sequence[str]) -> None:
    """A list to choose from; another value is warned of and can be written, since more are understood."""
    place = (lists.max_column if lists.max_row > 1 or lists.cell(1, 1).value else 0) + 1
    for number, choice in enumerate(choices, 1):
        lists.cell(number, place, choice)
    column = get_column_letter(place)
    validation = DataValidation(
        type="list",
        formula1=f"lists!${column}$1:${column}${len(choices)}",
        allow_blank=True,
        showErrorMessage=True,
        errorStyle="warning",
    )
    page.add_data_validation(validation)
    validation.add(f"{letter}2:{letter}{MAX_ROWS + 1}")


def _note(name: str, language: str) -> str:
    text = load_catalogues()[language]
    field = HEAD_FIELDS.get(name) or LINE_FIELDS.get(name)
    said = [text.gettext(REQUIRED)] if field is not None and field.required else []
    if name in NOTES:
        said.append(text.gettext(NOTES[name]))
    elif field is not None and field.kind in KIND_NOTES:
        said.append(text.gettext(KIND_NOTES[field.kind]).format(placeholder=field.placeholder))
    if field is not None:
        said += [text.gettext(part) for part in (field.help, field.empty) if part]
    return " ".join(said)


def _shown(name: str, value: object, language: str, gates: Mapping[str, str]) -> str | int | float:
    """A value as a person reads and writes it in the file."""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if name == "gate_id":
        return gates.get(str(value), str(value))
    if isinstance(value, int | float):
        return value
    return shown_choices(name, language).get(str(value), str(value or ""))


def _reason(problems: Sequence[StoredProblem], language: str) -> str:
    text = load_catalogues()[language]
    said = []
    for problem in problems:
        said_in_english = problem["message"]
        message = text.gettext(said_in_english).format(**in_words(problem["field"], problem["values"], language, {}))
        field = field_of(problem["field"])
        said.append(f"{text.gettext(field.label)}: {message}" if field else message)
    return "\n".join(said)


def _column_of(field: str) -> str:
    return field.rpartition(".")[2]


def _line_of(field: str) -> int:
    """The line of goods that a field is of; those of the head stand in the first."""
    return int(field.split(".")[1]) if field.startswith("lines.") else 1


def _save(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
