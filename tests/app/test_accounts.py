"""Sign-in, sessions, CSRF, tokens, administration of accounts."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from app.accounts import passwords, service
from app.accounts.tables import Account, SessionRow
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime

PASSWORD = "correct horse battery staple"


def make_account(runtime: Runtime, role: str = "planner", username: str = "lan", **bindings: object) -> int:
    with runtime.sessions.begin() as session:
        account = service.create_account(
            ActionContext(session, None, runtime.clock.now()),
            username=username,
            password=PASSWORD,
            full_name="Lan",
            role=role,
            **bindings,
        )
        return account.account_id


def sign_in_browser(client: TestClient, username: str = "lan", password: str = PASSWORD):
    return client.post(
        "/signin", data={"username": username, "password": password, "next": "/account"}, follow_redirects=False
    )


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert found
    return found[1]


def test_sign_in_sets_a_cookie_that_scripts_cannot_read(client, runtime):
    make_account(runtime)
    answer = sign_in_browser(client)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/account"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/account").status_code == 200


def test_cookie_is_bound_to_the_host_over_https(runtime):
    from app.bootstrap import web

    make_account(runtime)
    runtime.settings.cookies_secure = True
    with TestClient(web(runtime), base_url="https://testserver") as client:
        answer = sign_in_browser(client)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-session=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert client.get("/account").status_code == 200


def test_secrets_are_kept_only_as_hashes(client, runtime):
    make_account(runtime)
    sign_in_browser(client)
    secret = client.cookies["session"]
    with runtime.sessions() as session:
        row = session.query(SessionRow).one()
        account = session.query(Account).one()
    assert secret.encode() not in row.session_hash
    assert len(row.session_hash) == 32
    assert account.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize("username", ["lan", "nobody-of-this-name"])
def test_wrong_password_and_unknown_user_look_the_same(client, runtime, username):
    make_account(runtime)
    answer = sign_in_browser(client, username, "wrong password, sorry")
    assert answer.status_code == 401
    assert "Tên đăng nhập hoặc mật khẩu không đúng." in answer.text
    assert "set-cookie" not in answer.headers


def test_guessing_is_slowed_down(client, runtime):
    make_account(runtime)
    for _ in range(10):
        assert sign_in_browser(client, password="wrong again").status_code == 401
    blocked = client.post("/api/v1/tokens", data={"username": "lan", "password": PASSWORD})
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:x",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "\x0b//evil.example",
        "/ok\\..\\evil",
        "/ok\r\nSet-Cookie: a=b",
    ],
)
def test_sign_in_never_leads_to_another_site(client, runtime, target):
    make_account(runtime)
    data = {"username": "lan", "password": PASSWORD, "next": target}
    answer = client.post("/signin", data=data, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_sign_in_form_of_another_site_is_refused(client, runtime):
    make_account(runtime)
    data = {"username": "lan", "password": PASSWORD}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert client.post("/signin", data=data, headers=headers).status_code == 403


def test_changes_need_the_csrf_token(client, runtime):
    make_account(runtime)
    sign_in_browser(client)
    token = csrf_of(client.get("/account").text)
    assert client.post("/language", data={"language": "en"}).status_code == 403
    assert client.post("/language", data={"language": "en", "csrf_token": "guess"}).status_code == 403
    form = client.post("/language", data={"language": "en", "csrf_token": token}, follow_redirects=False)
    assert form.status_code == 303
    header = client.post("/language", data={"language": "zh"}, headers={"X-CSRF-Token": token}, follow_redirects=False)
    assert header.status_code == 303
    assert '<html lang="zh">' in client.get("/account").text


def test_csrf_holds_for_json_too(client, runtime):
    make_account(runtime, "administrator")
    sign_in_browser(client)
    body = {"name": "Công ty Một", "kind": "enterprise"}
    assert client.post("/api/v1/organisations", json=body).status_code == 403
    token = csrf_of(client.get("/account").text)
    made = client.post("/api/v1/organisations", json=body, headers={"X-CSRF-Token": token})
    assert made.status_code == 201


def test_a_token_is_no_cookie_and_a_cookie_no_token(client, runtime):
    make_account(runtime)
    token = client.post("/api/v1/tokens", data={"username": "lan", "password": PASSWORD}).json()["access_token"]
    sign_in_browser(client)
    cookie = client.cookies["session"]
    client.cookies.clear()
    assert client.get("/api/v1/me", cookies={"session": token}).status_code == 401
    client.cookies.clear()
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json()["role"] == "planner"


def test_token_answer_is_that_of_rfc_6749(client, runtime):
    make_account(runtime)
    answer = client.post("/api/v1/tokens", data={"username": "LAN", "password": PASSWORD})
    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == runtime.settings.session_hours * 3600


def test_sessions_end_with_time_and_last_while_used(client, runtime):
    make_account(runtime)
    sign_in_browser(client)
    for _ in range(3):
        runtime.clock.advance(11 * 3600)
        assert client.get("/api/v1/me").status_code == 200
    runtime.clock.advance(13 * 3600)
    assert client.get("/api/v1/me").status_code == 401


def test_sign_out_everywhere_ends_all_sessions(client, runtime):
    make_account(runtime)
    token = client.post("/api/v1/tokens", data={"username": "lan", "password": PASSWORD}).json()["access_token"]
    sign_in_browser(client)
    csrf = csrf_of(client.get("/account").text)
    client.post("/signout", data={"csrf_token": csrf, "everywhere": "1"})
    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_sign_out_ends_one_session(client, runtime):
    make_account(runtime)
    token = client.post("/api/v1/tokens", data={"username": "lan", "password": PASSWORD}).json()["access_token"]
    sign_in_browser(client)
    cookie = client.cookies["session"]
    client.post("/signout", data={"csrf_token": csrf_of(client.get("/account").text)})
    client.cookies.clear()
    assert client.get("/api/v1/me", cookies={"session": cookie}).status_code == 401
    client.cookies.clear()
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_password_change_ends_the_other_sessions(client, runtime):
    make_account(runtime)
    token = client.post("/api/v1/tokens", data={"username": "lan", "password": PASSWORD}).json()["access_token"]
    sign_in_browser(client)
    csrf = csrf_of(client.get("/account").text)
    change = {"csrf_token": csrf, "old_password": "not that one", "new_password": "another fine password of hers"}
    assert client.post("/account/password", data=change).status_code == 422
    change |= {"old_password": PASSWORD, "new_password": "short"}
    assert client.post("/account/password", data=change).status_code == 422
    change |= {"new_password": "another fine password of hers"}
    assert client.post("/account/password", data=change, follow_redirects=False).status_code == 303
    assert client.get("/api/v1/me").status_code == 200
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert sign_in_browser(client, password=PASSWORD).status_code == 401
    assert sign_in_browser(client, password="another fine password of hers").status_code == 303


def test_disabling_an_account_ends_its_sessions(client, runtime, sign_in):
    account_id = make_account(runtime)
    sign_in_browser(client)
    admin = sign_in("administrator")
    shown = admin.get(f"/api/v1/accounts/{account_id}")
    disabled = admin.patch(
        f"/api/v1/accounts/{account_id}", json={"disabled": True}, headers={"If-Match": shown.headers["etag"]}
    )
    assert disabled.status_code == 200, disabled.text
    assert disabled.json()["disabled_at"] is not None
    assert client.get("/api/v1/me").status_code == 401
    assert sign_in_browser(client).status_code == 401
    admin.patch(
        f"/api/v1/accounts/{account_id}", json={"disabled": False}, headers={"If-Match": disabled.headers["etag"]}
    )
    assert sign_in_browser(client).status_code == 303


def test_a_new_role_ends_the_sessions_and_a_stale_edit_is_refused(client, runtime, sign_in):
    account_id = make_account(runtime)
    sign_in_browser(client)
    admin = sign_in("administrator")
    url = f"/api/v1/accounts/{account_id}"
    assert admin.patch(url, json={"full_name": "Lan Anh"}).status_code == 428
    changed = admin.patch(url, json={"role": "traffic_police"}, headers={"If-Match": '"1"'})
    assert changed.json()["role"] == "traffic_police"
    assert client.get("/api/v1/me").status_code == 401
    stale = admin.patch(url, json={"role": "auditor"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "A b"}, "username"),
        ({"password": "short"}, "password"),
        ({"role": "king"}, "role"),
        ({"gate_id": "nowhere"}, "gate_id"),
        ({"organisation_id": 999}, "organisation_id"),
        ({"vehicle_id": 999}, "vehicle_id"),
    ],
)
def test_accounts_that_make_no_sense_are_refused(sign_in, changes, field):
    body = {"username": "an", "password": PASSWORD, "full_name": "An", "role": "driver"} | {"username": "nguyen.an"}
    answer = sign_in("administrator").post("/api/v1/accounts", json=body | changes)
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_accounts_are_made_and_listed_in_pages(sign_in):
    admin = sign_in("administrator")
    for number in range(3):
        body = {"username": f"driver{number}", "password": PASSWORD, "full_name": "Tài", "role": "driver"}
        assert admin.post("/api/v1/accounts", json=body).status_code == 201
    assert admin.post("/api/v1/accounts", json=body).status_code == 409
    first = admin.get("/api/v1/accounts", params={"role": "driver", "limit": 2})
    assert [account["username"] for account in first.json()] == ["driver0", "driver1"]
    link = first.headers["link"]
    following = admin.get(re.match(r"<([^>]+)>", link)[1])
    assert [account["username"] for account in following.json()] == ["driver2"]
    assert "password" not in first.text


def test_passwords_are_as_costly_as_owasp_asks():
    """Without the fixture `runtime`, which makes them cheap: Argon2id with 19 MiB, two passes, one lane."""
    assert passwords.HASHER.hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
