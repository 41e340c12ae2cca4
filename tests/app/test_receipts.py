"""Receipts: numbers without gaps, the PDF read back by another library, amounts in words."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader
from sqlalchemy import text

from app.fees import payment_store, service
from app.fees.amount_in_words import dong_in_words
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def read(pdf: bytes) -> str:
    pages = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return unicodedata.normalize("NFC", " ".join(pages.split()))


def test_a_receipt_says_what_was_paid_for_which_trip(counter: Counter) -> None:
    fee = counter.due()
    (payment,) = counter.act(fee["trip_id"], "cash", amount_vnd=100_000).json()["payments"]
    where = f"/api/v1/payments/{payment['payment_id']}/receipt"
    answer = counter.enterprise.get(where)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == counter.cashier.get(where).content
    said = read(answer.content)
    for expected in (
        "BIÊN LAI THU PHÍ",
        "Số: QLCK-HUUNGHI-2026-0000001",
        "29C-123.45",
        fee["trip_code"],
        fee["reference"],
        "Nông sản Lạng Sơn",
        "Tiền mặt",
        "Nông sản tươi xuất khẩu, xe dưới 2 tấn",
        "100.000 đ",
        "Một trăm nghìn đồng",
        "10:00 02/03/2026",
        "Trung tâm Quản lý cửa khẩu",
    ):
        assert expected in said, (expected, said)
    fonts = PdfReader(io.BytesIO(answer.content)).pages[0]["/Resources"]["/Font"].get_object()  # type: ignore[index]
    assert all("BeVietnamPro" in str(font.get_object()["/BaseFont"]) for font in fonts.values())
    assert counter.tax.get(where).status_code == 404
    assert counter.sign_in("enterprise", organisation_id=None).get(where).status_code == 404


def test_a_chinese_plate_is_printed(counter: Counter) -> None:
    fee = counter.due("桂F·A1234", regime="import", is_ready=False, amount_vnd=4_000_000)
    (payment,) = counter.act(fee["trip_id"], "cash", amount_vnd=4_000_000).json()["payments"]
    said = read(counter.cashier.get(f"/api/v1/payments/{payment['payment_id']}/receipt").content)
    assert "桂" in said
    assert "Bốn triệu đồng" in said


def test_a_receipt_stays_when_the_load_changes_after_it_was_paid(counter: Counter) -> None:
    fee = counter.due()
    (payment,) = counter.act(fee["trip_id"], "cash", amount_vnd=100_000).json()["payments"]
    with counter.runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.trip SET goods_class = 'textiles'"))
        service.open_fee(ActionContext(session, None, counter.runtime.clock.now()), counter.sheets, fee["trip_id"])
    assert counter.fee(fee["trip_id"])["amount_vnd"] is None
    answer = counter.cashier.get(f"/api/v1/payments/{payment['payment_id']}/receipt")
    assert answer.status_code == 200, answer.text
    assert "Số tiền của biên lai này 100.000 đ" in read(answer.content)
    assert "Số phí phải nộp" not in read(answer.content)


def test_there_is_no_receipt_before_the_money_is_confirmed(counter: Counter) -> None:
    paid = counter.pay(100_000, counter.due()["reference"])
    assert counter.cashier.get(f"/api/v1/payments/{paid['payment_id']}/receipt").status_code == 404


def test_numbers_have_no_gap_whatever_fails_or_runs_at_once(counter: Counter) -> None:
    fees = [counter.due(f"29C-{number}00.00") for number in range(1, 7)]
    with counter.runtime.sessions() as session:
        payment_store.next_receipt(session, "QLCK-HUUNGHI-2026", "gate_management", "huu-nghi")
        session.rollback()

    def take(fee: dict[str, object]) -> int:
        answer = counter.act(int(str(fee["trip_id"])), "cash", amount_vnd=100_000)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["payments"][0]["receipt_number"])

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(take, fees)) == [1, 2, 3, 4, 5, 6]


def test_each_office_has_its_own_series(counter: Counter) -> None:
    own = counter.due()
    other = counter.trip("29C-222.22", regime="transit", direction="export")
    counter.act(other, "decision", counter.tax, amount_vnd=500_000, reason="Theo biểu phí")
    first = counter.act(own["trip_id"], "cash", amount_vnd=100_000).json()["payments"][0]
    second = counter.act(other, "cash", counter.tax, amount_vnd=500_000).json()["payments"][0]
    assert [(payment["receipt_series"], payment["receipt_number"]) for payment in (first, second)] == [
        ("QLCK-HUUNGHI-2026", 1),
        ("THUE-HUUNGHI-2026", 1),
    ]


@pytest.mark.parametrize(
    ("amount_vnd", "words"),
    [
        (0, "Không đồng"),
        (15, "Mười lăm đồng"),
        (21, "Hai mươi mốt đồng"),
        (24, "Hai mươi tư đồng"),
        (105, "Một trăm linh năm đồng"),
        (100_000, "Một trăm nghìn đồng"),
        (1_005_000, "Một triệu không trăm linh năm nghìn đồng"),
        (4_000_000, "Bốn triệu đồng"),
        (5_250_011, "Năm triệu hai trăm năm mươi nghìn không trăm mười một đồng"),
        (2_000_000_000, "Hai tỷ đồng"),
        (1_000_000_000_000, "Một nghìn tỷ đồng"),
    ],
)
def test_amounts_in_words(amount_vnd: int, words: str) -> None:
    assert dong_in_words(amount_vnd) == words
