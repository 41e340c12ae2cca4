"""A form sent when its session is over, or in another one, is kept on the page that answers, and sent from there."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.accounts.cookies import SECRET_FIELDS
from app.platform.runtime import Runtime
from tests.app.signing import PASSWORD, make_account

APP = Path(__file__).parents[2] / "app"
HTML = {"accept": "text/html"}
OWN = {**HTML, "sec-fetch-site": "same-origin"}
ADDRESS = "/admin/organisations"


def kept_of(page: str) -> dict[str, str]:
    """What the hidden form of a page keeps, by the names of its fields."""
    form = page.split("data-kept", 1)[1].split("</form>", 1)[0] if "data-kept" in page else ""
    return {
        name: html.unescape(value) for name, value in re.findall(r'<textarea name="(\w+)">\n(.*?)</textarea>', form)
    }


def token_of(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"', maxsplit=1)[0]


@pytest.fixture
def administrator(runtime: Runtime, client: TestClient) -> TestClient:
    make_account(runtime, "administrator", "chi.huy", locale="en")
    enter(client)
    return client


def enter(client: TestClient) -> None:
    client.post("/signin", data={"username": "chi.huy", "password": PASSWORD})


def test_a_form_of_a_session_that_is_over_is_sent_after_signing_in(administrator: TestClient) -> None:
    form = {
        "name": 'Công ty "Sau" <Cùng>',
        "kind": "enterprise",
        "csrf_token": token_of(administrator.get("/account").text),
    }
    administrator.cookies.clear()
    refused = administrator.post(ADDRESS, data=form, headers=OWN)
    assert refused.status_code == 401
    assert kept_of(refused.text) == form
    assert 'data-prove="session_ended"' in refused.text, "scripts ask for the password there"
    assert '<button class="btn btn-primary" form="kept">' in refused.text.split("<noscript>")[1]
    enter(administrator)
    again = administrator.post(ADDRESS, data=kept_of(refused.text), headers=OWN)
    assert again.status_code == 403, "the token is of the session that is over"
    assert "You are signed in as Trần Thị Mai" in again.text
    kept = kept_of(again.text)
    assert kept == {**form, "csrf_token": kept["csrf_token"]} != form, "with a token of this session"
    assert administrator.post(ADDRESS, data=kept, headers=OWN).status_code == 200
    assert html.escape('Công ty "Sau" <Cùng>', quote=False) in administrator.get(ADDRESS).text.replace("&#34;", '"')


def test_a_form_of_another_site_is_not_kept(administrator: TestClient) -> None:
    form = {"name": "Công ty", "kind": "enterprise", "csrf_token": "guessed"}
    for headers in ({**HTML, "sec-fetch-site": "cross-site"}, {**HTML, "origin": "https://a.example"}, HTML):
        for _ in range(2):
            refused = administrator.post(ADDRESS, data=form, headers=headers)
            assert refused.status_code in {401, 403}
            assert kept_of(refused.text) == {}
            administrator.cookies.clear()
        enter(administrator)


def test_passwords_are_not_kept(administrator: TestClient) -> None:
    form = {
        "old_password": PASSWORD,
        "new_password": "another fine password of hers",
        "csrf_token": "of another session",
    }
    refused = administrator.post("/account/password", data=form, headers=OWN)
    assert refused.status_code == 403
    assert PASSWORD not in refused.text
    assert "another fine password" not in refused.text


def test_every_field_for_a_password_is_known_as_one() -> None:
    sources = [path.read_text("utf-8") for path in APP.glob("*/templates/**/*.html")]
    fields = {tag for source in sources for tag in re.findall(r"<input[^>]*type=\"password\"[^>]*>", source)}
    names = {re.search(r'name="([\w.]+)"', tag)[1] for tag in fields if 'name="' in tag}  # type: ignore[index]
    assert names
    assert names <= SECRET_FIELDS
