"""Every route names its act or is public on purpose, and answers each role as the table says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from app.bootstrap import web
from app.open_data.ogc import make_ogc
from app.platform import permissions
from app.platform.permissions import PERMISSIONS, Role
from app.settings import Settings
from ingest.formats.registry import GPS_FORMATS

PUBLIC = {
    ("GET", "/"): "leads to the own page, or is the public board",
    ("GET", "/board"): "gates and yards, nothing about a truck or a person",
    ("GET", "/board/{gate_id}"): "as the board",
    ("GET", "/api/v1/board"): "as the board",
    **{
        ("GET", f"/ogc{path}"): "views for everybody, by a role that reads nothing else"
        for path in (
            "/",
            "/conformance",
            "/collections",
            "/collections/{collectionId}",
            "/collections/{collectionId}/queryables",
            "/collections/{collectionId}/items",
            "/collections/{collectionId}/items/{itemId}",
            "/tileMatrixSets",
            "/tileMatrixSets/{tileMatrixSetId}",
            "/collections/{collectionId}/tiles",
            "/collections/{collectionId}/tiles/{tileMatrixSetId}",
            "/collections/{collectionId}/tiles/{tileMatrixSetId}/{z}/{x}/{y}",
            "/collections/{collectionId}/tiles/{tileMatrixSetId}/tilejson.json",
            "/collections/{collectionId}/tiles/{tileMatrixSetId}/style.json",
        )
    },
    ("GET", "/api/v1/open-data"): "what the columns of open data say",
    ("GET", "/api/v1/open-data/{name}/latest"): "what the board said last",
    ("GET", "/api/v1/open-data/{name}/days/{day}"): "what the board said",
    ("GET", "/api/v1/datex/situations"): "as the board",
    ("GET", "/api/v1/datex/parking"): "as the board",
    ("GET", "/api/v1/datex/parking-table"): "as the board",
    ("GET", "/api/v1/datex/travel-times"): "as the board, and speeds of roads",
    ("GET", "/signin"): "the form",
    ("POST", "/signin"): "who knows the password",
    ("POST", "/signin/passkey/options"): "a question to a passkey, which answers it or not",
    ("POST", "/signin/passkey"): "who holds a passkey",
    ("GET", "/signin/second-factor"): "the cookie of a sign-in that has begun, as all of these",
    ("POST", "/signin/second-factor"): "as its form",
    ("GET", "/signin/new-password"): "as the second factor",
    ("POST", "/signin/new-password"): "as its form",
    ("GET", "/signin/enrolment"): "as the second factor",
    ("POST", "/signin/enrolment"): "as its form",
    ("POST", "/signin/enrolment/passkey/options"): "as its form",
    ("POST", "/signin/finish"): "as the second factor, once nothing is missing",
    ("GET", "/signin/provider"): "leads to the identity provider",
    ("GET", "/signin/provider/callback"): "what the provider signed, and the cookie of who was sent there",
    ("GET", "/first-administrator/{token}"): "the token is the key, and opens nothing once there is an administrator",
    ("POST", "/first-administrator/{token}"): "as its form",
    ("POST", "/language"): "a preference of the browser",
    ("POST", "/api/v1/tokens"): "who knows the password",
    ("GET", "/healthz"): "says nothing but that it lives",
    ("GET", "/readyz"): "names parts, no data",
    ("GET", "/readyz/web"): "whether this process drains",
    ("GET", "/metrics"): "checks the address or the metrics token itself",
    ("GET", "/forecast"): "how good forecasts are, no data of anybody",
    ("GET", "/.well-known/security.txt"): "for finders of faults, who have no account",
    ("GET", "/security.txt"): "leads there",
    ("GET", "/privacy"): "how data are used, for everybody to read",
    ("GET", "/t"): "a field for a trip's code",
    ("GET", "/t/{written}"): "a trip's code is the key",
    ("GET", "/t/{written}.svg"): "draws the code it is given",
    ("POST", "/api/v1/payments/bank/{collecting_account_id}"): "a bank's signature is the key",
    **{
        (method, path): item.credential.value
        for item in GPS_FORMATS.values()
        for method in item.methods
        for path in item.routes
    },
    ("POST", "/cameras/{vendor}"): "the camera's own key",
    ("POST", "/equipment/heartbeat"): "the device's own key",
    ("POST", "/equipment/weighings"): "the scale's own key",
    ("POST", "/equipment/scans"): "the scanner's own key",
    ("POST", "/equipment/seal-events"): "the seal's own key",
    ("POST", "/neighbours/{name}/messages"): "who signs with the neighbour's secret",
}
COMPUTING: set[str] = set()
"""Routes that take a body but change nothing."""
STREAMS = {"/api/v1/events"}
"""Routes that never end; their permission is tested in test_events."""


def routes(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    for route in walk(app.routes):
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route


def paths_of(app: FastAPI) -> Iterator[tuple[str, str, Dependant]]:
    """Method, whole path and dependencies of every route, those below `/ogc` among them."""
    for method, route in routes(app):
        yield method, route.path, route.dependant
    mounted = {route.path for route in app.routes if isinstance(route, Mount)}
    assert mounted == {"/ogc", "/static", "/vendor"}, "an application below another: its routes must be walked here"
    for method, route in routes(make_ogc("/ogc")):
        yield method, f"/ogc{route.path}", route.dependant


def walk(items) -> Iterator[APIRoute]:
    for item in items:
        if isinstance(item, APIRoute):
            yield item
        elif hasattr(item, "original_router"):
            yield from walk(item.original_router.routes)


def acts_of(dependant: Dependant) -> set[str]:
    own = getattr(dependant.call, "act", None)
    return ({own} if own else set()).union(*(acts_of(part) for part in dependant.dependencies))


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return web(settings=Settings(demo=True))


def test_the_walk_sees_the_routes(app):
    paths = {route.path for _, route in routes(app)}
    assert {"/signin", "/api/v1/accounts/{account_id}", "/api/v1/events", "/readyz"} <= paths


def test_every_route_names_its_act_or_is_public(app):
    bare = {(method, path) for method, path, dependant in paths_of(app) if not acts_of(dependant)}
    assert bare <= set(PUBLIC), f"neither an act nor in PUBLIC: {sorted(bare - set(PUBLIC))}"
    assert set(PUBLIC) <= bare, f"in PUBLIC, but no such route: {sorted(set(PUBLIC) - bare)}"


def test_no_public_route_asks_for_an_act(app):
    acting = {(method, path) for method, path, dependant in paths_of(app) if acts_of(dependant)}
    assert not acting & set(PUBLIC)


def test_every_act_has_a_role():
    assert all(PERMISSIONS.values())


def test_every_act_is_asked_for(app):
    """By a route, or in the code by name where the route cannot know."""
    asked = {act for _, route in routes(app) for act in acts_of(route.dependant)}
    sources = Path(permissions.__file__).parents[1].rglob("*.py")
    code = "".join(path.read_text() for path in sources if path != Path(permissions.__file__))
    unused = {act for act in PERMISSIONS if act not in asked and f'"{act}"' not in code}
    assert not unused, f"in the table, and nobody asks: {sorted(unused)}"


def test_changes_do_not_hang_on_reading_acts(app):
    """A route that is not GET names an act that changes something, unless it only computes an answer."""
    for method, route in routes(app):
        acts = acts_of(route.dependant)
        changing = [act for act in acts if not act.endswith(".read") and not act.startswith("pages.")]
        if method != "GET" and acts and not changing:
            assert route.path in COMPUTING, f"{method} {route.path} only asks for {acts}"


@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_what_the_table_says(role, sign_in, client):
    own = sign_in(role, **({"gate_id": "huu-nghi"} if PERMISSIONS["pages.station"].get(role) else {}))
    checked = 0
    for method, route in routes(client.app):
        acts = acts_of(route.dependant)
        if not acts or route.path in STREAMS:
            continue
        if not all(role in PERMISSIONS[act] for act in acts):
            answer = own.request(method, re.sub(r"\{.*?\}", "1", route.path), headers={"accept": "application/json"})
            assert answer.status_code == 403, f"{role} {method} {route.path}: {answer.status_code}"
        elif method == "GET" and "{" not in route.path:
            answer = own.get(route.path, headers={"accept": "application/json"}, follow_redirects=False)
            assert answer.status_code not in {401, 403, 405}, f"{role} GET {route.path}: {answer.status_code}"
            assert answer.status_code < 500, f"{role} GET {route.path}: {answer.status_code} {answer.text[:300]}"
            checked += 1
    assert checked > 5


def test_nobody_sees_anything_without_signing_in(client):
    for method, route in routes(client.app):
        if not acts_of(route.dependant):
            continue
        path = route.path.replace("{", "").replace("}", "")
        answer = client.request(method, path, headers={"accept": "application/json"})
        assert answer.status_code == 401, f"{method} {route.path}: {answer.status_code}"
