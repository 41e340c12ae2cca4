"""What spreadsheets do to values, undone where only one value can have been meant, and said. Pure.

A spreadsheet takes codes for numbers and drops their zeros, shows days as serial numbers, rounds long numbers; offices
write decimal commas and thousands. What could have been two values stays as it is, for a person to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from openpyxl.utils.datetime import from_excel

from app.declarations import hs
from app.declarations.fields import DeclaredField
from app.platform.labels import N_
from app.platform.table_cells import Cell
from app.web.form_values import TWO_WAYS

DecimalMark = Literal[",", ".", ""]
Value = str | float | int
"""A value as a declaration is read from it."""

LAST_HEADINGS: Final = {1: 6, 2: 10, 3: 9, 4: 10, 5: 11, 6: 4, 7: 14, 8: 14, 9: 10}
"""Chapters that begin with 0 → their last heading (Harmonized System 2022)."""
MIN_SERIAL_DAY, MAX_SERIAL_DAY = 32_874, 62_091
"""1990-01-01 and 2069-12-31, as spreadsheets count days."""
DAYS_TO_1904: Final = 1462
"""How far the two calendars of spreadsheets lie apart."""
MAX_EXACT: Final = 10**15
"""Spreadsheets keep 15 digits of a number."""
ROUNDED: Final = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.ASCII | re.IGNORECASE)
SHEET_ERRORS: Final = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"})

LOST_ZERO: Final = N_("{written} had lost a 0 in a spreadsheet; it is read as {value}.")
LOST_PLUS: Final = N_("{written} had lost its + in a spreadsheet; it is read as {value}.")
SERIAL_DAY: Final = N_("{written} is a day as spreadsheets count them; it is read as {value}.")
MARK_OF_FILE: Final = N_("{written} is read as {value}, as the other numbers of the file are written.")
WITH_UNIT: Final = N_("{written} is read as {value} kg.")
IS_ROUNDED: Final = N_("{value} was rounded by a spreadsheet, its last digits are lost; enter it again as text.")
IS_SHEET_ERROR: Final = N_("{value} is an error of the spreadsheet, not a value; mend the formula or enter the value.")


@dataclass(frozen=True)
class Restored:
    """A value as it counts; `message` says what was restored, or with `is_lost` what cannot be."""

    value: Value
    message: str = ""
    is_lost: bool = False


def restore(
    name: str,
    field: DeclaredField | None,
    cell: Cell,
    *,
    paper: str,
    mark: DecimalMark,
    counts_from_1904: bool = False,
) -> Restored:
    """The value of a cell of the column `name`.

    Arguments: `field`, what the column holds, `None` for one that is no field; `paper`, the kind of the driver's
    identity paper in the same row, "" if none is named; `mark`, how the file writes decimals, "" if it does not show;
    `counts_from_1904`, whether its workbook counts days from 1904 and not from 1900.
    """
    text = shown(cell)
    if text.upper() in SHEET_ERRORS:
        return Restored(text, IS_SHEET_ERROR, is_lost=True)
    kind = "text" if field is None else field.kind
    if isinstance(cell, datetime | date):
        return Restored(_of_date(cell, kind))
    if kind in {"date", "time"}:
        return _restore_day(text, kind, counts_from_1904)
    if kind in {"decimal", "whole"}:
        return _restore_number(cell, text, name, mark)
    if kind == "text" and _is_rounded(cell, text):
        return Restored(text, IS_ROUNDED, is_lost=True)
    restored = {
        "hs_code": restore_hs_code(cell),
        "driver_phone": restore_phone(text),
        "driver_paper_number": restore_identity_number(text) if paper == "id_card" else text,
        "driver_licence_number": restore_licence(text),
    }.get(name, text)
    message = LOST_PLUS if restored.startswith("+") else LOST_ZERO
    return Restored(restored, message if restored != text else "")


def shown(cell: Cell) -> str:
    """A cell as text: whole numbers without a decimal point, no quote of a spreadsheet's text before it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.15g}"
    text = " ".join(str(cell).replace("\0", "").split())
    return text[1:] if re.match(r"['’]\w", text) else text


def restore_hs_code(cell: Cell) -> str:
    """An HS code that a spreadsheet took for a number, with its zeros; another as it is.

    `810.9` can only be 0810.90: three digits before the point have lost a leading zero, one digit behind it a trailing
    one. `81090` can only be 0810.90: no code has an odd number of digits, and chapter 08 has a heading 0810.
    """
    text = shown(cell)
    is_number = isinstance(cell, float | int)
    found = re.fullmatch(r"(\d{3,4})[.,](\d{1,6})", text, re.ASCII)
    if found:
        heading, rest = found[1].zfill(4), found[2]
        if len(rest) % 2 and not (is_number or len(found[1]) == 3):
            return text
        code = heading + rest + "0" * (len(rest) % 2)
        has_heading = len(found[1]) == 4 or _has_heading(code)
        is_changed = len(found[1]) == 3 or len(rest) % 2
        return hs.show(code) if is_changed and hs.is_well_formed(code) and has_heading else text
    code = "0" + hs.squeeze(text)
    dotted = re.fullmatch(r"\d{3,9}|\d{3}(?:[.\s]\d{2}){1,3}", text, re.ASCII)
    if dotted and len(code) % 2 == 0 and hs.is_well_formed(code) and _has_heading(code):
        return hs.show(code)
    return text


def _has_heading(code: str) -> bool:
    return 1 <= int(code[2:4]) <= LAST_HEADINGS.get(int(code[:2]), 0)


def restore_phone(text: str) -> str:
    """A phone number with its 0 or +, where its digits are those of a Vietnamese or Chinese one without."""
    digits = re.sub(r"[\s().-]", "", text)
    if re.fullmatch(r"[35789]\d{8}|2\d{9}", digits, re.ASCII):
        return f"0{digits}"
    if re.fullmatch(r"84(?:[35789]\d{8}|2\d{9})|861[3-9]\d{9}", digits, re.ASCII):
        return f"+{digits}"
    return text


def restore_identity_number(text: str) -> str:
    """The 12 digits of a Vietnamese identity number that begins with its province, 001 to 096.

    Source: Decree 137/2015/NĐ-CP art. 13, Circular 59/2021/TT-BCA annex: 001 to 008 and 010 to 096, then the century
    and sex as one digit.
    """
    digits = re.sub(r"\s", "", text)
    if re.fullmatch(r"[1-8]\d{9}", digits, re.ASCII):
        return f"00{digits}"
    if re.fullmatch(r"[1-9]\d{10}", digits, re.ASCII) and 10 <= int(digits[:2]) <= 96:
        return f"0{digits}"
    return text


def restore_licence(text: str) -> str:
    """The 12 digits of a Vietnamese driving licence, of which 11 are left if it begins with 0."""
    digits = re.sub(r"[\s-]", "", text)
    return f"0{digits}" if re.fullmatch(r"[1-9]\d{10}", digits, re.ASCII) else text


def decimal_mark(texts: Iterable[str]) -> DecimalMark:
    """How the numbers of a file mark decimals, if those that can be read in one way only agree."""
    marks = {mark for text in texts if (mark := _mark_of(re.sub(r"\s", "", text)))}
    return marks.pop() if len(marks) == 1 else ""


def _mark_of(text: str) -> DecimalMark:
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})*,\d+", text, re.ASCII) and not TWO_WAYS.fullmatch(text):
        return ","
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})*\.\d+", text, re.ASCII) and not TWO_WAYS.fullmatch(text):
        return "."
    if re.fullmatch(r"[+-]?\d{4,}[.,]\d+", text, re.ASCII):
        return "," if "," in text else "."
    return ""


def _restore_number(cell: Cell, text: str, name: str, mark: DecimalMark) -> Restored:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return Restored(cell)
    found = re.fullmatch(r"([-+\d.,\s]+?)\s*(kgs?|kí|tấn|tan|tonnes?|tons?|t|°\s*c|oc)\.?", text.lower())
    unit = found[2] if found else ""
    if unit and unit.endswith("c") != name.endswith("_c"):
        return Restored(text)
    if unit and not unit.endswith("c") and not name.endswith("_kg"):
        return Restored(text)
    digits = re.sub(r"\s", "", found[1] if found else text)
    is_of_file = bool(mark) and TWO_WAYS.fullmatch(digits) is not None
    if is_of_file:
        digits = digits.replace("," if mark == "." else ".", "").replace(",", ".")
    if unit.startswith("t"):
        if not re.fullmatch(r"[+-]?\d+(?:[.,]\d+)?", digits, re.ASCII) or TWO_WAYS.fullmatch(digits):
            return Restored(text)
        return Restored(float(digits.replace(",", ".")) * 1000, WITH_UNIT)
    if is_of_file:
        return Restored(float(digits), MARK_OF_FILE)
    return Restored(digits if unit else text)


def _restore_day(text: str, kind: str, counts_from_1904: bool) -> Restored:
    if not re.fullmatch(r"\d{5}(?:[.,]\d+)?", text, re.ASCII):
        return Restored(text)
    serial = float(text.replace(",", "."))
    later = DAYS_TO_1904 if counts_from_1904 else 0
    if not MIN_SERIAL_DAY <= serial + later <= MAX_SERIAL_DAY:
        return Restored(text)
    moment = from_excel(round(serial * 1440) / 1440 + later)  # to the minute: serials of times are rounded fractions
    return Restored(_of_date(moment, kind), SERIAL_DAY) if isinstance(moment, datetime) else Restored(text)


def _of_date(moment: date | datetime, kind: str) -> str:
    """A date as it is read again; a moment at midnight is a day without a time."""
    if not isinstance(moment, datetime):
        return moment.strftime("%d/%m/%Y")
    has_time = (moment.hour, moment.minute, moment.second) != (0, 0, 0)
    return moment.strftime("%d/%m/%Y %H:%M" if has_time and kind != "date" else "%d/%m/%Y")


def _is_rounded(cell: Cell, text: str) -> bool:
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return ROUNDED.fullmatch(text) is not None or (is_number and abs(float(str(cell))) >= MAX_EXACT)
