"""Receipts as PDF, in Vietnamese: series and number, who paid what for which trip, and how the amount came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.fees import payment_store
from app.fees.amount_in_words import dong_in_words
from app.fees.payment_store import Receipt
from app.fees.records import LineRecord
from app.platform.permissions import Principal
from app.procedures.steps import Step
from app.trips.scope import visible_trips
from geo.clock import LOCAL_ZONE
from geo.errors import NotFoundError
from ingest.plates import display_plate

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = Path(__file__).with_name("fonts")
OFFICES = {"gate_management": "Trung tâm Quản lý cửa khẩu", "tax": "Cơ quan thuế"}
METHODS = {"cash": "Tiền mặt", "transfer": "Chuyển khoản"}
REGIMES = {
    "export": "Xuất khẩu",
    "import": "Nhập khẩu",
    "temporary_import_reexport": "Tạm nhập tái xuất",
    "temporary_export_reimport": "Tạm xuất tái nhập",
    "border_transfer": "Chuyển khẩu",
    "transit": "Quá cảnh",
}
TITLE = "BIÊN LAI THU PHÍ"
SUBTITLE = "Phí sử dụng công trình kết cấu hạ tầng, công trình dịch vụ, tiện ích công cộng trong khu vực cửa khẩu"
A5_MM = (148.0, 210.0)
SIMULATED = "DỮ LIỆU MÔ PHỎNG – KHÔNG CÓ GIÁ TRỊ THANH TOÁN"
NOTE = "Bản in từ hệ thống; mẫu biên lai chính thức do cơ quan thu quy định."


def receipt_pdf(
    session: Session, principal: Principal, payment_id: int, *, gate_names: Mapping[str, str]
) -> tuple[str, bytes]:
    """The receipt of a confirmed payment: file name and PDF; the same again at any time.

    Raises
    ------
    NotFoundError
        If there is no such payment for the caller, or it is not confirmed.
    """
    receipt = payment_store.find_receipt(session, payment_id, _visible(principal))
    if receipt is None:
        raise NotFoundError("There is no receipt of payment {payment_id} that you may see.", payment_id=payment_id)
    payment = receipt.payment
    number = f"{payment.receipt_series}-{payment.receipt_number:07d}"
    return f"{number}.pdf", draw(receipt, number, gate_names.get(payment.gate_id, payment.gate_id))


def draw(receipt: Receipt, number: str, gate: str) -> bytes:
    """The receipt as PDF, A5; `number` is its series and number, `gate` the name of its gate."""
    from fpdf import FPDF  # noqa: PLC0415 - half a second of the start of the web part

    payment, fee = receipt.payment, receipt.fee
    assert payment.confirmed_at is not None
    pdf = FPDF(format=A5_MM)
    pdf.set_creation_date(payment.confirmed_at)
    pdf.set_title(f"{TITLE} {number}")
    pdf.set_lang("vi")
    pdf.add_font("vn", "", FONTS / "BeVietnamPro-Regular.ttf")
    pdf.add_font("vn", "B", FONTS / "BeVietnamPro-SemiBold.ttf")
    pdf.add_font("plates", "", FONTS / "NotoSansSC-plates.ttf")
    pdf.set_fallback_fonts(["plates"], exact_match=False)
    pdf.set_margin(12)
    pdf.add_page()
    _line(pdf, OFFICES[payment.collector], size=9, bold=True)
    _line(pdf, gate, size=9)
    pdf.ln(3)
    _line(pdf, TITLE, size=15, bold=True, align="C")
    _line(pdf, SUBTITLE, size=8, align="C")
    _line(pdf, f"Số: {number}", size=10, bold=True, align="C")
    if receipt.simulated:
        _line(pdf, SIMULATED, size=8, bold=True, align="C")
    pdf.ln(3)
    for label, value in _facts(receipt):
        _pair(pdf, label, value)
    pdf.ln(2)
    _line(pdf, "Cách tính", size=9, bold=True)
    for text, amount in _derivation(fee.derivation):
        _amount(pdf, text, amount)
    pdf.ln(1)
    if fee.amount_vnd is not None:  # the load changed after it was paid, and a collector was not asked yet
        _amount(pdf, "Số phí phải nộp", dong(fee.amount_vnd), bold=True)
    _amount(pdf, "Số tiền của biên lai này", dong(payment.applied_vnd), bold=True)
    _line(pdf, f"Bằng chữ: {dong_in_words(payment.applied_vnd)}.", size=9)
    if payment.refunded_vnd:
        _line(pdf, f"Đã hoàn trả: {dong(payment.refunded_vnd)}", size=9, bold=True)
    pdf.ln(4)
    _line(pdf, f"Người thu: {receipt.cashier or '–'}", size=9, align="R")
    _line(pdf, NOTE, size=7)
    return bytes(pdf.output())


def dong(amount_vnd: int) -> str:
    """An amount as Vietnam writes it: `4.000.000 đ`."""
    return f"{amount_vnd:,} đ".replace(",", ".")


def _visible(principal: Principal) -> ColumnElement[bool]:
    if principal.role in Step.FEE.spec.roles:
        return payment_store.own_payments(principal, "fees.read")
    return visible_trips(principal, "fees.read")


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    payment = receipt.payment
    assert payment.confirmed_at is not None
    return [
        ("Ngày thu", _time(payment.confirmed_at)),
        ("Người nộp", receipt.organisation + (f" (người chuyển: {payment.payer})" if payment.payer else "")),
        ("Mã chuyến", receipt.trip_code),
        ("Biển số xe", display_plate(receipt.plate)),
        ("Loại hình", REGIMES.get(receipt.regime, receipt.regime)),
        ("Hình thức nộp", METHODS[payment.method] + (f", mã {payment.bank_ref}" if payment.bank_ref else "")),
        ("Mã nộp phí", receipt.fee.reference),
    ]


def _derivation(derivation: Sequence[LineRecord]) -> list[tuple[str, str]]:
    lines = []
    for line in derivation:
        text = line["label"].get("vi") or f"Làm tròn đến {dong(int(line['rule']))}"
        if line["kind"] == "compared":
            text = f"So với mức thấp hơn: {text} ({dong(line['subtotal_vnd'])})"
        if "reason" in line:
            text = f"{text}: {line['reason']}"
        lines.append((text, dong(line["amount_vnd"])))
    return lines


def _time(moment: datetime) -> str:
    return moment.astimezone(LOCAL_ZONE).strftime("%H:%M %d/%m/%Y")


def _line(pdf: FPDF, text: str, *, size: float, bold: bool = False, align: str = "L") -> None:
    pdf.set_font("vn", "B" if bold else "", size)
    pdf.multi_cell(0, size * 0.5, text, align=align, new_x="LMARGIN", new_y="NEXT")


def _pair(pdf: FPDF, label: str, value: str) -> None:
    pdf.set_font("vn", "", 9)
    pdf.cell(32, 5, label)
    pdf.set_font("vn", "B", 9)
    pdf.multi_cell(0, 5, value, new_x="LMARGIN", new_y="NEXT")


def _amount(pdf: FPDF, text: str, amount: str, *, bold: bool = False) -> None:
    pdf.set_font("vn", "B" if bold else "", 9)
    top = pdf.get_y()
    pdf.multi_cell(pdf.epw - 34, 5, text, new_x="LMARGIN", new_y="NEXT")
    bottom = pdf.get_y()
    pdf.set_xy(pdf.w - pdf.r_margin - 34, top)
    pdf.cell(34, 5, amount, align="R")
    pdf.set_xy(pdf.l_margin, bottom)
