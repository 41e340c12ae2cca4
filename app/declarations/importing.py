"""Declarations out of a table: CSV or XLSX, one row a line of goods, read row by row. Pure.

Rows with the same `reference` (or, without one, rows with the same plate that follow each other) are one declaration:
what stands only in its first row holds for all of them.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from app.declarations import hs
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS
from geo.errors import InvalidInputError, MalformedError

MAX_FILE_BYTES: Final = 2_000_000
MAX_UNPACKED_BYTES: Final = 40_000_000
MAX_ROWS: Final = 500
MAX_COLUMNS: Final = 60
TEXT_ROWS: Final = 200
REFERENCE: Final = "reference"
COLUMNS: Final = (REFERENCE, *(name for name in HEAD_FIELDS if name != "driver_id"), *LINE_FIELDS)
SIGNATURE_OF_ZIP: Final = b"PK\x03\x04"

HEADINGS: Final = {
    "reference": ("ma tham chieu", "编号"),
    "gate_id": ("cua khau", "gate", "口岸"),
    "regime": ("loai hinh", "监管方式"),
    "direction": ("chieu", "方向"),
    "planned_arrival": ("du kien den", "thoi gian den", "预计到达"),
    "customs_number": ("so to khai", "报关单号"),
    "plate": ("bien so xe", "bien so", "车牌"),
    "trailer_plate": ("bien so ro-mooc", "ro-mooc", "挂车车牌"),
    "container": ("cong-ten-no", "container", "集装箱"),
    "refrigerated": ("xe lanh", "冷藏"),
    "payload_kg": ("tai trong (kg)", "核定载重"),
    "inspection_expires": ("han dang kiem", "检验有效期"),
    "driver_name": ("lai xe", "ho ten lai xe", "driver", "驾驶员"),
    "driver_phone": ("dien thoai", "phone", "电话"),
    "driver_paper": ("loai giay to", "证件类型"),
    "driver_paper_number": ("so giay to", "证件号码"),
    "driver_paper_expires": ("han giay to", "证件有效期"),
    "driver_licence_number": ("so giay phep lai xe", "驾驶证号"),
    "driver_licence_expires": ("han giay phep lai xe", "驾驶证有效期"),
    "health_symptoms": ("trieu chung", "症状"),
    "health_temperature_c": ("than nhiet", "体温"),
    "health_note": ("ghi chu y te", "健康备注"),
    "hs_code": ("ma hs", "hs", "hs编码"),
    "description": ("mo ta", "ten hang", "goods", "货物名称"),
    "goods_class": ("nhom hang", "货物类别"),
    "quantity": ("so luong", "数量"),
    "unit": ("don vi", "单位"),
    "gross_weight_kg": ("trong luong ca bi (kg)", "tong trong luong (kg)", "毛重"),
    "net_weight_kg": ("trong luong tinh (kg)", "净重"),
    "packages": ("so kien", "件数"),
    "packaging": ("bao bi", "包装"),
    "perishable": ("de hong", "易腐"),
    "temperature_c": ("nhiet do", "温度"),
    "service": ("dich vu", "服务"),
}
"""Headings that are understood beside the names of the fields, small letters without accents."""

WORDS: Final = {
    "regime": {
        "xuat khau": "export",
        "nhap khau": "import",
        "tam nhap tai xuat": "temporary_import_reexport",
        "tam xuat tai nhap": "temporary_export_reimport",
        "chuyen khau": "border_transfer",
        "qua canh": "transit",
    },
    "direction": {"xuat": "export", "nhap": "import"},
    "health_symptoms": {"khong": "none", "co": "some", "no": "none", "yes": "some"},
    "container": {"khong": "none", "0": "none", "20ft": "20", "40ft": "40", "45ft": "45"},
    "driver_paper": {"cccd": "id_card", "ho chieu": "passport", "giay thong hanh": "border_pass"},
    "unit": {
        "tan": "tonne",
        "cai": "piece",
        "chiec": "piece",
        "doi": "pair",
        "bo": "set",
        "con": "head",
        "lit": "litre",
    },
    "packaging": {
        "thung": "carton",
        "sot": "crate",
        "bao": "bag",
        "hop": "box",
        "cuon": "roll",
        "bo": "bundle",
        "hang roi": "bulk",
        "khong": "none",
    },
}


@dataclass(frozen=True)
class Sheet:
    """One declaration of a file: the numbers of its rows (as a spreadsheet counts them) and what they say."""

    rows: tuple[int, ...]
    written: Mapping[str, Any] = field(default_factory=dict)


def read_file(content: bytes, *, gate_names: Mapping[str, str]) -> list[Sheet]:
    """The declarations of a file, CSV or XLSX by its first bytes.

    Arguments: `gate_names`, names of gates (small letters, no accents) → gate id, beside the ids themselves.

    Raises
    ------
    MalformedError
        If it is neither, or cannot be read.
    InvalidInputError
        If it is too large, holds no row, or has no known heading.
    """
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInputError(
            "The file has {size_kb} kB; send at most {most_kb}, in several files.",
            field="file",
            size_kb=len(content) // 1000,
            most_kb=MAX_FILE_BYTES // 1000,
        )
    table = list(_read_xlsx(content) if content.startswith(SIGNATURE_OF_ZIP) else _read_csv(content))
    rows = [(number, row) for number, row in table if any(_text(cell) for cell in row)]
    if len(rows) < 2:
        raise InvalidInputError("The file holds no rows below its headings.", field="file")
    if len(rows) > MAX_ROWS + 1:
        raise InvalidInputError(
            "The file holds {count} rows; send at most {most}, in several files.",
            field="file",
            count=len(rows) - 1,
            most=MAX_ROWS,
        )
    columns = _columns(rows[0][1])
    return _group([(number, _named(columns, row, gate_names)) for number, row in rows[1:]])


def make_template() -> bytes:
    """An empty XLSX with the headings and one example row."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "declarations"
    page.append(list(COLUMNS))
    page.append([EXAMPLE.get(name, "") for name in COLUMNS])
    for column, name in enumerate(COLUMNS, 1):
        page.cell(1, column).font = Font(bold=True)
        page.column_dimensions[get_column_letter(column)].width = max(14, len(name) + 2)
        for row in range(2, TEXT_ROWS + 2):
            page.cell(row, column).number_format = "@"  # text: leading zeros stay, dates are not turned around
    page.freeze_panes = "A2"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


EXAMPLE: Final[dict[str, Any]] = {
    "reference": "1",
    "gate_id": "huu-nghi",
    "regime": "export",
    "planned_arrival": "31/12/2026 14:30",
    "customs_number": "305123456780",
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "container": "40",
    "refrigerated": "x",
    "payload_kg": "26000",
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
    "quantity": "18000",
    "unit": "kg",
    "gross_weight_kg": "19500",
    "net_weight_kg": "18000",
    "packages": "900",
    "packaging": "carton",
    "temperature_c": "5",
}


def _columns(headings: Sequence[Any]) -> dict[int, str]:
    known = {hs.plain(word): name for name, words in HEADINGS.items() for word in (name, *words)}
    found = {i: known[word] for i, cell in enumerate(headings) if (word := hs.plain(_text(cell))) in known}
    twice = {name for name in found.values() if list(found.values()).count(name) > 1}
    if twice:
        raise InvalidInputError(
            "The column {name} is there twice; remove one.", field="file", name=", ".join(sorted(twice))
        )
    if "plate" not in found.values():
        raise InvalidInputError(
            "The first row holds no heading {name}; begin with the template.", field="file", name="plate"
        )
    return found


def _named(columns: Mapping[int, str], row: Sequence[Any], gate_names: Mapping[str, str]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for i, name in columns.items():
        value = row[i] if i < len(row) else None
        if not _text(value):
            continue
        words = gate_names if name == "gate_id" else WORDS.get(name, {})
        named[name] = words.get(hs.plain(_text(value)), value if isinstance(value, datetime | date) else _text(value))
    return named


def _group(rows: Sequence[tuple[int, dict[str, Any]]]) -> list[Sheet]:
    groups: dict[tuple[str, int], list[tuple[int, dict[str, Any]]]] = {}
    run, last_plate = 0, ""
    for number, row in rows:
        reference, plate = _text(row.get(REFERENCE)), hs.plain(_text(row.get("plate")))
        if reference:
            key = (reference, -1)
        else:
            run += plate not in {"", last_plate}
            key = ("", run)
        last_plate = plate or last_plate
        groups.setdefault(key, []).append((number, row))
    return [_sheet(group) for group in groups.values()]


def _sheet(group: Sequence[tuple[int, dict[str, Any]]]) -> Sheet:
    head: dict[str, Any] = {}
    for _, row in group:
        for name in HEAD_FIELDS:
            if name in row and name not in head:
                head[name] = row[name]
    lines = [{name: row[name] for name in LINE_FIELDS if name in row} for _, row in group]
    return Sheet(tuple(number for number, _ in group), {**head, "lines": lines})


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _read_csv(content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    text = _decode(content)
    if "\0" in text:
        raise MalformedError("The file is neither CSV nor XLSX.")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1):
            yield number, row[:MAX_COLUMNS]
    except csv.Error as error:
        raise MalformedError("The CSV cannot be read: {detail}.", detail=str(error)) from error


def _decode(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedError("The file is not UTF-8 text; save it as “CSV UTF-8” or as XLSX.") from None


def _read_xlsx(content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise MalformedError("The XLSX unpacks to more than can be read; remove pictures and empty sheets.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        page = book.worksheets[0]
        for number, row in enumerate(page.iter_rows(values_only=True, max_col=MAX_COLUMNS), 1):
            yield number, row
            if number > 20 * MAX_ROWS:
                break
        book.close()
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, OSError, SyntaxError) as error:
        raise MalformedError("The XLSX cannot be read: {detail}.", detail=str(error)[:100]) from error
