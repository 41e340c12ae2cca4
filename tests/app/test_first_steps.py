"""An empty installation: the first administrator by a link, and the page that leads on."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.accounts import first_administrator
from app.accounts.first_administrator import first_token
from app.gates import service as gates
from app.ops.first_steps import OF_EACH_GATE, first_steps, missing_roles
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from capacity import store as yards
from geo.errors import NotFoundError

SignIn = Callable[..., TestClient]
PASSWORD = "correct horse battery staple"
FORM = {"username": "chi.huy", "full_name": "Chỉ Huy", "password": PASSWORD, "repeated": PASSWORD}


@pytest.fixture
def link(runtime: Runtime) -> str:
    return f"/first-administrator/{first_token(runtime.settings.secret_key.get_secret_value())}"


@pytest.fixture(autouse=True)
def installed(runtime: Runtime) -> None:
    """What `cuakhau migrate` fills an empty database with."""
    now = runtime.clock.now()
    with runtime.sessions.begin() as session:
        yards.seed_yards(session, runtime.corridor, now=now)
        gates.seed_profiles(session, runtime.corridor, now=now)


def count(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        return int(session.scalar(text("SELECT count(*) FROM app.account")) or 0)


def test_the_link_makes_the_first_administrator_signs_in_and_leads_on(
    client: TestClient, runtime: Runtime, link: str
) -> None:
    assert client.get(link).status_code == 200
    made = client.post(link, data=FORM, follow_redirects=False)
    assert (made.status_code, made.headers["location"]) == (303, "/admin/first-steps")
    page = client.get("/admin/first-steps")
    assert page.status_code == 200
    assert "chi.huy" in client.get("/admin").text
    assert client.get(link).status_code == 404, "it opens once"
    assert client.post(link, data=FORM | {"username": "second"}).status_code == 404
    assert count(runtime) == 1


@pytest.mark.parametrize(
    "wrong", [{"repeated": "another password"}, {"password": "short", "repeated": "short"}, {"username": "Có dấu"}]
)
def test_what_cannot_be_accepted_is_said_and_makes_nothing(
    client: TestClient, runtime: Runtime, link: str, wrong: dict[str, str]
) -> None:
    answer = client.post(link, data=FORM | wrong)
    assert answer.status_code in {409, 422}
    assert 'role="alert"' in answer.text
    assert PASSWORD not in answer.text
    assert count(runtime) == 0


def test_another_link_opens_nothing(client: TestClient, runtime: Runtime) -> None:
    for token in (first_token("another secret of another platform"), "", "x", "é"):
        assert client.get(f"/first-administrator/{token}").status_code == 404
        assert client.post(f"/first-administrator/{token}", data=FORM).status_code in {404, 405}
    assert count(runtime) == 0


def test_of_many_at_once_one_is_the_first(runtime: Runtime) -> None:
    secret = runtime.settings.secret_key.get_secret_value()

    def press(number: int) -> bool:
        try:
            with runtime.sessions.begin() as session:
                action = ActionContext(session, None, runtime.clock.now())
                first_administrator.make_first(
                    action,
                    first_token(secret),
                    secret,
                    username=f"first{number}",
                    password=PASSWORD,
                    full_name="",
                    locale="vi",
                )
        except NotFoundError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(press, range(8))) == 1
    assert count(runtime) == 1


def test_the_page_says_what_is_missing(runtime: Runtime, sign_in: SignIn) -> None:
    now = runtime.clock.now()
    administrator = sign_in("administrator", locale="en")
    with runtime.sessions() as session:
        steps = first_steps(session, runtime.corridor, now)
    assert set(steps.unconfirmed_gates) == {"huu-nghi", "tan-thanh"}
    assert not steps.is_done
    page = administrator.get("/admin/first-steps").text
    assert re.findall(r'data-testid="step-(\d)" data-done="(\w+)"', page) == [(str(n), "no") for n in range(1, 7)]
    assert 'href="/admin/gates/huu-nghi"' in page
    assert sign_in("planner").get("/admin/first-steps").status_code == 403
    sign_in("enterprise")
    with runtime.sessions() as session:
        assert first_steps(session, runtime.corridor, now).enterprises == 1


@pytest.mark.parametrize("role", ["administrator", "auditor"])
def test_the_page_leads_nowhere_that_its_reader_may_not_go(sign_in: SignIn, role: str) -> None:
    reader = sign_in(role)
    content = reader.get("/admin/first-steps").text.partition("<main")[2].partition("</main>")[0]
    content = re.sub(r"<a [^>]*ck-act[^>]*>", "", content)  # not shown to who only reads
    addresses = set(re.findall(r'href="(/[^"#?]*)"', content))
    assert len(addresses) > 8
    refused = {
        address: answer.status_code for address in addresses if (answer := reader.get(address)).status_code != 200
    }
    assert refused == {}


def test_a_role_counts_at_its_gate() -> None:
    everybody = {(role, "a") for role in OF_EACH_GATE} | {(Role.TRAFFIC_POLICE, None), (Role.PLANNER, None)}
    assert missing_roles(["a"], everybody) == {}
    assert missing_roles(["a", "b"], everybody) == {"b": OF_EACH_GATE}
    assert missing_roles(["a"], everybody - {(Role.CUSTOMS, "a")} | {(Role.CUSTOMS, "b")}) == {"a": (Role.CUSTOMS,)}
    assert missing_roles([], set()) == {"": (Role.TRAFFIC_POLICE, Role.PLANNER)}
