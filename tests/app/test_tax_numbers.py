"""Tax numbers of organisations: their check digit, whose they are, and what is said of them to others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.tax_number import check_digit, normalise_tax_number
from app.accounts.tax_numbers import find_by_tax_number
from app.platform.runtime import Runtime
from geo.errors import InvalidInputError
from tests.conftest import SignIn

PUBLISHED = ("0100109106", "0300588569", "0101248141", "0100686209")
"""As companies print them on their pages: Viettel, Vinamilk, FPT, MobiFone."""


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_numbers_fit(number: str) -> None:
    assert normalise_tax_number(f" {number[:4]} {number[4:]} ") == number
    assert normalise_tax_number(f"{number}001") == normalise_tax_number(f"{number}-001") == f"{number}-001"


@given(number=st.from_regex(r"[0-9]{9}", fullmatch=True), place=st.integers(0, 8), digit=st.integers(0, 9))
def test_one_wrong_digit_is_noticed(number: str, place: int, digit: int) -> None:
    check = check_digit(number)
    wrong = f"{number[:place]}{digit}{number[place + 1 :]}"
    if check < 10:
        assert normalise_tax_number(f"{number}{check}") == f"{number}{check}"
        if wrong != number:
            with pytest.raises(InvalidInputError, match="check digit"):
                normalise_tax_number(f"{wrong}{check}")


@pytest.mark.parametrize("written", ["123", "01001091O6", "0100109106-1", "٠١٠٠١٠٩١٠٦"])
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(InvalidInputError, match="no tax number"):
        normalise_tax_number(written)


def test_an_organisation_has_a_number_of_its_own(runtime: Runtime, sign_in: SignIn) -> None:
    administrator = sign_in("administrator")
    body = {"name": "Nông sản", "kind": "enterprise", "tax_number": "0100 109 106"}
    made = administrator.post("/api/v1/organisations", json=body)
    assert (made.status_code, made.json()["tax_number"]) == (201, "0100109106")
    other = administrator.post("/api/v1/organisations", json={"name": "Khác", "kind": "enterprise"}).json()
    path = f"/api/v1/organisations/{other['organisation_id']}"
    taken = administrator.patch(path, json={"tax_number": "0100109106"})
    assert (taken.status_code, taken.json()["field"]) == (409, "tax_number")
    assert administrator.patch(path, json={"tax_number": "0100109107"}).status_code == 422
    assert administrator.patch(path, json={"tax_number": "0300588569"}).json()["tax_number"] == "0300588569"
    assert administrator.patch(path, json={"is_authorised_operator": True}).json()["tax_number"] == "0300588569"
    with runtime.sessions() as session:
        found = find_by_tax_number(session, "0300588569")
        assert found is not None
        assert found.organisation_id == other["organisation_id"]
        assert find_by_tax_number(session, "91450100MA5K") is None
    assert "0300588569" in administrator.get("/admin/organisations").text
