"""Requests that a bad line repeats have one effect."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from app.accounts import service
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from geo.errors import InvalidInputError


class Body(BaseModel):
    """What a client sends."""

    amount: int


@pytest.fixture
def action(session, clock, clean_database) -> ActionContext:
    """A person who acts."""
    by_platform = ActionContext(session, None, clock.now())
    account = service.create_account(
        by_platform, username="lan.anh", password="correct horse battery staple", full_name="Lan", role="driver"
    )
    person = Principal(account.account_id, "lan.anh", "Lan", Role.DRIVER, None, None, None, "vi", b"", "")
    return ActionContext(session, person, clock.now())


def test_a_repeat_gets_what_the_first_made_and_makes_nothing(action: ActionContext) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(41 + len(made))
        return made[-1]

    assert [idempotency.once(action, "test", "key", [7, Body(amount=1)], make) for _ in range(3)] == [41, 41, 41]
    assert made == [41]
    assert idempotency.once(action, "other act", "key", [7, Body(amount=1)], make) == 42
    assert idempotency.once(action, "test", None, [], make) == 43


@pytest.mark.parametrize("sent", [[8, Body(amount=1)], [7, Body(amount=2)], [7], [b"7"]])
def test_a_key_is_for_one_request(action: ActionContext, sent: list[object]) -> None:
    idempotency.once(action, "test", "key", [7, Body(amount=1)], lambda: 1)
    with pytest.raises(InvalidInputError, match="another request"):
        idempotency.once(action, "test", "key", sent, lambda: 2)


def test_the_parts_sent_are_told_apart_by_a_space_as_keys_stored_before_were(action: ActionContext) -> None:
    idempotency.once(action, "test", "key", [7, "barrier_1", Body(amount=1)], lambda: 1)
    assert idempotency.once(action, "test", "key", [b'7 barrier_1 {"amount":1}'], lambda: 2) == 1


def test_keys_are_forgotten_after_a_week(action: ActionContext) -> None:
    idempotency.once(action, "test", "key", [], lambda: 1)
    session, kept = action.session, idempotency.KEPT
    assert idempotency.forget(session, action.now + kept) == 0
    assert idempotency.forget(session, action.now + kept + timedelta(seconds=1)) == 1
    assert session.execute(text("SELECT count(*) FROM app.idempotency")).scalar_one() == 0
