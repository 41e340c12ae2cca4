"""What changes of how an account signs in is told to its owner, on every page, until it was seen."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.vocabulary import SignInChange
from app.platform.runtime import Runtime
from app.signin import codes, factors, identities
from app.signin.door import Door
from app.signin.provider import Identity
from tests.app.signing import OTHER_PASSWORD, PASSWORD, Authenticator, make_account, open_door
from tests.app.test_second_factors import add_passkey, enrol_app


def token_of(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"', maxsplit=1)[0]


def test_what_changed_is_told_until_it_was_seen(runtime: Runtime, client: TestClient, sign_in: Any) -> None:
    account_id = make_account(runtime, "planner", "mai", locale="en")
    client.post("/signin", data={"username": "mai", "password": PASSWORD})
    page = client.get("/account").text
    assert "The password was changed" not in page
    form = {"csrf_token": token_of(page), "old_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert client.post("/account/password", data=form).status_code == 200
    assert "The password was changed (" in client.get("/account").text
    client.post("/signin", data={"username": "mai", "password": OTHER_PASSWORD})
    page = client.get("/account").text
    assert "The password was changed (" in page, "another browser tells it too"
    client.post("/api/v1/session/failures-seen", headers={"X-CSRF-Token": token_of(page)})
    assert "The password was changed" not in client.get("/account").text

    administrator = sign_in("administrator")
    version = administrator.get(f"/api/v1/accounts/{account_id}").headers["ETag"]
    url, headers = f"/api/v1/accounts/{account_id}", {"If-Match": version}
    reset = administrator.patch(url, json={"password": "another one of theirs"}, headers=headers)
    assert reset.status_code == 200, reset.text
    assert changes_of(runtime, account_id) == [SignInChange.PASSWORD_RESET]


def changes_of(runtime: Runtime, account_id: int) -> list[str]:
    with runtime.sessions() as session:
        return noted(session, account_id)


def noted(session: Session, account_id: int) -> list[str]:
    return [kind for kind, _ in accounts.get_account(session, account_id).sign_in_changes]


def test_every_change_of_how_an_account_signs_in_is_noted(runtime: Runtime) -> None:
    account_id = make_account(runtime, "planner", "mai")
    with runtime.sessions() as session:
        door: Door = open_door(session, runtime.redis, runtime.settings, runtime.clock.now())
        own = door.acting(accounts.get_account(session, account_id))
        enrol_app(door, account_id)
        add_passkey(door, account_id, Authenticator())
        [code, *_] = codes.make_recovery_codes(own, account_id)
        assert codes.use_code(own, account_id, code, door.wall_s)
        factors.remove_app(own, runtime.settings)
        identity = Identity("https://id.example", "m1", "mai", "Mai", (), frozenset(), None)
        identities.link(own, identity)
        identities.unlink(own, identity.issuer, identity.subject)
        factors.take_away(own, accounts.get_account(session, account_id))
        assert noted(session, account_id) == [
            SignInChange.FACTOR_ADDED,
            SignInChange.FACTOR_ADDED,
            SignInChange.RECOVERY_CODES,
            SignInChange.RECOVERY_CODE_USED,
            SignInChange.FACTOR_REMOVED,
            SignInChange.IDENTITY_LINKED,
            SignInChange.IDENTITY_UNLINKED,
            SignInChange.FACTORS_TAKEN_AWAY,
        ]
        for _ in range(20):
            accounts.note_change(own, accounts.get_account(session, account_id), SignInChange.PASSWORD)
        assert len(noted(session, account_id)) == accounts.MAX_SIGN_IN_CHANGES
