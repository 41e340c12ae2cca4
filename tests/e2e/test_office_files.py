"""An office's own list of trucks: what it leaves open is asked, the work is seen, rows are mended, all declared."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from openpyxl import Workbook
from playwright.sync_api import Page, expect

from app.declarations.corrections import EXAMPLE
from app.declarations.import_columns import COLUMNS, label_of
from tests.e2e.conftest import Platform, SignedIn
from tests.e2e.fresh import fresh_plate

TRUCKS = 180


def office_list(now: datetime) -> bytes:
    """A workbook with a cover, titles, a hidden row, a double one, lost zeros and a wrong weight."""
    book = Workbook()
    book.worksheets[0].append(["CÔNG TY TNHH NÔNG SẢN XỨ LẠNG"])
    page = book.create_sheet("Danh sách xe")
    page.append(["DANH SÁCH XE CHỜ XUẤT KHẨU"])
    page.append([])
    page.append(["STT", *(label_of(name, "vi") for name in COLUMNS)])
    arrival = (now + timedelta(hours=9)).strftime("%d/%m/%Y %H:%M")
    for number in range(1, TRUCKS + 1):
        own = {
            "reference": number,
            "plate": fresh_plate(),
            "trailer_plate": "",
            "planned_arrival": arrival,
            "goods_class": "Hoa quả tươi",
            "hs_code": 810.9,
            "driver_phone": 912345678,
            "net_weight_kg": 99000 if number == 2 else 18000,
        }
        page.append([number, *({**EXAMPLE, **own}.get(name) for name in COLUMNS)])
    page.append([page.cell(page.max_row, column).value for column in range(1, len(COLUMNS) + 2)])
    page.row_dimensions[10].hidden = True
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def send_list(page: Page, platform: Platform) -> None:
    """Send the office's list in, as its clerk does."""
    at = httpx.get(f"{platform.url}/healthz").headers.get("date")
    now = datetime.now(UTC) if at is None else datetime.strptime(at, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    page.goto(f"{platform.url}/declarations/import")
    file = {"name": "xe chờ.xlsx", "mimeType": "application/octet-stream", "buffer": office_list(now)}
    page.set_input_files("#file", files=[file])  # type: ignore[list-item]
    page.locator("form.de-form button[type=submit]").click()


@pytest.mark.long
@pytest.mark.one_at_a_time("bills")  # of the enterprise, whose page has the newest 200
def test_an_offices_list_is_asked_about_mended_and_declared(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("enterprise", at=None)
    send_list(page, platform)
    questions = page.get_by_test_id("questions")
    expect(questions).to_contain_text("10")
    questions.locator("[name=hidden][value=skip]").check()
    questions.locator("[name=doubles][value=once]").check()
    questions.locator("button[type=submit]").click()
    expect(page.get_by_test_id("import-rows")).to_be_visible(timeout=120_000)
    refused = page.locator(".de-filters a[href$='state=refused']")
    expect(refused).to_contain_text("(1)")
    refused.click()
    row = page.get_by_test_id("import-rows").locator("tbody tr")
    expect(row).to_have_count(1)
    row.locator("a.btn").click()
    page.locator("[name='lines.1.net_weight_kg']").fill("17500")
    page.get_by_test_id("check-row").click()
    expect(page.get_by_test_id("import-counts")).to_contain_text(str(TRUCKS - 1))
    page.locator("button[name=which][value=fine]").click()
    made = page.locator(".de-filters a[href$='state=made']")
    expect(made).to_contain_text(f"({TRUCKS - 1})", timeout=180_000)
