"""Signing in at an identity provider: a real one by its protocol, which the package oidc-provider-mock runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from oidc_provider_mock import User, run_server_in_thread
from pydantic import SecretStr

from app.accounts.tables import Account
from app.platform.runtime import Runtime
from app.platform.tables import AuditRow
from app.settings import Settings
from app.signin.tables import ProviderIdentity
from tests.app.signing import PASSWORD, make_account

USERS = (
    User(sub="s-1", claims={"email": "mai@example.vn", "email_verified": False, "preferred_username": "mai"}),
    User(
        sub="s-2",
        claims={
            "name": "Lê Lan",
            "preferred_username": "lan",
            "realm": {"roles": ["staff", "cks-customs"]},
            "amr": ["mfa"],
        },
    ),
    User(sub="s-3", claims={"name": "Nobody", "preferred_username": "khong.ai", "realm": {"roles": ["staff"]}}),
    User(sub="s-4", claims={"preferred_username": "mai", "auth_time": int(time.time()) + 3600}),
    User(sub="s-5", claims={"preferred_username": "mai", "auth_time": int(time.time()) - 3600}),
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=USERS, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def visitor(client: TestClient, runtime: Runtime, issuer: str) -> TestClient:
    """A browser at a platform that knows the provider."""
    settings = runtime.settings
    settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret = issuer, "cks", SecretStr("secret")
    settings.oidc_name, settings.oidc_role_claim = "VNeID", "realm.roles"
    settings.oidc_roles = {"cks-customs": "customs", "staff-lead": "planner"}
    return client


def at_provider(address: str, subject: str) -> str:
    """Sign in there; the path to come back to."""
    answer = httpx.post(address, data={"sub": subject})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == "http://testserver/signin/provider/callback"
    return f"{back.path}?{back.query}"


def sign_in_as(visitor: TestClient, subject: str) -> Any:
    begun = visitor.get("/signin/provider?next=/account", follow_redirects=False)
    assert begun.status_code == 303, begun.text
    return visitor.get(at_provider(begun.headers["location"], subject), follow_redirects=False)


def sign_in_by_password(visitor: TestClient) -> str:
    """Signed in as mai; the CSRF token."""
    visitor.post("/signin", data={"username": "mai", "password": PASSWORD})
    return re.search(r'name="csrf-token" content="([^"]+)"', visitor.get("/account").text)[1]


def leave(visitor: TestClient) -> None:
    """Forget all cookies."""
    visitor.cookies.clear()


def lead(visitor: TestClient, path: str, token: str, subject: str) -> Any:
    """Through the page that leads to the provider, and back."""
    page = visitor.post(path, data={"csrf_token": token})
    address = re.search(r'href="(http://localhost[^"]+)"', page.text)[1].replace("&amp;", "&")
    return visitor.get(at_provider(address, subject), follow_redirects=False)


def test_the_question_carries_state_nonce_and_pkce(visitor: TestClient, issuer: str) -> None:
    assert 'href="/signin/provider?next=/"' in visitor.get("/signin").text
    sent = [
        parse_qs(urlsplit(visitor.get("/signin/provider", follow_redirects=False).headers["location"]).query)
        for _ in "ab"
    ]
    for question in sent:
        assert question["response_type"] == ["code"]
        assert question["code_challenge_method"] == ["S256"]
        assert question["redirect_uri"] == ["http://testserver/signin/provider/callback"]
        assert "openid" in question["scope"][0].split()
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]


def test_an_identity_is_linked_by_its_owner_and_never_by_name_or_e_mail(visitor: TestClient, runtime: Runtime) -> None:
    make_account(runtime, "planner", "mai")
    refused = sign_in_as(visitor, "s-1")
    assert refused.status_code == 401, "the same user name, the same person's e-mail: no link"
    leave(visitor)
    token = sign_in_by_password(visitor)
    assert lead(visitor, "/account/identities", token, "s-1").headers["location"] == "/account/factors"
    leave(visitor)
    signed_in = sign_in_as(visitor, "s-1")
    assert signed_in.headers["location"] == "/account"
    assert visitor.get("/api/v1/me").json()["username"] == "mai"
    make_account(runtime, "planner", "lan")
    leave(visitor)
    visitor.post("/signin", data={"username": "lan", "password": PASSWORD})
    token = re.search(r'name="csrf-token" content="([^"]+)"', visitor.get("/account").text)[1]
    assert lead(visitor, "/account/identities", token, "s-1").status_code == 409, "one identity is one person"
    with runtime.sessions() as session:
        acts = [row.action for row in session.query(AuditRow).filter(AuditRow.action.like("identities.%"))]
        failures = session.query(AuditRow).filter(AuditRow.action == "sessions.fail").all()
    assert acts == ["identities.link"]
    assert [(row.object_type, row.after["why"]) for row in failures] == [("user_name", "provider")]
    assert failures[0].object_id != "s-1"


def test_roles_are_mapped_and_followed(visitor: TestClient, runtime: Runtime) -> None:
    make_account(runtime, "planner", "lan")
    assert sign_in_as(visitor, "s-2").status_code == 401, "who is unknown is refused unless the settings say otherwise"
    runtime.settings.oidc_unknown = "create"
    assert sign_in_as(visitor, "s-3").status_code == 401, "no role here"
    assert sign_in_as(visitor, "s-2").headers["location"] == "/account"
    me = visitor.get("/api/v1/me").json()
    assert (me["role"], me["full_name"]) == ("customs", "Lê Lan")
    assert re.fullmatch(r"id-[0-9a-f]{16}", me["username"]), "the name belongs to somebody else already"
    assert visitor.post("/api/v1/tokens", data={"username": me["username"], "password": "!"}).status_code == 401
    runtime.settings.oidc_roles = {"cks-customs": "plant_quarantine"}
    leave(visitor)
    sign_in_as(visitor, "s-2")
    assert visitor.get("/api/v1/me").json()["role"] == "plant_quarantine"
    runtime.settings.oidc_roles = {}
    leave(visitor)
    assert sign_in_as(visitor, "s-2").status_code == 401
    with runtime.sessions() as session:
        assert session.query(Account).count() == 2
        assert session.query(ProviderIdentity).one().sets_role is True


@pytest.mark.parametrize(("trusted", "leads_to"), [("", "/signin/enrolment"), ("hwk, mfa", "/account")])
def test_the_providers_second_factor_counts_where_it_is_trusted(
    visitor: TestClient, runtime: Runtime, trusted: str, leads_to: str
) -> None:
    settings = runtime.settings
    settings.oidc_unknown, settings.sign_in_rules, settings.oidc_factor_amr = "create", "strict", trusted
    settings.oidc_roles = {"cks-customs": "tax"}
    assert sign_in_as(visitor, "s-2").headers["location"] == leads_to


def test_answers_to_another_question_are_refused(visitor: TestClient, runtime: Runtime, issuer: str) -> None:
    runtime.settings.oidc_unknown = "create"

    def begin() -> str:
        return visitor.get("/signin/provider", follow_redirects=False).headers["location"]

    def comes_back(path: str) -> int:
        return visitor.get(path, follow_redirects=False).status_code

    path = at_provider(begin(), "s-2")
    begin()  # another one since
    assert comes_back(path) == 401
    path = at_provider(begin(), "s-2")
    assert comes_back(path.replace("state=", "state=x")) == 401
    assert comes_back(path) == 401, "a question counts once"
    path = at_provider(begin(), "s-2")
    assert comes_back(path + "&iss=https://evil.example") == 401
    assert comes_back("/signin/provider/callback?error=access_denied") == 401
    first = begin()
    other_nonce = re.sub(r"nonce=[^&]+", "nonce=another", first)
    assert comes_back(at_provider(other_nonce, "s-2")) == 401
    path = at_provider(begin(), "s-2")
    leave(visitor)
    assert comes_back(path) == 401, "another browser"
    path = at_provider(begin(), "s-2")
    assert comes_back(path) == 303
    assert comes_back(path) == 401, "a code counts once"


def test_a_fresh_sign_in_there_proves_who_it_is(visitor: TestClient, runtime: Runtime) -> None:
    make_account(runtime, "planner", "mai")
    token = sign_in_by_password(visitor)
    for subject in ("s-4", "s-5"):
        assert lead(visitor, "/account/identities", token, subject).status_code == 303
    with runtime.sessions() as session:
        before = session.query(AuditRow).filter(AuditRow.action == "sessions.prove").count()
    assert lead(visitor, "/account/identities/proof", token, "s-5").status_code == 401, "signed in there an hour ago"
    assert lead(visitor, "/account/identities/proof", token, "s-2").status_code == 401, "somebody else"
    assert lead(visitor, "/account/identities/proof", token, "s-4").status_code == 200
    with runtime.sessions() as session:
        assert session.query(AuditRow).filter(AuditRow.action == "sessions.prove").count() == before + 1


def test_a_provider_that_is_away_or_another_is_said(visitor: TestClient, runtime: Runtime, issuer: str) -> None:
    runtime.settings.oidc_issuer = issuer + "/"
    assert visitor.get("/signin/provider", follow_redirects=False).status_code == 503, "it names itself otherwise"
    runtime.settings.oidc_issuer = "http://localhost:9"
    assert visitor.get("/signin/provider", follow_redirects=False).status_code == 503
    runtime.settings.oidc_issuer = ""
    assert visitor.get("/signin/provider", follow_redirects=False).status_code == 404


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="https"):
        Settings(oidc_issuer="http://id.example", oidc_client_id="cks")
    with pytest.raises(ValueError, match="CLIENT_ID"):
        Settings(oidc_issuer="https://id.example")
    assert Settings(oidc_issuer="https://id.example/realms/a", oidc_client_id="cks").oidc_name == "id.example"
