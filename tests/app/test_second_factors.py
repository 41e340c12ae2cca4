"""Second factors: codes that count once, passkeys, recovery codes, and who takes lost ones away."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.accounts import service as accounts
from app.ops import install
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.settings import Settings
from app.signin import codes, factors, passkeys, rules, service
from app.signin.attempts import Attempt
from app.signin.codes import find_step
from app.signin.door import Door
from app.signin.rules import SIGN_IN_RULES, SignInRules
from app.signin.vocabulary import SignInStep, Strictness
from geo.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from tests.app.signing import PASSWORD, SITE, WALL_S, Authenticator, make_account, open_door

HOLDER = "attempt:test"


@pytest.fixture
def door(runtime: Runtime) -> Any:
    """A door on a session of its own, undone at the end."""
    with runtime.sessions() as session:
        yield open_door(session, runtime.redis, runtime.settings, runtime.clock.now())


def enrol_app(door: Door, account_id: int) -> str:
    """An app on an account; its secret."""
    account = accounts.get_account(door.session, account_id)
    secret = codes.begin_app(door.redis, HOLDER)
    wall_s = door.wall_s - 3600
    codes.enrol_app(door.acting(account), door.redis, HOLDER, account, code_at(secret, wall_s), wall_s)
    return secret


def code_at(secret: str, wall_s: float) -> str:
    return pyotp.TOTP(secret).at(int(wall_s))


def attempt_of(door: Door, username: str) -> Attempt:
    return service.begin(door, username, PASSWORD, "/")


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # appendix B, the last six of its eight digits
    for wall_s, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert find_step(secret, code, wall_s, after=-1) == wall_s // 30


@pytest.mark.parametrize(("offset_s", "is_right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_half_a_minute_off(offset_s: int, is_right: bool) -> None:
    secret = pyotp.random_base32()
    assert (find_step(secret, code_at(secret, WALL_S + offset_s), WALL_S, after=-1) is not None) is is_right


def test_a_code_counts_once_and_none_before_it(runtime: Runtime, door: Door) -> None:
    account_id = make_account(runtime, "planner", "mai")
    secret = enrol_app(door, account_id)
    attempt = attempt_of(door, "mai")
    assert service.next_step(door, attempt) is SignInStep.SECOND_FACTOR
    service.show_code(door, attempt, f" {code_at(secret, WALL_S)[:3]} {code_at(secret, WALL_S)[3:]} ")
    assert service.next_step(door, attempt) is SignInStep.DONE
    for seen in (WALL_S, WALL_S - 30):
        with pytest.raises(InvalidInputError):
            service.show_code(door, attempt_of(door, "mai"), code_at(secret, seen))
    service.show_code(door, attempt_of(door, "mai"), code_at(secret, WALL_S + 30))


@pytest.mark.parametrize("code", ["", "000", "abcdef", "１２３４５６", "1234567890" * 4, "\0"])
def test_what_is_no_code_is_wrong(runtime: Runtime, door: Door, code: str) -> None:
    enrol_app(door, make_account(runtime, "planner", "mai"))
    with pytest.raises(InvalidInputError):
        service.show_code(door, attempt_of(door, "mai"), code)


def test_codes_are_not_guessed(runtime: Runtime, door: Door) -> None:
    secret = enrol_app(door, make_account(runtime, "planner", "mai"))
    for _ in range(10):
        with pytest.raises(InvalidInputError):
            service.show_code(door, attempt_of(door, "mai"), "not one")
    with pytest.raises(TooManyRequestsError):
        service.show_code(door, attempt_of(door, "mai"), code_at(secret, WALL_S))


def test_secrets_are_kept_encrypted(runtime: Runtime, door: Door) -> None:
    secret = enrol_app(door, make_account(runtime, "planner", "mai"))
    written = codes.make_recovery_codes(door.by_nobody(), accounts.find_account_by_name(door.session, "mai").account_id)
    kept = str(door.session.execute(text("SELECT secret FROM app.authenticator_app")).scalars().all())
    kept += str(door.session.execute(text("SELECT code_hash FROM app.recovery_code")).scalars().all())
    kept += str([runtime.redis.dump(key) for key in runtime.redis.keys("ck:app-secret*")])
    assert secret not in kept
    assert not any(code in kept for code in written)
    begun = codes.begin_app(door.redis, HOLDER)
    assert codes.begin_app(door.redis, HOLDER) == begun, "the page may be loaded again"
    assert begun.encode() not in runtime.redis.get(f"ck:app-secret:{HOLDER}")


def test_a_recovery_code_opens_once(runtime: Runtime, door: Door) -> None:
    account_id = make_account(runtime, "planner", "mai")
    enrol_app(door, account_id)
    written = codes.make_recovery_codes(door.by_nobody(), account_id)
    assert len(set(written)) == codes.N_RECOVERY_CODES
    service.show_code(door, attempt_of(door, "mai"), written[0].upper().replace("-", " "))
    with pytest.raises(InvalidInputError):
        service.show_code(door, attempt_of(door, "mai"), written[0])
    renewed = codes.make_recovery_codes(door.by_nobody(), account_id)
    with pytest.raises(InvalidInputError):
        service.show_code(door, attempt_of(door, "mai"), written[1])
    service.show_code(door, attempt_of(door, "mai"), renewed[1])


def add_passkey(door: Door, account_id: int, key: Authenticator, name: str = "my phone") -> None:
    account = accounts.get_account(door.session, account_id)
    options = json.loads(passkeys.creation_options(door.session, door.redis, HOLDER, SITE, account))
    passkeys.enrol(door.acting(account), door.redis, HOLDER, SITE, account, name=name, credential=key.make(options))


def ask(door: Door, account_id: int | None, *, is_alone: bool = False) -> dict[str, Any]:
    return json.loads(passkeys.request_options(door.session, door.redis, HOLDER, SITE, account_id, is_alone=is_alone))


def test_a_passkey_is_a_second_factor_and_both_in_one(runtime: Runtime, door: Door) -> None:
    account_id = make_account(runtime, "planner", "mai")
    phone, key = Authenticator(), Authenticator(is_verifying=False)
    add_passkey(door, account_id, phone)
    add_passkey(door, account_id, key, "a key on the ring")
    assert [passkey.name for passkey in factors.factors_of(door.session, account_id).passkeys] == [
        "my phone",
        "a key on the ring",
    ]
    attempt = attempt_of(door, "mai")
    service.show_passkey(door, attempt, HOLDER, key.sign(ask(door, account_id)))
    assert service.next_step(door, attempt) is SignInStep.DONE
    alone = service.begin_with_passkey(door, HOLDER, phone.sign(ask(door, None, is_alone=True)), "/")
    assert (alone.account_id, service.next_step(door, alone)) == (account_id, SignInStep.DONE)
    with pytest.raises(UnauthenticatedError):  # nobody made sure who holds it
        service.begin_with_passkey(door, HOLDER, key.sign(ask(door, None, is_alone=True)), "/")


def test_what_a_passkey_did_not_sign_for_this_question_is_refused(runtime: Runtime, door: Door) -> None:
    account_id, other_id = (make_account(runtime, "planner", name) for name in ("mai", "lan"))
    phone, others = Authenticator(), Authenticator()
    add_passkey(door, account_id, phone)
    add_passkey(door, other_id, others)

    def refused(credential: str) -> None:
        with pytest.raises(InvalidInputError):
            service.show_passkey(door, attempt_of(door, "mai"), HOLDER, credential)

    signed = phone.sign(ask(door, account_id))
    ask(door, account_id)
    refused(signed)  # another question
    again = phone.sign(ask(door, account_id))
    service.show_passkey(door, attempt_of(door, "mai"), HOLDER, again)
    refused(again)  # a question counts once
    ask(door, account_id)
    refused(others.sign(ask(door, account_id)))
    phone.origin = "https://evil.example"
    refused(phone.sign(ask(door, account_id)))
    phone.origin, phone.count = SITE.origin, 0
    refused(phone.sign(ask(door, account_id)))  # it has signed more often than it says: a copy
    for nonsense in ("", "{}", "[]", "null", '{"id": 7}', "x" * 100_000):
        ask(door, account_id)
        refused(nonsense)


def test_a_passkey_is_one_persons(runtime: Runtime, door: Door) -> None:
    mai, lan = (make_account(runtime, "planner", name) for name in ("mai", "lan"))
    phone = Authenticator()
    add_passkey(door, mai, phone)
    with pytest.raises(ConflictError):
        add_passkey(door, lan, phone)


def test_the_last_factor_stays_where_the_role_needs_one(runtime: Runtime, door: Door) -> None:
    settings = runtime.settings.model_copy(update={"sign_in_rules": "strict"})
    account_id = make_account(runtime, "administrator", "mai")
    add_passkey(door, account_id, Authenticator())
    enrol_app(door, account_id)
    action = door.acting(accounts.get_account(door.session, account_id))
    factors.remove_app(action, settings)
    (left,) = factors.factors_of(door.session, account_id).passkeys
    with pytest.raises(ConflictError):
        factors.remove_passkey(action, settings, left.passkey_id)
    factors.remove_passkey(action, runtime.settings, left.passkey_id)
    assert factors.factors_of(door.session, account_id).count == 0


def test_two_administrators_take_lost_factors_away(runtime: Runtime, door: Door) -> None:
    first, second, third = (make_account(runtime, "administrator", name) for name in ("a.mot", "a.hai", "a.ba"))
    loser = make_account(runtime, "tax", "mai")
    enrol_app(door, loser)

    def acting(account_id: int) -> ActionContext:
        return door.acting(accounts.get_account(door.session, account_id))

    with pytest.raises(InvalidInputError):
        factors.ask_for_reset(acting(first), loser, " ")
    with pytest.raises(ForbiddenError):
        factors.ask_for_reset(acting(loser), loser, "It is me, really.")
    reset_id = factors.ask_for_reset(acting(first), loser, "Came to the office with her card.")
    assert factors.ask_for_reset(acting(second), loser, "Asked again.") == reset_id
    with pytest.raises(ForbiddenError):
        factors.decide_reset(acting(first), reset_id, is_approved=True)
    accounts.get_account(door.session, third).person_id = first
    door.session.flush()
    with pytest.raises(ForbiddenError):
        factors.decide_reset(acting(third), reset_id, is_approved=True)
    factors.decide_reset(acting(second), reset_id, is_approved=True)
    assert factors.factors_of(door.session, loser).count == 0
    with pytest.raises(ConflictError):
        factors.decide_reset(acting(second), reset_id, is_approved=True)


def test_an_operator_makes_accounts_and_takes_factors_away(runtime: Runtime, door: Door) -> None:
    for name, must_change in (("mai", False), ("lan", True)):
        install.create_user(
            runtime.settings,
            name,
            PASSWORD,
            "planner",
            full_name="",
            gate=None,
            organisation=None,
            must_change=must_change,
        )
    assert service.next_step(door, attempt_of(door, "lan")) is SignInStep.NEW_PASSWORD
    attempt = attempt_of(door, "mai")
    assert service.next_step(door, attempt) is SignInStep.DONE
    enrol_app(door, attempt.account_id)
    door.session.commit()
    install.take_factors_away(runtime.settings, "mai")
    door.session.expire_all()
    assert factors.factors_of(door.session, attempt.account_id).count == 0
    with pytest.raises(NotFoundError):
        install.take_factors_away(runtime.settings, "nobody")


def test_who_needs_a_second_factor() -> None:
    strict = SignInRules()
    needing = {str(role) for role, rule in strict.roles.items() if rule.second_factor}
    assert needing == {"administrator", "auditor", "planner", "traffic_police", "gate_management", "tax"}
    assert rules.strictness(Settings(demo=True)) is Strictness.LENIENT
    assert rules.strictness(Settings()) is Strictness.STRICT
    assert rules.strictness(Settings(demo=True, sign_in_rules="strict")) is Strictness.STRICT


def test_the_first_sign_in_of_a_fresh_installation_adds_a_factor(runtime: Runtime, client: TestClient) -> None:
    runtime.settings.sign_in_rules = "strict"
    make_account(runtime, "administrator", "mai", locale="en")
    form = {"username": "mai", "password": PASSWORD, "next": "/admin"}
    refused = client.post("/api/v1/tokens", data=form)
    assert (refused.status_code, refused.json()["code"]) == (401, "enrolment_needed")
    begun = client.post("/signin", data=form, follow_redirects=False)
    assert begun.headers["location"] == "/signin/enrolment"
    page = client.get("/signin/enrolment").text
    secret = re.search(r'class="ck-key">([^<]+)<', page)[1].replace(" ", "")
    assert client.post("/signin/finish", follow_redirects=False).headers["location"] == "/signin/enrolment"
    assert client.post("/signin/enrolment", data={"code": "000000"}).status_code == 422
    shown = client.post("/signin/enrolment", data={"code": pyotp.TOTP(secret).now()})
    written = re.findall(r"<li><code>([a-z2-7-]+)</code>", shown.text)
    assert len(written) == codes.N_RECOVERY_CODES
    assert client.get("/api/v1/me").status_code == 401
    assert client.post("/signin/finish", follow_redirects=False).headers["location"] == "/admin"
    assert client.get("/admin").status_code == 200
    needed = client.post("/api/v1/tokens", data=form)
    assert (needed.status_code, needed.json()["code"]) == (401, "second_factor_needed")
    assert client.post("/api/v1/tokens", data=form | {"code": "123"}).status_code == 422
    assert client.post("/api/v1/tokens", data=form | {"code": written[0]}).status_code == 200
    following = pyotp.TOTP(secret).at(int(time.time()) + 30)
    assert client.post("/api/v1/tokens", data=form | {"code": following}).status_code == 200


def test_rules_are_set_by_an_administrator(runtime: Runtime, sign_in: Any) -> None:
    administrator = sign_in("administrator", locale="en")
    page = administrator.get("/admin/sign-in").text
    values = {name: value for name, value in re.findall(r'name="([a-z_]+\.[a-z_]+)"[^>]*value="(\d*)"', page)}
    values = {name: value for name, value in values.items() if not name.endswith("second_factor")}
    sent = values | {"version": "0", "driver.second_factor": "1", "driver.idle_min": "90", "driver.lock_after_min": ""}
    wrong = administrator.post("/admin/sign-in", data=sent | {"tax.idle_min": "soon"})
    assert wrong.status_code == 422
    assert "soon" in wrong.text
    assert administrator.post("/admin/sign-in", data=sent, follow_redirects=False).status_code == 303
    assert administrator.post("/admin/sign-in", data=sent).status_code == 412
    with runtime.sessions() as session:
        rule = SIGN_IN_RULES.get(session).value.of("driver")
    assert (rule.second_factor, rule.idle_min, rule.lock_after_min) == (True, 90, None)
    assert sign_in("auditor").post("/admin/sign-in", data=sent).status_code == 403
