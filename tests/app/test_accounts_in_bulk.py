"""Accounts of many people from a file, and a driver bound to a vehicle by its plate."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from ingest import devices

SignIn = Callable[..., TestClient]
HEADER = "Tên đăng nhập;Họ và tên;Vai trò;Đơn vị;Cửa khẩu;Biển số;Ngôn ngữ\r\n"


@pytest.fixture
def administrator(sign_in: SignIn, runtime: Runtime) -> TestClient:
    client = sign_in("administrator", locale="en")
    client.post("/api/v1/organisations", json={"name": "Nông sản Lạng Sơn", "kind": "enterprise"}).raise_for_status()
    with runtime.sessions.begin() as session:
        devices.enrol(session, "29C-123.45", "tracker", now=runtime.clock.now())
    return client


def send(client: TestClient, *lines: str) -> str:
    content = (HEADER + "".join(f"{line}\r\n" for line in lines)).encode()
    answer = client.post("/admin/accounts/import", files={"file": ("people.csv", content, "text/csv")})
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def accounts(runtime: Runtime) -> dict[str, tuple[object, ...]]:
    columns = "username, role, organisation_id IS NOT NULL, gate_id, vehicle_id IS NOT NULL, locale"
    with runtime.sessions() as session:
        rows = session.execute(text(f"SELECT {columns} FROM app.account WHERE username LIKE 'b.%'"))
        return {row[0]: tuple(row[1:]) for row in rows}


def test_accounts_are_made_with_passwords_that_are_shown_once(administrator: TestClient, runtime: Runtime) -> None:
    page = send(
        administrator,
        "b.an;Nguyễn Văn An;Lái xe;nông sản lạng sơn;;29C12345;vi",
        "b.lan;Trần Thị Lan;Customs;;Hữu Nghị;;zh",
    )
    assert "2 accounts were made" in page
    assert accounts(runtime) == {
        "b.an": ("driver", True, None, True, "vi"),
        "b.lan": ("customs", False, "huu-nghi", False, "zh"),
    }
    passwords = re.findall(r"<code>([^<]+)</code>", page)
    answer = administrator.post("/api/v1/tokens", data={"username": "b.an", "password": passwords[0]})
    assert answer.json()["code"] == "new_password_needed", "its owner has to choose a password first"


def test_one_bad_line_and_no_account_is_made(administrator: TestClient, runtime: Runtime) -> None:
    page = send(
        administrator,
        "b.good;Good;Driver;;;;",
        "b.role;Bad;Emperor;;;;",
        "b.gate;Bad;Customs;;Atlantis;;",
        "b.org;Bad;Enterprise;Nobody & Sons;;;",
        "b.plate;Bad;Driver;;;29C-999.99;",
        "b.good;Again;Driver;;;;",
        "b.fr;Bad;Driver;;;;fr",
    )
    assert "No account was made" in page
    told = dict(re.findall(r'<td class="ck-num">(\d+)</td><td>[^<]*</td><td>([^<]*)</td>', page))
    assert list(told) == ["3", "4", "5", "6", "7", "8"]
    for line, word in {
        "3": "Emperor",
        "4": "Atlantis",
        "5": "Nobody",
        "6": "29C-999.99",
        "7": "line 2",
        "8": "fr",
    }.items():
        assert word in told[line]
    assert accounts(runtime) == {}


def test_all_that_is_wrong_in_a_line_is_said_at_once(administrator: TestClient, runtime: Runtime) -> None:
    page = send(administrator, ";Nobody;Emperor;Nobody & Sons;Atlantis;29C-999.99;fr")
    told = re.findall(r'<td class="ck-num">(\d+)</td><td>[^<]*</td><td>([^<]*)</td>', page)
    assert [line for line, _ in told] == ["2"] * 6
    for word in ("missing", "Emperor", "Nobody", "Atlantis", "29C-999.99", "fr"):
        assert any(word in problem for _, problem in told), word
    assert accounts(runtime) == {}


def test_what_is_no_table_is_refused(administrator: TestClient, sign_in: SignIn) -> None:
    answer = administrator.post("/admin/accounts/import", files={"file": ("x.csv", b"a,b\n1,2\n", "text/csv")})
    assert "missing" in answer.text
    assert administrator.get("/admin/accounts/import", headers={"accept": "text/html"}).status_code == 200
    assert "tên đăng nhập" in administrator.get("/admin/accounts/template.csv").text
    refused = sign_in("auditor").post("/admin/accounts/import", files={"file": ("x.csv", b"a", "text/csv")})
    assert refused.status_code == 403


def test_a_driver_is_bound_by_the_plate(administrator: TestClient) -> None:
    body = {"username": "b.an", "full_name": "An", "role": "driver", "password": "correct horse battery staple"}
    refused = administrator.post("/api/v1/accounts", json=body | {"plate": "30A-000.01"})
    assert (refused.status_code, refused.json()["field"]) == (422, "plate")
    made = administrator.post("/api/v1/accounts", json=body | {"plate": "29c 12345"})
    assert made.status_code == 201, made.text
    account = made.json()
    assert account["vehicle_id"] is not None
    where = f"/api/v1/accounts/{account['account_id']}"
    page = administrator.get(f"/admin/accounts/{account['account_id']}", headers={"accept": "text/html"}).text
    assert 'name="plate" value="29C-123.45"' in page
    headers = {"If-Match": f'"{account["version"]}"'}
    freed = administrator.patch(where, json={"plate": None}, headers=headers)
    assert freed.json()["vehicle_id"] is None
