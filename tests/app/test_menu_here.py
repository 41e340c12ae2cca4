"""Which entry of a menu a page is marked as."""

import pytest

from app.web.pages import NAVIGATION, find_here

ADMIN = ("/admin", "/admin/organisations", "/admin/tariffs")


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/admin", "/admin"),
        ("/admin/accounts/7", "/admin"),
        ("/admin/tariffs/1", "/admin/tariffs"),
        ("/admin/tariffs-of-old", "/admin"),
        ("/enterprises", ""),
    ],
)
def test_a_page_belongs_to_the_longest_folder_it_is_in(path: str, here: str) -> None:
    assert find_here(path, (*ADMIN, "/enterprise")) == here


def test_the_entry_over_all_pages_of_administration_is_called_so() -> None:
    assert [label for _, address, label, _ in NAVIGATION if address == "/admin"] == ["Administration"]
