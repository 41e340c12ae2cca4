"""Style sheets of the kit keep what pages use, and drop the rest."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from app.web.trimming import Used, trim, without_unread_properties

USED = Used.of(['<a class="btn btn-primary">', "`badge-${kind}`", '"truck"'])


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        (".btn{a:b}", ".btn{a:b}"),
        (".modal{a:b}", ""),
        (".btn,.modal{a:b}", ".btn{a:b}"),
        ("a:is(.btn,p){a:b}", "a:is(.btn,p){a:b}"),
        (".btn .modal{a:b}", ""),
        (".btn:not(.modal){a:b}", ".btn:not(.modal){a:b}"),
        ("body{a:b}:root{--x:1}", "body{a:b}:root{--x:1}"),
        (".badge-red{a:b}", ".badge-red{a:b}"),
        (".ti-truck:before{a:b}.ti-zoom:before{a:b}", ".ti-truck:before{a:b}"),
        ("@media print{.btn{a:b}.modal{a:b}}", "@media print{.btn{a:b}}"),
        ("@media print{.modal{a:b}}", ""),
        ("@keyframes x{0%{a:b}to{a:c}}", "@keyframes x{0%{a:b}to{a:c}}"),
        ('@charset "utf-8";.btn{a:b}', '@charset "utf-8";.btn{a:b}'),
        ("/* .x{} */.btn{a:b}", ".btn{a:b}"),
        ("[class]{a:b}[data-x]{a:b}", "[class]{a:b}"),
    ],
)
def test_a_rule_stays_where_it_can_match(style: str, kept: str) -> None:
    assert trim(style, USED) == kept


NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(st.lists(st.tuples(NAME, st.booleans()), max_size=20, unique_by=lambda each: each[0]))
def test_what_is_used_is_kept_and_nothing_else(names: list[tuple[str, bool]]) -> None:
    used = Used(frozenset(name for name, is_used in names if is_used), ())
    style = "".join(f".{name}{{a:b}}" for name, _ in names)
    wanted = [name for name, is_used in names if is_used or (name[:3] == "ti-" and name[3:] in used.words)]
    assert re.findall(r"\.([\w-]+)", trim(style, used)) == wanted


def test_sheets_are_small_and_asked_for_once(client: TestClient) -> None:
    base = client.get("/static/kit/base.css")
    assert base.status_code == 200
    assert "./files/" not in base.text
    assert all(f".{name}" in base.text for name in ("btn-primary", "form-control", "dropdown-menu", "navbar"))
    assert len(base.content) < 250_000, "Tabler alone has 635 kB"
    again = client.get("/static/kit/base.css", headers={"If-None-Match": base.headers["etag"]})
    assert again.status_code == 304
    icons = client.get("/static/kit/icons.css").text
    assert ".ti-truck:before" in icons
    assert client.get("/static/kit/nothing.css").status_code == 404


def test_the_font_of_the_icons_has_those_that_are_used(client: TestClient) -> None:
    sheet, font = client.get("/static/kit/icons.css").text, client.get("/static/kit/icons.woff")
    assert "/kit/icons.woff" in sheet
    assert "woff2" not in sheet
    assert font.headers["content-type"] == "font/woff"
    signs = {int(sign, 16) for sign in re.findall(r'content:"\\([0-9a-f]+)"', sheet)}
    assert signs <= set(TTFont(BytesIO(font.content)).getBestCmap())
    assert len(font.content) < 100_000, "all of them have 780 kB"


@pytest.mark.parametrize("template", ["nothing.html", "..%2fsecret.html", "driver/driver"])
def test_there_is_no_first_sheet_without_a_template(client: TestClient, template: str) -> None:
    assert client.get(f"/static/kit/first/{template}.css").status_code == 404


def test_custom_properties_that_nothing_reads_are_left_out() -> None:
    style = ":root{--a:1;--b:var(--c);--c:url('x;y');--d:2}p{color:var(--b, red);margin:var( --d)}.x--a{top:0}"
    kept = ":root{--b:var(--c);--c:url('x;y');--d:2}p{color:var(--b, red);margin:var( --d)}.x--a{top:0}"
    assert without_unread_properties(style) == kept
