"""The house rules of imports that names decide: what is not HTTP's edge does not reach a web framework."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import grimp
import pytest

BENCHES = Path(__file__).parents[1] / "bench"

EDGE = re.compile(r"(endpoints|pages)$")
"""Modules of routes."""
OTHER_EDGES = {
    "app.bootstrap": "starts the processes, the web application among them",
    "app.cli": "calls the bootstrap",
    "app.large_bodies": "who may send large bodies",
    "app.main": "puts the application together",
    "app.accounts.authorisation": "guards routes",
    "app.accounts.viewpoints": "what pages of enterprises are given",
    "app.web.viewpoint": "whose page it is, kept with the request",
    "app.accounts.cookies": "how sessions travel",
    "app.bookings.dependencies": "what pages that show a booking are given",
    "app.dispatch.dependencies": "what routes that answer orders are given",
    "app.planning.fields": "fields of a sent form, from the models of its routes",
    "app.planning.form": "reads a sent form",
    "app.integrations.dependencies": "what routes that look after neighbours are given",
    "app.ops.tracing": "traces the web application",
    "app.open_data.ogc": "OGC API, by tipg",
    "app.open_data.ogc_door": "the way to it",
    "app.open_data.pace": "who asks how often",
    "app.platform.dependencies": "what routes are given",
    "app.platform.errors": "errors as answers",
    "app.platform.idempotency_key": "a header",
    "app.platform.page_links": "parameters and a header",
    "app.platform.table_answers": "parameters and answers",
    "app.platform.versions": "headers",
    "app.public.board_answers": "the public board as answers",
    "app.public.board_door": "a middleware",
    "app.sheets.dependencies": "what routes that act on sheets are given",
    "app.signin.dependencies": "what routes of signing in are given",
    "app.tracking.gps_door": "a middleware",
    "app.tracking.request_body": "reads the bodies of requests",
    "app.web.api_description": "the description of routes",
    "app.web.assets": "serves files",
    "app.web.bodies": "a middleware",
    "app.web.draining": "a middleware",
    "app.web.first_sheet": "in which form a page is asked for",
    "app.web.headers": "a middleware",
    "app.web.hosts": "a middleware",
    "app.web.request_metrics": "a middleware",
    "app.web.routers": "how routes are made",
}
FRAMEWORKS = ("fastapi", "starlette", "jinja2")


def test_domain_code_reaches_no_web_framework() -> None:
    graph = grimp.build_graph("app", "geo", "routing", "capacity", "ingest", "maps", include_external_packages=True)
    domain = {module for module in graph.modules if not EDGE.search(module)} - OTHER_EDGES.keys() - {*FRAMEWORKS}
    assert len(domain) > 250
    chains = [
        " > ".join(chain)
        for module in sorted(domain)
        if module.partition(".")[0] not in FRAMEWORKS
        for framework in FRAMEWORKS
        if framework in graph.modules and (chain := graph.find_shortest_chain(module, framework))
    ]
    assert chains == []
    idle = [
        module for module in OTHER_EDGES if not any(graph.chain_exists(module, framework) for framework in FRAMEWORKS)
    ]
    assert idle == [], "an exception that needs none"


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHES.glob("[a-z]*.py")))
def test_a_bench_finds_what_it_measures(name: str) -> None:
    assert import_module(f"bench.{name}")
