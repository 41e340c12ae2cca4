"""Identity papers, telephones and health are read by role, on every page and by every endpoint that can be fetched.

One gate holds marked values (as in `test_at_rest`). A person of each role fetches every address that takes no more than
identifiers, each with the identifiers that exist; what must not be in clear for the role is in no answer.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.declarations.personal import project_reasons
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from app.procedures.readers import project_noted, reads_in_clear
from app.registers.tables import NUMBERS as COLUMNS
from tests.app.dispatching import add_organisation
from tests.app.test_at_rest import HEALTH, NUMBERS, Filled, fill_gate
from tests.app.test_permissions import STREAMS, routes

VEHICLE_PAPER: Final = NUMBERS[10]
"""Of a vehicle and no person; a desk compares it with the paper."""
OF_REGISTER: Final = (NUMBERS[6], NUMBERS[7], NUMBERS[8], NUMBERS[9])
"""What the enterprise keeps on file, and wrote in its file of declarations."""
BY_PURPOSE: Final = ("/api/v1/privacy/accounts/{account_id}/data", "/api/v1/me/data")
"""A person's own data, given out to the person."""
SKIPPED: Final = re.compile(
    r"^/(readyz|healthz|tiles|static|docs|openapi|equipment|t/|metrics|signin|first-administrator|gps|api/v1/(history|forecasts|"
    r"scenarios|statistics|skill|gates|corridor|tiles|yards|hs-codes|vietqr|tariff))"
)
"""Nothing of a driver, and dear to fetch many times."""


@pytest.fixture
def filled(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Filled:
    return fill_gate(runtime, sign_in)


def addresses(app: FastAPI, trip_id: int) -> Iterator[str]:
    """Every address that can be fetched, with the trip and the first of everything else."""
    for method, route in routes(app):
        if method != "GET" or route.path in STREAMS or route.path in BY_PURPOSE or SKIPPED.match(route.path):
            continue
        filled = re.sub(r"\{trip_id(:\w+)?\}", str(trip_id), route.path)
        filled = re.sub(r"\{subject\}", "driver", filled)
        filled = re.sub(r"\{step\}", "barrier_1", filled)
        filled = re.sub(r"\{gate_id\}", "huu-nghi", filled)
        yield re.sub(r"\{\w+(:\w+)?\}", "1", filled)


def text_of(answer_type: str, content: bytes) -> str:
    """What an answer says; a workbook's sheets too."""
    if "spreadsheet" in answer_type:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())
    return content.decode("utf-8", "replace")


EXTRA: Final = (
    "/api/v1/inspections?station=barrier_1",
    "/api/v1/inspections?station=customs",
    "/api/v1/stations/search?text=29C-123.45",
    "/api/v1/stations/closed?text=29C-123.45",
    "/api/v1/transshipments?trip_id={trip_id}",
    "/api/v1/registers?organisation_id=1",
    "/api/v1/registers?organisation_id=2",
    "/api/v1/audit?limit=200",
    "/station/barrier_1",
    "/station/customs",
)


def test_no_answer_tells_a_role_what_it_must_not_read(filled: Filled, sign_in: Callable[..., TestClient]) -> None:
    other = add_organisation(filled.gate.runtime, "Vận tải Bắc Sơn")
    told: dict[str, set[str]] = {}
    strangers = {"stranger": sign_in("enterprise", locale="en", organisation_id=other), "driver": sign_in("driver")}
    clients = {role.value: filled.gate.person(role.value) for role in Role if role is not Role.DRIVER} | strangers
    for name, client in clients.items():
        role = Role.ENTERPRISE if name == "stranger" else Role.get(name)
        is_outside = name in strangers
        hidden: list[str] = []
        if is_outside or not reads_in_clear(role, "driver"):
            hidden += [mark for mark in NUMBERS if mark != VEHICLE_PAPER or is_outside]
            if role in (Role.SUPPORT, Role.ADMINISTRATOR, Role.AUDITOR):
                hidden = [mark for mark in hidden if mark != VEHICLE_PAPER]
        elif role not in (Role.ENTERPRISE,):
            hidden += OF_REGISTER  # what another keeps on file, and what is not handed in, is none of their business
        if is_outside or not reads_in_clear(role, "health"):
            hidden += HEALTH
        found = []
        fetched = [*addresses(client.app, filled.trip_id), *(each.format(trip_id=filled.trip_id) for each in EXTRA)]  # type: ignore[arg-type]
        for address in fetched:
            answer = client.get(address, follow_redirects=False)
            assert answer.status_code < 500, (name, address, answer.text[:300])
            said = text_of(answer.headers.get("content-type", ""), answer.content)
            found += [(address, mark) for mark in hidden if mark in said]
            told.setdefault(name, set()).update(mark for mark in (*NUMBERS, *HEALTH) if mark in unquote(said))
        assert not found, name
    assert {NUMBERS[2], NUMBERS[3], HEALTH[2], "39.83"} <= told["enterprise"], "the walk reaches what it looks for"
    assert {NUMBERS[2], "39.83", HEALTH[3]} <= told["health_quarantine"]
    assert {NUMBERS[2], NUMBERS[5]} <= told["border_guard"]
    assert not told["stranger"] | told["driver"]


@pytest.mark.parametrize("role", list(Role))
def test_why_a_declaration_was_returned_keeps_what_was_said_of_health(role: Role) -> None:
    of_health = project_reasons({"step": "health", "reasons": ["symptoms"], "text": "Sốt"}, role)
    assert of_health == {
        "step": "health",
        "reasons": ["symptoms"],
        "text": "Sốt" if reads_in_clear(role, "health") else "",
    }
    of_papers = project_reasons({"step": "customs", "reasons": ["weight"], "text": "Sai cân"}, role)
    assert of_papers is not None
    assert of_papers["text"] == "Sai cân"


@pytest.mark.parametrize("role", list(Role))
def test_what_officers_noted_is_read_by_role_however_deep(role: Role) -> None:
    noted = {
        "step": "health",
        "data": {"temperature_c": 38.9, "note": "Sốt", "entered_later": {"by": "An"}},
        "changed": [{"field": "driver_phone", "old": "0912345678", "new": "0987654321"}],
        "driver_paper_number": "B1234567",
    }
    told = str(project_noted(noted, role))
    assert ("38.9" in told) == ("Sốt" in told) == reads_in_clear(role, "health")
    assert ("0912345678" in told) == ("B1234567" in told) == reads_in_clear(role, "driver")
    assert "…5678" in told or reads_in_clear(role, "driver")
    assert "entered_later" in told
    plain = {"step": "yard", "note": "Bãi 3", "yard_id": "y"}
    assert project_noted(plain, role) == plain
    assert project_noted({"note": "Sốt"}, role, "quarantine_health") == (
        {"note": "Sốt"} if reads_in_clear(role, "health") else {}
    )


def test_the_digests_of_a_register_cover_its_numbers() -> None:
    assert set(COLUMNS) == {"phone", "paper_number", "licence_number"}
