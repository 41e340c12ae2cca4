"""A page or list of many things asks the database as few questions as one of few.

At one gate trucks of one enterprise stand at the same points of their way, with a driver on file, a claim, a fee and
export data from Nanning each. Every address without an identifier is fetched with few and
with many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.declarations.form import Form
from app.declarations.prefilled_tables import PrefilledRow
from app.platform.runtime import Runtime
from tests.app.stationing import FRUIT, Gate
from tests.app.test_permissions import STREAMS, routes

FEW: Final = 2
MANY: Final = 8
ROLES: Final = ("enterprise", "border_guard", "customs", "gate_management", "support", "traffic_police", "auditor")
KEPT: Final = ("/board", "/api/v1/board", "/api/v1/datex/")
"""Made once in some seconds for everybody, as `test_board` holds."""
SPARE: Final = 3
"""Questions more with many than with few: what is asked once where there is one thing of a kind at all."""


def addresses(app: FastAPI) -> Iterator[str]:
    """What can be fetched without naming anything."""
    for method, route in routes(app):
        if method == "GET" and "{" not in route.path and route.path not in STREAMS and not route.path.startswith(KEPT):
            yield route.path


def come(gate: Gate, numbers: range) -> None:
    """Trucks that come, one behind the other, every second as far as the fee."""
    for number in numbers:
        plate = f"29C-{100 + number}.45"
        enterprise = gate.person("enterprise")
        driver = {"full_name": f"Hoàng Văn {number}", "paper": "passport", "paper_number": f"B12345{number:02}"}
        filed = enterprise.post("/api/v1/registers/drivers", json=driver)
        assert filed.status_code == 201, filed.text
        assert (
            enterprise.post("/api/v1/claims", json={"plate": plate, "paper_number": f"{number:06}"}).status_code == 201
        )
        trip_id = gate.declare(plate, lines=[FRUIT])
        gate.arrive(plate)
        if number % 2:
            gate.after_quarantine(trip_id)
            gate.pass_steps(trip_id, ("customs", "customs"))
    now = gate.runtime.clock.now()
    with gate.runtime.sessions() as session:
        for number in numbers:
            session.add(
                PrefilledRow(
                    source="nanning",
                    reference=f"NN{number:011}",
                    version=1,
                    number="",
                    organisation_id=gate.organisation_id,
                    consignee="Nông sản Lạng Sơn",
                    gate_id="huu-nghi",
                    plate=f"29C{100 + number}45",
                    data=Form().to_record(),
                    received_at=now,
                    changed_at=now,
                )
            )
        session.commit()


def questions(gate: Gate) -> dict[tuple[str, str], int]:
    """How many questions each page and list asks, by role and address; those that are refused ask few."""
    asked: list[str] = []

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    found = {}
    event.listen(gate.runtime.engine, "before_cursor_execute", note)
    for role in ROLES:
        client = gate.person(role)
        for address in addresses(client.app):  # type: ignore[arg-type]
            asked.clear()
            client.get(address, follow_redirects=False)
            found[role, address] = len(asked)
    event.remove(gate.runtime.engine, "before_cursor_execute", note)
    return found


def test_no_list_asks_once_more_for_each_thing_in_it(runtime: Runtime, sign_in: Callable[..., TestClient]) -> None:
    gate = Gate.open(runtime, sign_in)
    come(gate, range(FEW))
    questions(gate)  # what is asked once and then known
    few = questions(gate)
    come(gate, range(FEW, FEW + MANY))
    many = questions(gate)
    grown = {where: (few[where], count) for where, count in many.items() if count > few[where] + SPARE}
    assert not grown
