"""Which passwords are accepted: length counts, what is common or a name is refused, whatever it is dressed in."""

from __future__ import annotations

import pytest

from app.accounts.passwords import check_password
from geo.errors import InvalidInputError

NAMES = ("mai.tran", "Trần Thị Mai")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "xin chào các bạn nhé",
        "chín con thuyền lặng lẽ trên sông",
        "mot hai ba bon nam",
        "d8Kq-Xv2_aZr9Qw",
        "1111 trees beside my first school",
        "nine quiet boats " * 11,
    ],
)
def test_phrases_and_random_text_are_accepted(password: str) -> None:
    check_password(password, names=NAMES)


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2024!",
        "passwordpassword",
        "123456789012",
        "111111222222",
        "aaaaaaaaaaaa",
        "a" * 200,
        "qwertyuiopas",
        "1q2w3e4r5t6y",
        "abc123abc123",
        "iloveyou2024",
        "football2024!",
        "administrator",
        "matkhau12345",
        "Mật khẩu 123456",
        "anhyeuem1234",
        "cuakhau20262026",
        "LangSon123456",
    ],
)
def test_what_is_common_is_refused(password: str) -> None:
    with pytest.raises(InvalidInputError, match="too easy to guess") as refused:
        check_password(password, names=NAMES)
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["my mai.tran is a secret", "MAI TRAN and nine boats", "maitran-kx82-vq91", "Nhà của Trần Thị Mai 77"]
)
def test_what_holds_its_owners_name_is_refused(password: str) -> None:
    with pytest.raises(InvalidInputError, match="user name"):
        check_password(password, names=NAMES)


@pytest.mark.parametrize("password", ["", "kx82-vq91-z", "x" * 201])
def test_twelve_to_two_hundred_characters(password: str) -> None:
    with pytest.raises(InvalidInputError, match="12 to 200"):
        check_password(password, names=NAMES)
