"""Bank statements as banks give them: titles, dates, amounts and encodings; what is known is known again."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook

from app.fees import statement_file
from app.fees.bank_values import read_amount, read_cell_time, read_number, read_time
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import InvalidInputError, MalformedError
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]

TITLES = (
    "NGÂN HÀNG TMCP NGOẠI THƯƠNG VIỆT NAM,,,,\n"
    "Sao kê tài khoản, từ 01/03/2026, đến 02/03/2026,,\n"
    'Số dư đầu kỳ:,,"1,000,000",,\n'
    ",,,,\n"
)
HEAD = (
    "STT,Ngày giao dịch / Transaction date,Số tham chiếu,Số tiền ghi có (VND) / Credit,"
    "Nội dung chi tiết / Description\n"
)


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


# Values


@pytest.mark.parametrize(
    ("written", "amount_vnd"),
    [
        ("100,000.00", 100_000),
        ("100.000,00", 100_000),
        ("4.000.000,0", 4_000_000),
        ("1,000,000.00 VND", 1_000_000),
        ("100000.00", 100_000),
        ("100000,00", 100_000),
        ("0,00", 0),
        ("+4.000.000", 4_000_000),
        ("100,000.00 CR", 100_000),
        ("100.000,00C", 100_000),
        ("1'000'000", 1_000_000),
        ("100.000 đồng", 100_000),
    ],
)
def test_decimals_that_are_nothing_are_read(written: str, amount_vnd: int) -> None:
    assert read_amount(written) == amount_vnd


@pytest.mark.parametrize(
    "written", ["100,000.50", "4,00", "1.234,5", "1,00.000", "1,000,00", "100.000.00", "--5", "1e5"]
)
def test_decimals_that_are_something_are_refused(written: str) -> None:
    with pytest.raises(InvalidInputError):
        read_amount(written)


@pytest.mark.parametrize(("value", "amount_vnd"), [(5, 5), (100000.0, 100_000), ("4.000", 4000), (-7, -7), ("-7", -7)])
def test_numbers_of_json_and_sheets(value: object, amount_vnd: int) -> None:
    assert read_number(value) == amount_vnd


@pytest.mark.parametrize("value", [1.5, True, None, float("inf"), float("nan"), 10**13, [], "1,5"])
def test_numbers_that_are_no_amounts(value: object) -> None:
    with pytest.raises(InvalidInputError):
        read_number(value)


@pytest.mark.parametrize(
    ("written", "expected", "has_time"),
    [
        ("02/03/2026", "2026-03-02T00:00:00+07:00", False),
        ("2/3/2026", "2026-03-02T00:00:00+07:00", False),
        ("02-03-2026 10:05", "2026-03-02T10:05:00+07:00", True),
        ("02/03/2026\n10:05:07", "2026-03-02T10:05:07+07:00", True),
        ("10:05:07 02/03/2026", "2026-03-02T10:05:07+07:00", True),
        ("2026-03-02", "2026-03-02T00:00:00+07:00", False),
        ("2026-03-02 10:05:07", "2026-03-02T10:05:07+07:00", True),
        ("2026-03-02T10:05:07", "2026-03-02T10:05:07+07:00", True),
        ("2026-03-02T03:05:07Z", "2026-03-02T10:05:07+07:00", True),
        ("02.03.2026", "2026-03-02T00:00:00+07:00", False),
    ],
)
def test_times_with_and_without_a_clock(written: str, expected: str, has_time: bool) -> None:
    found = read_time(written)
    assert (found.moment, found.has_time) == (datetime.fromisoformat(expected), has_time)


@pytest.mark.parametrize("written", ["", "mai", "32/03/2026", "02/13/2026", "1/1/1970", "10:05"])
def test_what_is_no_time(written: str) -> None:
    with pytest.raises(InvalidInputError):
        read_time(written)


def test_times_of_spreadsheets() -> None:
    assert read_cell_time(datetime(2026, 3, 2)).has_time is False  # noqa: DTZ001 - as openpyxl gives it
    assert read_cell_time(datetime(2026, 3, 2, 10, 5)).moment.isoformat() == "2026-03-02T10:05:00+07:00"  # noqa: DTZ001
    assert read_cell_time(date(2026, 3, 2)).moment.isoformat() == "2026-03-02T00:00:00+07:00"
    assert read_cell_time(46083).moment.isoformat() == "2026-03-02T00:00:00+07:00"
    assert read_cell_time(46083.5).moment.isoformat() == "2026-03-02T12:00:00+07:00"
    assert read_cell_time("02/03/2026").has_time is False


# Files


def cells(content: bytes) -> list[tuple[str, ...]]:
    rows = statement_file.read_rows(content)
    return [tuple(row.text(name) for name in ("bank_ref", "received_at", "amount_vnd", "content")) for row in rows]


@pytest.mark.parametrize(
    ("head", "came", "went"),
    [
        ("Số tiền,Debit/Credit", "100000,C", "50000,D"),
        ("Số tiền GD,Dr/Cr", "100000,Cr", "50000,DR."),
        ("Số tiền,Nợ/Có", "100000,Có", "50000,Nợ"),
        ("Số tiền,Loại giao dịch", "100000,Ghi có", "50000,Ghi nợ"),
        ("Amount,Type", "100000,Credit", "50000,Debit"),
        ("Số tiền,Chiều giao dịch", "100000,Tiền vào", "50000,Tiền ra"),
        ("Số tiền,Loại giao dịch", "100000,Chuyển khoản", "-50000,Chuyển khoản"),
        ("Amount,Reference", "+100000,F1", "(50000),F2"),
        ("Amount,Reference", "100000,F1", "50000-,F2"),
        ("Amount,Reference", "100000 CR,F1", "50000 DR,F2"),
        ("Amount,Reference", "100000,F1", "\u221250000,F2"),
        ("Ghi nợ / Debit,Ghi có / Credit", ",100000", "50000,"),
    ],
)
def test_what_went_out_is_no_money_that_came(head: str, came: str, went: str) -> None:
    text = f"Ngày,Nội dung,{head}\n02/03/2026,CKS nộp phí,{came}\n02/03/2026,trả tiền,{went}\n"
    first, second = statement_file.read_rows(text.encode())
    assert (first.is_outgoing, read_amount(first.text("amount_vnd"))) == (False, 100_000)
    assert second.is_outgoing or not second.text("amount_vnd")


def test_another_currency_is_not_taken_for_dong() -> None:
    text = "Ngày,Nội dung,Số tiền,Loại tiền\n02/03/2026,a,100,USD\n02/03/2026,b,100000,VNĐ\n02/03/2026,c,5,\n"
    assert [row.other_currency for row in statement_file.read_rows(text.encode())] == ["USD", "", ""]
    for unit in ("USD", "nghìn đồng", "triệu đồng", "1.000 đ"):
        with pytest.raises(MalformedError, match="amount_vnd"):
            statement_file.read_rows(f"Ngày,Nội dung,Số tiền ({unit})\n02/03/2026,a,100\n".encode())


LINE = '1,02/03/2026,FT1,"100,000.00",CKS nộp phí\n'
READ = [("FT1", "02/03/2026", "100,000.00", "CKS nộp phí")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
@pytest.mark.parametrize("titles", ["", TITLES])
def test_titles_and_encodings(titles: str, encoding: str) -> None:
    import unicodedata

    text = titles + HEAD + LINE + ',,,"100,000.00",\nNgười lập biểu,,,,\n'
    if encoding == "cp1258":  # Windows' Vietnamese writes most tones as marks of their own
        text = "".join(
            part
            for character in text
            for part in (
                character
                if _fits(character, encoding)
                else unicodedata.normalize("NFC", unicodedata.normalize("NFD", character)[:-1])
                + unicodedata.normalize("NFD", character)[-1]
                if _fits(unicodedata.normalize("NFD", character)[-1], encoding)
                else character
            )
        )
    assert cells(text.encode(encoding, "replace" if encoding == "cp1258" else "strict"))[0][:3] == READ[0][:3]


def _fits(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters_and_the_line_that_names_one(delimiter: str) -> None:
    text = f"Sao kê, tháng 3, năm 2026\nMã GD{delimiter}Ngày GD{delimiter}Ghi có{delimiter}Diễn giải\n"
    line = delimiter.join(["A", "02/03/2026", "5.000", "x, y"])
    expected = [("A", "02/03/2026", "5.000", "x, y")]
    assert cells((text + line).encode()) == expected
    if delimiter == ";":
        assert cells(("sep=;\n" + text + line).encode()) == expected


def workbook(*rows: list[object], first: list[list[object]] | None = None) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in first or []:
        page.append(row)
    if first is not None:
        page = book.create_sheet("GD")
    for row in rows:
        page.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_xlsx_with_titles_dates_and_numbers() -> None:
    content = workbook(
        ["SAO KÊ TÀI KHOẢN"],
        [],
        ["Ngày hạch toán", "Số CT", "Phát sinh nợ", "Phát sinh có", "Nội dung giao dịch"],
        [datetime(2026, 3, 2, 10, 5), 123456, None, 100000, "CKS"],  # noqa: DTZ001
        ["02/03/2026", "FT2", 50000, None, "chi"],
        ["Tổng cộng", None, 50000, 100000, None],
        first=[["Bìa"], ["Ngân hàng"]],
    )
    rows = statement_file.read_rows(content)
    assert [row.number for row in rows] == [4, 5]
    assert [row.text("bank_ref") for row in rows] == ["123456", "FT2"]
    assert rows[0].cells["amount_vnd"] == 100000
    assert rows[1].text("amount_vnd") == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x01", b"PK\x03\x04broken", b"a,b,c\n1,2,3\n", "Ngày GD;Ghi có\n1;2".encode(), b"\x81\x8d" * 9],
)
def test_what_is_no_statement(content: bytes) -> None:
    with pytest.raises(MalformedError):
        statement_file.read_rows(content)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MalformedError) as caught:
        statement_file.read_rows("Ngày GD;Diễn giải\n02/03/2026;x".encode())
    assert caught.value.values["column"] == "amount_vnd"


# At the counter


def xlsx_of(*lines: tuple[object, str, object, str]) -> bytes:
    return workbook(["Sao kê"], ["Ngày giao dịch", "Mã giao dịch", "Ghi có", "Nội dung"], *map(list, lines))


def test_a_row_known_from_a_webhook_is_the_same_payment_with_and_without_its_reference(counter: Counter) -> None:
    fee = counter.due()
    report = counter.transfer(100_000, fee["reference"])
    counter.post(report)
    day = datetime(2026, 3, 2)  # noqa: DTZ001 - a cell
    assert counter.statement(xlsx_of((day, "", 100000, fee["reference"]))) == ["repeat"]
    assert counter.statement(xlsx_of((day, "OTHER-NAME", 100000, f"TT {fee['reference']}"))) == ["repeat"]
    assert counter.statement(xlsx_of((day, report["bank_ref"], 100000, "x"))) == ["repeat"]
    assert counter.money() == [(100_000, 100_000, 1)]


def test_a_webhook_after_the_statement_is_the_same_payment_too_and_brings_its_time(counter: Counter) -> None:
    fee = counter.due()
    day = datetime(2026, 3, 2)  # noqa: DTZ001 - a cell
    assert counter.statement(xlsx_of((day, "FT9", "100.000,00", fee["reference"]))) == ["matched"]
    report = counter.transfer(100_000, f"QR {fee['reference']}")
    assert counter.post(report).json()["repeated"] is True
    (payment,) = counter.fee(fee["trip_id"])["payments"]
    assert datetime.fromisoformat(payment["received_at"]) == counter.runtime.clock.now()
    assert counter.post(report).json()["repeated"] is True
    assert counter.money() == [(100_000, 100_000, 1)]


def test_two_real_transfers_of_one_kind_stay_two(counter: Counter) -> None:
    fee = counter.due()
    counter.post(counter.transfer(100_000, fee["reference"]))
    day = datetime(2026, 3, 2)  # noqa: DTZ001 - a cell
    twice = xlsx_of((day, "S1", 100000, fee["reference"]), (day, "S2", 100000, fee["reference"]))
    assert counter.statement(twice) == ["repeat", "double"]
    assert counter.statement(twice) == ["repeat", "repeat"]
    without_names = xlsx_of((day, "", 100000, fee["reference"]), (day, "", 100000, fee["reference"]))
    assert counter.statement(without_names) == ["repeat", "repeat"]
    assert counter.statement(without_names) == ["repeat", "repeat"]
    assert len(counter.money()) == 2


def test_the_row_whose_name_is_known_comes_first(counter: Counter) -> None:
    fee = counter.due()
    report = counter.transfer(100_000, fee["reference"])
    counter.post(report)
    day = datetime(2026, 3, 2)  # noqa: DTZ001 - a cell
    rows = xlsx_of((day, "NEW", 100000, fee["reference"]), (day, report["bank_ref"], 100000, fee["reference"]))
    assert counter.statement(rows) == ["double", "repeat"]
    assert len(counter.money()) == 2


def test_another_time_amount_day_or_content_is_another_transfer(counter: Counter) -> None:
    fee = counter.due()
    counter.post(counter.transfer(100_000, fee["reference"]))
    now = counter.runtime.clock.now()
    later = (now + timedelta(hours=3)).isoformat()
    near = (now + timedelta(minutes=4)).isoformat()
    head = "Mã giao dịch;Thời gian;Ghi có;Nội dung\n"
    assert counter.statement(f"{head}A;{near};100.000;{fee['reference']}".encode()) == ["repeat"]
    assert counter.statement(f"{head}B;{later};100.000;{fee['reference']}".encode()) == ["double"]
    assert counter.statement(f"{head}C;{near};100.001;{fee['reference']}".encode()) == ["double"]
    assert counter.statement(f"{head}D;01/03/2026;100.000;{fee['reference']}".encode()) == ["double"]
    assert counter.statement(f"{head}E;{near};100.000;tien hang".encode()) == ["unmatched"]
    assert counter.statement(f"{head}A;{near};99.999;{fee['reference']}".encode()) == ["error"]


def test_a_bad_row_is_named_and_loses_nothing_else(counter: Counter) -> None:
    fee = counter.due()
    lines = [
        '1,02/03/2026,F1,"100,000.50",x',
        '2,31/02/2026,F2,"5,000",y',
        f'3,02/03/2026,F3,"100,000.00",{fee["reference"]}',
        '4,03/04/2026,F4,"1,000",z',
        "5,02/03/2026,F5,,chi",
    ]
    text = TITLES + HEAD + "\n".join(lines)
    answer = counter.cashier.post("/api/v1/payments/statements", content=text.encode("utf-8-sig")).json()
    assert [row["result"] for row in answer["rows"]] == ["error", "error", "matched", "error", "outgoing"]
    assert [row["row"] for row in answer["rows"]] == [6, 7, 8, 9, 10]
    assert "100,000.50" in answer["rows"][0]["message"]
    assert "31/02/2026" in answer["rows"][1]["message"]
