"""Tiles over HTTP: tags, caching, and answers where there is nothing."""

from __future__ import annotations

import pytest

from maps.tiles import MEDIA_TYPE
from tests.conftest import SignIn
from tests.maps.mvt import read_layers

TILE = "/tiles/roads/9/407/225"


def test_tile_and_its_copy(sign_in: SignIn) -> None:
    driver = sign_in("driver")
    answer = driver.get(TILE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "private" in answer.headers["cache-control"]
    assert read_layers(answer.content)["roads"]
    again = driver.get(TILE, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["etag"] == answer.headers["etag"]


def test_empty_tile_has_no_content(sign_in: SignIn) -> None:
    answer = sign_in("driver").get("/tiles/sites/9/0/0")
    assert answer.status_code == 204
    assert not answer.content


@pytest.mark.parametrize("path", ["/tiles/trucks/9/407/225", "/tiles/roads/9/512/0", "/tiles/roads/23/0/0"])
def test_no_such_tile(sign_in: SignIn, path: str) -> None:
    answer = sign_in("driver").get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_address_must_be_numbers(sign_in: SignIn) -> None:
    assert sign_in("driver").get("/tiles/roads/a/b/c").status_code == 422
