"""Files as offices make them: titles, cover sheets, hidden rows, lost zeros, serial days, commas, words, doubles."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from app.declarations.corrections import EXAMPLE, RefusedRow, make_corrections, make_template
from app.declarations.import_columns import COLUMNS, choice_of, label_of, plain_value
from app.declarations.importing import Answers, FileReading, Sheet, read_file
from app.declarations.restoring import (
    decimal_mark,
    restore_hs_code,
    restore_identity_number,
    restore_licence,
    restore_phone,
)
from app.gates.vocabulary import GoodsClass
from app.web.form_values import read_fields
from app.web.forms import Field, Problem
from app.web.i18n import load_catalogues
from geo.errors import MalformedError

GATES = {"huu nghi": "huu-nghi", "cua khau huu nghi": "huu-nghi"}
VI = [label_of(name, "vi") for name in COLUMNS]
EN = [label_of(name, "en") for name in COLUMNS]
Fill = Callable[[Worksheet], None]


def book(fill: Fill, *, cover: bool = False) -> bytes:
    made = Workbook()
    page = made.active
    assert isinstance(page, Worksheet)
    if cover:
        page.append(["CÔNG TY TNHH MỘT THÀNH VIÊN"])
        page.append(["Danh sách xe", "tháng 3"])
        page = made.create_sheet("Danh sách")
    fill(page)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def day(*parts: int) -> datetime:
    """A moment as spreadsheets have it: without a zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def row(**changes: Any) -> list[Any]:
    return [{**EXAMPLE, **changes}.get(name) for name in COLUMNS]


def read(content: bytes, answers: Answers = Answers()) -> FileReading:
    return read_file(content, gate_names=GATES, answers=answers)


def read_one(**changes: Any) -> Sheet:
    def fill(page: Worksheet) -> None:
        page.append(VI)
        page.append(row(**changes))

    (sheet,) = read(book(fill)).sheets
    return sheet


def line(sheet: Sheet) -> dict[str, Any]:
    lines = sheet.written["lines"]
    assert isinstance(lines, list)
    return dict(lines[0])


# Values


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (810.9, "0810.90"),
        ("810.9", "0810.90"),
        ("810,9", "0810.90"),
        (81090, "0810.90"),
        ("81090", "0810.90"),
        (8109010, "0810.90.10"),
        (713, "0713"),
        ("810.90.10", "0810.90.10"),
        (8471.3, "8471.30"),
        (30389.0, "0303.89"),
        ("0810.90", "0810.90"),
        ("8471.3", "8471.3"),
        (84713, "84713"),
        (8471, "8471"),
        (817, "817"),
        ("8109", "8109"),
        ("thanh long", "thanh long"),
    ],
)
def test_hs_codes_get_back_their_zeros_where_only_one_code_fits(cell: Any, code: str) -> None:
    assert restore_hs_code(cell) == code


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("912345678", "0912345678"),
        ("912 345 678", "0912345678"),
        ("2053812345", "02053812345"),
        ("84912345678", "+84912345678"),
        ("8613812345678", "+8613812345678"),
        ("0912345678", "0912345678"),
        ("13812345678", "13812345678"),
        ("112345678", "112345678"),
        ("12345", "12345"),
    ],
)
def test_phones_get_back_their_zeros(written: str, phone: str) -> None:
    assert restore_phone(written) == phone


@pytest.mark.parametrize(
    ("written", "number"),
    [("1090001234", "001090001234"), ("20090001234", "020090001234"), ("97090001234", "97090001234"), ("123", "123")],
)
def test_identity_numbers_get_back_their_zeros(written: str, number: str) -> None:
    assert restore_identity_number(written) == number


def test_licences_get_back_their_zero() -> None:
    assert restore_licence("10123456789") == "010123456789"
    assert restore_licence("790123456789") == "790123456789"


def test_what_was_restored_is_said_and_what_is_lost_is_refused() -> None:
    sheet = read_one(
        hs_code=810.9, driver_phone=912345678, driver_paper="CCCD", driver_paper_number=1090001234, customs_number=1e17
    )
    assert line(sheet)["hs_code"] == "0810.90"
    assert (sheet.written["driver_phone"], sheet.written["driver_paper_number"]) == ("0912345678", "001090001234")
    assert {(problem.field, problem.is_note) for problem in sheet.found} == {
        ("driver_phone", True),
        ("driver_paper_number", True),
        ("customs_number", False),
        ("lines.1.hs_code", True),
    }
    (said,) = [problem.text() for problem in sheet.found if problem.field == "lines.1.hs_code"]
    assert "810.9" in said
    assert "0810.90" in said


def test_errors_of_a_spreadsheet_and_rounded_numbers_are_no_values() -> None:
    sheet = read_one(description="#N/A", customs_number="3.05123E+11")
    assert {(problem.field, problem.is_note) for problem in sheet.found} == {
        ("lines.1.description", False),
        ("customs_number", False),
    }


def test_days_come_as_cells_serials_and_texts() -> None:
    sheet = read_one(planned_arrival=46387.6041666667, inspection_expires=46752, driver_paper_expires=day(2030, 12, 31))
    assert sheet.written["planned_arrival"] == "31/12/2026 14:30"
    assert sheet.written["inspection_expires"] == "31/12/2027"
    assert sheet.written["driver_paper_expires"] == "31/12/2030"
    assert {problem.field for problem in sheet.found} == {"planned_arrival", "inspection_expires"}
    assert read_one(planned_arrival=day(2026, 12, 31, 14, 30)).written["planned_arrival"] == "31/12/2026 14:30"
    assert read_one(inspection_expires=9999).written["inspection_expires"] == "9999", "before 1990 it is no day"
    midnight = read_one(planned_arrival=day(2026, 12, 31)).written["planned_arrival"]
    assert midnight == "31/12/2026", "a day without a time is no moment"


def test_a_workbook_that_counts_from_1904_means_the_same_days() -> None:
    def fill(page: Worksheet) -> None:
        assert page.parent is not None
        page.parent.epoch = CALENDAR_MAC_1904  # type: ignore[attr-defined]
        page.append(VI)
        days = {"planned_arrival": 46387.6041666667 - 1462, "inspection_expires": 46752 - 1462}
        page.append(row(**days, driver_paper_expires=day(2030, 12, 31), driver_licence_expires=str(46752 - 1462)))

    (sheet,) = read(book(fill)).sheets
    assert sheet.written["planned_arrival"] == "31/12/2026 14:30"
    assert sheet.written["inspection_expires"] == sheet.written["driver_licence_expires"] == "31/12/2027"
    assert sheet.written["driver_paper_expires"] == "31/12/2030", "a cell that is shown as a day is that day"
    said = {problem.field: problem.values["written"] for problem in sheet.found}
    assert said["inspection_expires"] == "45290", "as it stands in the file"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("19.500,5", 19500.5),
        ("19,500.5", 19500.5),
        ("1.234.567", 1234567.0),
        ("12,5", 12.5),
        ("19500", 19500.0),
        ("1.500", None),
        ("1.500,", None),
        ("19'500", 19500.0),
        ("\u221218", -18.0),
        ("1.50.000", None),
    ],
)
def test_numbers_are_read_where_they_mean_one_thing(written: str, number: float | None) -> None:
    problems: list[Problem] = []
    found = read_fields({"x": Field(kind="decimal", label="X")}, {"x": written}, problems)
    assert found.get("x") == number
    assert bool(problems) == (number is None)


@pytest.mark.parametrize(
    "written", ["31/12/2026 14:30:00", "14:30 31/12/2026", "31/12/2026 14h30", "31/12/2026 2:30 PM", "31-12-2026 14:30"]
)
def test_moments_as_people_write_them(written: str) -> None:
    problems: list[Problem] = []
    found = read_fields({"x": Field(kind="time", label="X")}, {"x": written}, problems)
    assert not problems
    assert found["x"].isoformat() == "2026-12-31T07:30:00+00:00"


@pytest.mark.parametrize(
    ("texts", "mark"),
    [(["1.500", "12,5"], ","), (["1.500", "12.5"], "."), (["1.500"], ""), (["12,5", "12.5"], ""), (["0,5"], ",")],
)
def test_the_mark_of_decimals_shows_in_the_other_numbers(texts: list[str], mark: str) -> None:
    assert decimal_mark(texts) == mark


def test_numbers_with_two_readings_follow_the_rest_of_the_file() -> None:
    sheet = read_one(gross_weight_kg="19.500", net_weight_kg="18.000,5", quantity="18.000", packages="9,5")
    assert (line(sheet)["gross_weight_kg"], line(sheet)["quantity"]) == (19500.0, 18000.0)
    alone = read_one(gross_weight_kg="19.500", quantity="18.000")
    assert line(alone)["gross_weight_kg"] == "19.500", "nothing says what is meant"


def test_weights_with_their_unit() -> None:
    sheet = read_one(gross_weight_kg="19,5 tấn", net_weight_kg="18000 kg", quantity="18 tấn")
    assert (line(sheet)["gross_weight_kg"], line(sheet)["net_weight_kg"]) == (19500.0, "18000")
    assert line(sheet)["quantity"] == "18 tấn", "a quantity has its own unit"


@pytest.mark.parametrize("goods", list(GoodsClass))
def test_classes_are_known_by_their_names_with_and_without_accents(goods: GoodsClass) -> None:
    for text in load_catalogues().values():
        label = text.gettext(goods.label)
        for written in (label, label.upper(), plain_value(label)):
            assert choice_of("goods_class")[plain_value(written)] == goods


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("goods_class", "trai cay tuoi", "fresh_fruit"),
        ("goods_class", "Thủy sản", "seafood"),
        ("refrigerated", "Có", "yes"),
        ("refrigerated", "khong", "no"),
        ("unit", "KGS", "kg"),
        ("regime", "TẠM NHẬP TÁI XUẤT", "temporary_import_reexport"),
        ("driver_paper", "Căn cước", "id_card"),
        ("container", "40HC", "40"),
        ("container", "1x40'", "40"),
        ("container", "Cont 20 lạnh", "20"),
        ("container", "45' HQ", "45"),
        ("regime", "TNTX", "temporary_import_reexport"),
        ("regime", "Xuất", "export"),
        ("driver_paper", "Thẻ CCCD", "id_card"),
        ("health_symptoms", "Bình thường", "none"),
        ("goods_class", "Gỗ xẻ", "timber"),
        ("goods_class", "水果", "fresh_fruit"),
        ("packaging", "Thùng xốp", "carton"),
        ("hs_code", "0810-90-10", "0810-90-10"),
        ("gate_id", "CỬA KHẨU HỮU NGHỊ", "huu-nghi"),
    ],
)
def test_words_of_offices(name: str, written: str, value: str) -> None:
    sheet = read_one(**{name: written})
    assert {**sheet.written, **line(sheet)}[name] == value


# Tables


@pytest.mark.parametrize("headings", [VI, EN, list(COLUMNS), [f"{vi}\n{en}" for vi, en in zip(VI, EN, strict=True)]])
def test_headings_in_any_language_under_titles_on_a_later_sheet(headings: list[str]) -> None:
    def fill(page: Worksheet) -> None:
        page.append(["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"])
        page.append([])
        page.append(["Danh sách xe, biển số, hàng hóa", None, "Ngày 1/3/2026"])
        page.append(["STT", *headings])
        page.append([f"({number})" for number in range(1, len(headings) + 2)])
        page.append([1, *row()])
        page.append([2, *row(reference="2", plate="29C-200.00", trailer_plate="")])
        page.append([None, "Tổng cộng", *[None] * 20, 39000])

    found = read(book(fill, cover=True))
    assert [sheet.rows for sheet in found.sheets] == [(6,), (7,)]
    assert found.sheets[0].written["regime"] == "export"
    assert (found.unread, found.passed_over) == ((), (8,))


def test_headings_again_on_each_printed_page_are_passed_over() -> None:
    def fill(page: Worksheet) -> None:
        for number in ("1", "2"):
            page.append(VI)
            page.append(row(reference=number, plate=f"29C-20{number}.00"))

    assert [sheet.rows for sheet in read(book(fill)).sheets] == [(2,), (4,)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
@pytest.mark.parametrize("start", ["", "sep=;\r\n", "SEP=;\r\n", '"sep=;"\r\n'])
def test_csv_with_its_separator_said(encoding: str, start: str) -> None:
    table = "Biê\u0309n sô\u0301;Ma\u0303 HS;Tên ha\u0300ng\r\n29C-123.45;0810.90;Thanh long, tươi\r\n"
    content = (start + (table if encoding == "cp1258" else unicodedata.normalize("NFC", table))).encode(encoding)
    (sheet,) = read(content).sheets
    assert sheet.written["plate"] == "29C-123.45"
    assert line(sheet)["description"] == "Thanh long, tươi"
    assert sheet.rows == (2 + bool(start),)


def test_a_separator_that_is_said_and_not_there_is_looked_for() -> None:
    (sheet,) = read("sep=;\r\nBiển số,Mã HS,Tên hàng\r\n29C-123.45,0810.90,Thanh long\r\n".encode()).sheets
    assert (sheet.written["plate"], line(sheet)["description"]) == ("29C-123.45", "Thanh long")


def test_chinese_csv_of_an_older_program() -> None:
    content = "车牌,HS编码,货物名称\r\n桂F·A1234,0810.90,火龙果\r\n".encode("gb18030")
    (sheet,) = read(content).sheets
    assert (sheet.written["plate"], line(sheet)["description"]) == ("桂F·A1234", "火龙果")


def test_weights_in_another_unit_are_not_taken_for_kilograms() -> None:
    def fill(page: Worksheet) -> None:
        page.append(["Biển số", "Mã HS", "Tên hàng", "Trọng lượng cả bì (tấn)"])
        page.append(["29C-123.45", "0810.90", "Thanh long", 19.5])

    found = read(book(fill))
    assert "gross_weight_kg" not in line(found.sheets[0])
    assert found.unread == ("Trọng lượng cả bì (tấn)",)


def test_an_old_excel_file_is_named_as_such() -> None:
    with pytest.raises(MalformedError, match="xls"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100)


# What is asked


def with_hidden(page: Worksheet) -> None:
    page.append(VI)
    page.append(row())
    page.append(row(reference="2", plate="29C-200.00"))
    page.row_dimensions[3].hidden = True
    page.column_dimensions[get_column_letter(COLUMNS.index("payload_kg") + 1)].hidden = True


def test_hidden_rows_and_columns_are_asked_about() -> None:
    hidden_name = "payload_kg"
    asked = read(book(with_hidden))
    assert [(question["kind"], question["places"]) for question in asked.questions] == [
        ("hidden_rows", ["3"]),
        ("hidden_columns", [hidden_name]),
    ]
    skipped = read(book(with_hidden), Answers(hidden="skip"))
    assert [sheet.rows for sheet in skipped.sheets] == [(2,)]
    assert hidden_name not in {**skipped.sheets[0].written, **line(skipped.sheets[0])}
    taken = read(book(with_hidden), Answers(hidden="take"))
    assert (len(taken.sheets), taken.questions) == (2, [])
    assert hidden_name in {**taken.sheets[0].written, **line(taken.sheets[0])}


def test_rows_that_a_filter_leaves_out_are_hidden_too() -> None:
    def fill(page: Worksheet) -> None:
        page.append(VI)
        page.append(row())
        page.append(row(reference="2", plate="29C-200.00"))
        page.auto_filter.ref = "A1:D3"
        page.row_dimensions[2].hidden = True

    assert [question["places"] for question in read(book(fill)).questions] == [["2"]]


def test_what_is_there_twice_is_asked_about() -> None:
    def fill(page: Worksheet) -> None:
        page.append(VI)
        page.append(row())
        page.append(row())  # the same line of the same declaration
        page.append(row(reference="2", plate="29C-200.00"))
        page.append(row(reference="3", plate="29C-200.00"))  # the same declaration under another reference
        page.append(row(reference="4", plate="29C-300.00"))

    content = book(fill)
    (question,) = read(content).questions
    assert (question["kind"], question["places"]) == ("doubles", ["3 = 2", "5 = 4"])
    once = read(content, Answers(doubles="once"))
    assert [sheet.rows for sheet in once.sheets] == [(2,), (4,), (6,)]
    each = read(content, Answers(doubles="each"))
    assert [sheet.rows for sheet in each.sheets] == [(2, 3), (4,), (5,), (6,)]
    assert (once.questions, each.questions) == ([], [])


# Files to fill in


@pytest.mark.parametrize("language", ["vi", "en", "zh"])
def test_the_template_has_headings_lists_and_notes(language: str) -> None:
    content = make_template(language, {"huu-nghi": "Hữu Nghị"})
    made = load_workbook(io.BytesIO(content))
    page = made.worksheets[0]
    assert [cell.value for cell in page[1]] == [label_of(name, language) for name in COLUMNS]
    place = COLUMNS.index("goods_class") + 1
    letter = page.cell(1, place).column_letter
    (validation,) = [
        validation for validation in page.data_validations.dataValidation if f"{letter}2:" in str(validation.sqref)
    ]
    _, _, reference = str(validation.formula1).partition("!")
    listed = [cells[0].value for cells in made["lists"][reference.replace("$", "")]]
    assert listed == [load_catalogues()[language].gettext(goods.label) for goods in GoodsClass]
    assert made["lists"].sheet_state == "hidden"
    assert page.cell(1, COLUMNS.index("hs_code") + 1).comment is not None
    (sheet,) = read(content).sheets
    values = {**sheet.written, **line(sheet)}
    expected = {name: value for name, value in EXAMPLE.items() if name != "reference"}
    assert {name: values[name] for name in expected} == expected
    assert read(content).questions == []


def test_refused_rows_come_back_as_they_were_with_the_reason() -> None:
    written = {"plate": "29C-1", "driver_name": "=1+1", "lines": [{"hs_code": "81"}, {"description": "Xoài"}]}
    problem = {"field": "lines.2.hs_code", "message": "Describe the goods.", "values": {}}
    content = make_corrections([RefusedRow(7, 3, "", written, [problem])], "vi")  # type: ignore[list-item]
    page = load_workbook(io.BytesIO(content)).worksheets[0]
    assert "Mã HS" in str(page.cell(2, 1).value)
    assert page.cell(3, COLUMNS.index("hs_code") + 3).fill.fgColor.rgb == "00FFC7CE"
    (sheet,) = read(content).sheets
    assert (sheet.corrects, sheet.rows) == ((7, 3), (2, 3))
    assert sheet.written["driver_name"] == "=1+1"
    assert [dict(written) for written in sheet.written["lines"]] == written["lines"]  # type: ignore[attr-defined]
