"""The auditor reads every page that somebody reads, is led to it, and finds nothing there to press that changes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from app.bootstrap import web
from app.declarations.personal import project
from app.gates.service import seed_profiles
from app.platform.permissions import PERMISSIONS, Principal, Role
from app.platform.runtime import Runtime
from app.settings import Settings
from app.web.pages import NAVIGATION
from geo.corridor import Corridor
from tests.app.dispatching import add_organisation
from tests.app.stationing import Gate
from tests.app.test_permissions import acts_of, routes
from tests.conftest import SignIn

HTML = {"accept": "text/html"}
NOT_READ = {
    "/admin/accounts/import": "a form that makes accounts; what it made is on the list of accounts",
    "/admin/accounts/template.csv": "an empty file to fill in",
    "/admin/accounts/new": "an empty form",
    "/enterprise/register/{subject}s/new": "an empty form",
    "/claims/answer": "what waits for one's own answer; all claims are on /claims",
    "/devices/traces": "a form to send a file",
    "/declarations/template.xlsx": "an empty file to fill in",
    "/declarations/import": "a form to send a file",
    "/declarations/imports/{import_id}": "one's own drafts, before anything is filed",
    "/declarations/imports/{import_id}/refused.xlsx": "one's own drafts",
    "/declarations/imports/{import_id}/rows/{number}": "one's own drafts",
    "/declarations/new": "an empty form",
    "/declarations/{trip_id}/edit": "the form of a declaration that the auditor reads at /declarations/{trip_id}",
    "/support/{arrival_id}/declare": "the same form",
    "/transshipments/new": "an empty form",
    "/fees/{fee_id}/correction": "an empty form",
}
"""Pages that others read and the auditor does not, each with the reason."""
PARTS = {
    "/account": "one's own, in the menu of the name",
    "/account/factors": "one's own, from there",
    "/account/factors/app": "one's own, from there",
    "/notifications": "one's own; nobody tells an auditor anything",
    "/support/ringing": "the bell of the desk alone",
    "/support/enterprises": "choices of a field of a form",
    "/declarations/hs": "codes to choose in a form",
    "/police/emergencies": "a part of /police, fetched by its script",
    "/station/work": "a part of /station, likewise",
    "/station/find": "what its search finds",
    "/station/board": "a part of /station/gates",
}
"""Pages without a number in their address that no link leads to."""

ACTS = ("data-act", "data-undo", "data-settle", "hx-post")
ELSEWHERE = {"", "passkey", "provider", "cancel", "leave", "print"}
"""Buttons of the dialog that asks who it is, and what changes nothing."""


def pages(app: Any) -> list[tuple[str, set[str]]]:
    """Address and acts of every page: what is read in a browser, not by programs."""
    read = ((route.path, acts_of(route.dependant)) for method, route in routes(app) if method == "GET")
    return [(path, acts) for path, acts in read if acts and not path.startswith(("/api/", "/tiles/"))]


def may(role: Role, acts: set[str]) -> bool:
    return all(role in PERMISSIONS[act] for act in acts)


class Read(HTMLParser):
    """Addresses that a page leads to, without what `theme.css` hides from who only reads (`.ck-reading .ck-act`)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: set[str] = set()
        self.is_reading = False
        self.acts: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        classes = named.get("class", "").split()
        if tag == "body":
            self.is_reading = "ck-reading" in classes
        if tag == "button" and "ck-act" not in classes and named.get("data-act", "") not in ELSEWHERE:
            self.acts |= {f"{name}={named[name]}" for name in ACTS if name in named}
        addresses = (named.get(name, "") for name in ("href", "hx-get", "data-board", "data-address"))
        self.addresses |= {address for address in addresses if address.startswith("/") and "ck-act" not in classes}


def test_the_auditor_may_read_every_page_that_anybody_reads() -> None:
    closed = {path for path, acts in pages(web(settings=Settings(demo=True))) if not may(Role.AUDITOR, acts)}
    assert closed == set(NOT_READ)


def test_the_auditor_is_led_to_every_page_and_each_only_shows(
    runtime: Runtime, corridor: Corridor, sign_in: SignIn
) -> None:
    gate = Gate.open(runtime, sign_in)
    with runtime.sessions.begin() as session:
        seed_profiles(session, corridor, now=runtime.clock.now())
    gate.declare("29C-123.45")
    gate.arrive("29C-123.45")
    auditor = sign_in("auditor", locale="en")
    named = dict(sorted(pages(auditor.app), key=lambda page: page[0].count("{")))  # /fees/bills before /fees/{fee_id}
    forms = {path: re.compile(re.sub(r"\{\w+\}", r"[^/]+", path) + "$") for path in named}
    ahead = [("the menu", address) for act, address, *_ in NAVIGATION if Role.AUDITOR in PERMISSIONS[act]]
    seen: set[str] = set()
    faults: set[str] = set()
    while ahead:
        whence, address = ahead.pop()
        path = next((path for path, form in forms.items() if form.match(address.partition("?")[0])), None)
        if path is None or path in seen or "." in path:
            continue
        if path in NOT_READ:
            faults.add(f"{whence} leads to {path}")
            continue
        answer = auditor.get(address, headers=HTML)
        seen.add(path)
        if answer.status_code != 200:
            faults.add(f"{address} (of {whence}): {answer.status_code}")
        page = Read(answer.text)
        if "<body" in answer.text and not page.is_reading and not path.startswith("/account"):
            faults.add(f"{address} shows what changes")
        faults |= {f"{address} shows a button that acts: {act}" for act in page.acts}
        ahead += [(path, found) for found in sorted(page.addresses)]
    wanted = {path for path, acts in named.items() if may(Role.AUDITOR, acts) and not re.search(r"[{.]", path)}
    faults |= {f"no link leads to {path}" for path in wanted - seen - set(PARTS)}
    assert not faults, "\n".join(sorted(faults))


def test_what_is_of_one_enterprise_is_chosen(runtime: Runtime, sign_in: SignIn) -> None:
    gate = Gate.open(runtime, sign_in)
    other = add_organisation(runtime, "Vận tải Kỳ Lừa")
    theirs = sign_in("enterprise", organisation_id=other, locale="en")
    sent = {"plate": "12C-777.77", "vehicle_class": "tractor"}
    assert theirs.post("/enterprise/register/vehicles/new", data=sent, headers=HTML).status_code in {200, 303}
    auditor = sign_in("auditor", locale="en")
    first = auditor.get("/enterprise/register", headers=HTML).text
    assert "12C-777.77" not in first
    assert "Vận tải Kỳ Lừa" in first
    for query in ({"enterprise": other}, {"find": "ky lua"}, {"find": "ky lua", "enterprise": gate.organisation_id}):
        shown = auditor.get("/enterprise/register", params=query, headers=HTML).text
        assert "12C-777.77" in shown, query
        (entry,) = set(re.findall(rf'href="(/enterprise/register/vehicles/\d+\?enterprise={other})"', shown))
    assert auditor.get(entry, headers=HTML).status_code == 200
    assert auditor.get(entry.partition("?")[0], headers=HTML).status_code == 404, "another's entry"
    assert auditor.get("/enterprise/register?enterprise=999999", headers=HTML).status_code == 404
    mine = gate.person("enterprise").get(f"/enterprise/register?enterprise={other}", headers=HTML).text
    assert "12C-777.77" not in mine, "who has an own page sees that, whatever the address says"
    for address in ("/bookings", "/fees/bills", "/enterprise/webhooks", "/asked-trips", "/declarations/prefilled"):
        assert auditor.get(address, params={"enterprise": other}, headers=HTML).status_code == 200


@pytest.mark.parametrize("office", ["gate_management:huu-nghi", "tax:tan-thanh"])
def test_the_counter_of_an_office_is_chosen(sign_in: SignIn, office: str) -> None:
    auditor = sign_in("auditor", locale="en")
    page = auditor.get("/fees", params={"office": office}, headers=HTML).text
    assert f'data-board="/fees/board?office={office.replace(":", "%3A")}"' in page
    assert "data-send" not in page
    assert auditor.get("/fees?office=nobody", headers=HTML).status_code == 404


def test_reading_as_others_do_is_no_act_of_theirs(runtime: Runtime, sign_in: SignIn) -> None:
    gate = Gate.open(runtime, sign_in)
    trip_id = gate.declare("29C-123.45")
    auditor = sign_in("auditor", locale="en")
    unsafe = [
        ("/bookings", {"trip_id": trip_id}),
        ("/enterprise/register/vehicles/new", {"plate": "29C-111.11"}),
        ("/enterprise/webhooks", {"url": "https://a.example/"}),
        ("/station/handover", {"note": "x"}),
        (f"/asked-trips/{trip_id}", {"agreed": "yes"}),
        ("/api/v1/payments/closings", {}),
    ]
    for address, sent in unsafe:
        query = {"enterprise": gate.organisation_id, "office": "tax:huu-nghi", "gate": "huu-nghi"}
        assert auditor.post(address, params=query, data=sent).status_code == 403, address


def test_whose_page_it_is_gives_no_right_to_personal_data() -> None:
    auditor = Principal(1, "a", "A", Role.AUDITOR, None, None, None, "vi", b"", "")
    looking = auditor.look_as(Role.ENTERPRISE, organisation_id=3)
    assert (looking.role, looking.reader, looking.is_looking) == (Role.ENTERPRISE, Role.AUDITOR, True)
    assert looking.look_as(Role.YARD_OPERATOR).reader is Role.AUDITOR
    assert (auditor.reader, auditor.is_looking) == (Role.AUDITOR, False)
    told = project({"driver_phone": "0987654321", "health_note": "Sốt", "goods": "Mít"}, looking.reader)
    assert told == {"driver_phone": "…4321", "goods": "Mít"}
