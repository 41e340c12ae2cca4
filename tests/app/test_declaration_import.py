"""Many declarations from one file: CSV and XLSX, a result for each row, all or none or chosen rows."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from app.declarations.corrections import EXAMPLE, make_template
from app.declarations.import_columns import COLUMNS, MAX_FILE_BYTES, MAX_ROWS, in_words
from app.declarations.importing import Sheet, read_file
from app.platform.table_cells import MAX_UNPACKED_BYTES
from app.procedures import service as procedures
from geo.errors import CuaKhauError, InvalidInputError, MalformedError
from tests.app.dispatching import add_organisation

GATES = {"huu nghi": "huu-nghi"}
IMPORTS = "/api/v1/declarations/imports"


def rows(arrival: str, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**EXAMPLE, "planned_arrival": arrival, **change} for change in changes]


def as_csv(table: list[dict[str, Any]], delimiter: str = ",", headings: dict[str, str] | None = None) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow([(headings or {}).get(name, name) for name in COLUMNS])
    writer.writerows([[row.get(name, "") for name in COLUMNS] for row in table])
    return file.getvalue().encode("utf-8-sig")


def as_xlsx(table: list[dict[str, Any]]) -> bytes:
    book = Workbook()
    book.active.append(list(COLUMNS))
    for row in table:
        book.active.append([row.get(name) for name in COLUMNS])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read_sheets(content: bytes) -> list[Sheet]:
    return read_file(content, gate_names=GATES).sheets


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_by_its_own_delimiter(delimiter):
    (sheet,) = read_sheets(as_csv([EXAMPLE], delimiter))
    assert (sheet.rows, sheet.written["plate"]) == ((2,), "29C-123.45")
    assert sheet.written["lines"][0]["hs_code"] == "0810.90"


def test_the_template_reads_back_as_its_example():
    assert load_workbook(io.BytesIO(make_template())).active.max_row >= 2
    (sheet,) = read_sheets(make_template())
    assert sheet.written["customs_number"] == EXAMPLE["customs_number"]


def test_vietnamese_headings_and_words_are_understood():
    headings = {"plate": "Biển số xe", "gate_id": "Cửa khẩu", "regime": "Loại hình", "unit": "Đơn vị"}
    table = [{**EXAMPLE, "gate_id": "Hữu Nghị", "regime": "Xuất khẩu", "unit": "Tấn"}]
    (sheet,) = read_sheets(as_csv(table, headings=headings))
    assert (sheet.written["gate_id"], sheet.written["regime"]) == ("huu-nghi", "export")
    assert sheet.written["lines"][0]["unit"] == "tonne"


def test_rows_of_one_reference_or_one_plate_are_one_declaration():
    second = {"reference": "1", "hs_code": "0804.50", "description": "Xoài"}
    other = {**EXAMPLE, "reference": "", "plate": "29C-200.00"}
    more = {"hs_code": "0807.11", "description": "Dưa hấu"}
    sheets = read_sheets(as_xlsx([EXAMPLE, second, {}, other, more]))
    assert [sheet.rows for sheet in sheets] == [(2, 3), (5, 6)]
    assert [len(sheet.written["lines"]) for sheet in sheets] == [2, 2]


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (MAX_UNPACKED_BYTES + 1))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plate\n",
        b"\x00\x01\x02\x03",
        b"PK\x03\x04nonsense",
        b"a,b\n1,2\n",
        b"plate,plate\n1,2\n",
        b"\xff\xfe\x00",
        "biển số".encode("utf-16-le"),
        b"x" * (MAX_FILE_BYTES + 1),
        bomb(),
        b"plate,hs,goods\n" + b"29C-1,1,x\n" * (MAX_ROWS + 1),
    ],
)
def test_what_is_no_table_is_refused(content):
    with pytest.raises((MalformedError, InvalidInputError)) as caught:
        read_file(content, gate_names=GATES)
    assert isinstance(caught.value, CuaKhauError)


@pytest.fixture
def enterprise(runtime, sign_in):
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()
    return sign_in("enterprise", organisation_id=add_organisation(runtime, "Một"))


@pytest.fixture
def table(runtime) -> list[dict[str, Any]]:
    arrival = (runtime.clock.now() + timedelta(hours=12)).strftime("%d/%m/%Y %H:%M")
    return rows(
        arrival,
        {"reference": "a"},
        {"reference": "b", "plate": "29C-200.00", "trailer_plate": "", "net_weight_kg": "20000"},
        {"reference": "c", "plate": "29C-300.00", "trailer_plate": ""},
        {"reference": "d", "plate": "29C-300.00", "trailer_plate": "", "gross_weight_kg": "1.500"},
    )


def send(client, content: bytes, **headers: str) -> Any:
    return client.post(IMPORTS, files={"file": ("tờ khai.csv", content)}, headers=headers)


def test_each_row_has_its_result_and_the_chosen_ones_are_made(enterprise, table):
    checked = send(enterprise, as_csv(table))
    assert checked.status_code == 201, checked.text
    found = checked.json()
    assert [[problem["field"] for problem in row["problems"]] for row in found["rows"]] == [
        [],
        ["lines.1.net_weight_kg"],
        [],
        ["lines.1.gross_weight_kg", "plate"],
    ]
    assert enterprise.get("/api/v1/declarations").json()["items"] == []
    where = f"{IMPORTS}/{found['import_id']}/apply"
    refused = enterprise.post(where, json={})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "row 3: lines.1.net_weight_kg"
    assert enterprise.get("/api/v1/declarations").json()["items"] == []
    assert enterprise.post(where, json={"numbers": [9]}).status_code == 422
    made = enterprise.post(where, json={"numbers": [1, 3]}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 200, made.text
    assert [row["trip_id"] is not None for row in made.json()["rows"]] == [True, False, True, False]
    items = enterprise.get("/api/v1/declarations").json()["items"]
    assert [(row["plate"], row["status"]) for row in items] == [
        ("29C-300.00", "submitted"),
        ("29C-123.45", "submitted"),
    ]
    again = enterprise.post(where, json={"numbers": [1, 3]}, headers={"Idempotency-Key": "k"})
    assert again.json() == made.json()
    assert enterprise.post(where, json={"numbers": [1]}).status_code == 409


def test_all_rows_are_made_together(enterprise, table):
    found = send(enterprise, as_xlsx([table[0], table[2]])).json()
    made = enterprise.post(f"{IMPORTS}/{found['import_id']}/apply", json={"submit": False})
    assert made.json()["status"] == "done"
    assert {declaration["status"] for declaration in enterprise.get("/api/v1/declarations").json()["items"]} == {
        "draft"
    }


def test_the_same_file_sent_again_is_one_import(enterprise, table):
    first, again = (send(enterprise, as_csv(table), **{"Idempotency-Key": "k"}).json() for _ in range(2))
    assert first == again


def test_an_import_is_its_enterprises(enterprise, table, runtime, sign_in):
    found = send(enterprise, as_csv(table)).json()
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Hai"))
    assert other.get(f"{IMPORTS}/{found['import_id']}").status_code == 404
    assert other.post(f"{IMPORTS}/{found['import_id']}/apply", json={}).status_code == 404


def test_no_file_at_all_is_said(enterprise):
    assert send(enterprise, b"\x00").status_code == 400
    assert enterprise.post(IMPORTS).status_code == 422


def test_what_may_be_chosen_is_said_by_the_names_that_people_know() -> None:
    said = in_words("regime", {"value": "xyz", "known": "export, import"}, "vi", {})
    assert said["known"] == "Xuất khẩu, Nhập khẩu"
    goods = in_words("lines.2.goods_class", {"value": "?", "known": "fresh_fruit, nothing_known"}, "en", {})
    assert goods["known"] == "Fresh fruit, nothing_known"
    gates = in_words("gate_id", {"value": "noi-bai", "known": "huu-nghi"}, "vi", {"huu-nghi": "Cửa khẩu Hữu Nghị"})
    assert gates["known"] == "Cửa khẩu Hữu Nghị"
    assert in_words("plate", {"value": "29C-12"}, "vi", {}) == {"value": "29C-12"}
