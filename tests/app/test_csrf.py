"""The token of a session's forms: never the same twice, and made of the session's secret or none."""

from __future__ import annotations

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from app.platform import csrf

SECRETS = st.text(st.characters(codec="ascii"), min_size=1, max_size=64)


@given(SECRETS, SECRETS)
def test_a_token_stands_for_its_secret_alone(secret, other):
    token = csrf.mask(secret)
    assert csrf.stands_for(token, secret)
    assert csrf.stands_for(token, other) == (secret == other)


def test_no_two_tokens_have_much_in_common():
    secret = "x" * 43
    first, second = csrf.mask(secret), csrf.mask(secret)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < len(first) // 3
    assert secret not in first


@given(
    st.one_of(st.text(max_size=200), st.binary(max_size=120).map(lambda read: base64.urlsafe_b64encode(read).decode()))
)
def test_what_was_made_of_nothing_stands_for_nothing(token):
    assert not csrf.stands_for(token, "a secret of this length or that, of a session")


def test_a_page_never_holds_the_secret(sign_in):
    visitor = sign_in("enterprise")
    first, second = (
        set(re.findall(r'csrf[_-]token" (?:value|content)="([^"]+)"', visitor.get("/account").text)) for _ in "ab"
    )
    assert first
    assert not first & second
