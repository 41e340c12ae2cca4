"""Import declarations that Nanning customs' export data fill in: offered, checked, changed, withdrawn."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts.service import Organisation
from app.declarations import prefilled
from app.declarations.form import Form
from app.declarations.prefilled_tables import PrefilledRow
from app.declarations.tables import DeclarationRow
from app.integrations import exports
from app.integrations import store as neighbour_store
from app.integrations.exchange import Exchanger
from app.integrations.export_messages import NANNING, ExportReceipt
from app.integrations.export_tables import ExportRow
from app.integrations.forms.record import Party
from app.integrations.messages import Message
from app.integrations.simulators import exports as simulators
from app.integrations.simulators.server import Simulator
from app.integrations.tables import InMessageRow
from app.integrations.vocabulary import InStatus
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.trips.service import Trip
from tests.app.dispatching import add_organisation
from tests.app.exporting import (
    CONSIGNEE,
    HTML,
    completed,
    count,
    pears,
    prefilled_rows,
    say,
    send,
)
from tests.app.exporting import enterprise as enterprise
from tests.app.exporting import exchanger as exchanger
from tests.app.exporting import organisation_id as organisation_id
from tests.app.exporting import simulator as simulator
from tests.app.neighbouring import FAULTY, connect, exchange, simulated


def test_nannings_simulator_fills_in_an_import(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any
) -> None:
    record = pears(runtime)
    send(simulator, say(runtime, record))
    exchange(exchanger)
    assert count(runtime, Trip) == count(runtime, DeclarationRow) == 0, "nothing is declared by itself"

    (item,) = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
    assert (item["state"], item["source"], item["plate"]) == ("offered", "nanning", record.tractor.plate)
    assert item["is_simulated"]
    assert {"plate", "trailer_plate", "container_number", "seal_numbers", "lines.1.hs_code"} <= set(item["filled"])
    assert "driver_name" not in item["filled"]

    page = enterprise.get(f"/declarations/prefilled/{item['prefilled_id']}", headers=HTML).text
    assert record.tractor.plate in page
    assert record.lines[0].description in page
    assert page.count('class="form-hint de-filled"') == len(item["filled"])
    assert record.tractor.plate in enterprise.get("/declarations/prefilled", headers=HTML).text

    body = {**completed(item["data"], runtime), "submit": True}
    made = enterprise.post(f"/api/v1/declarations/prefilled/{item['prefilled_id']}/declare", json=body)
    assert made.status_code == 201, made.text
    trip_id = made.json()["trip_id"]
    declared = enterprise.get(f"/api/v1/declarations/{trip_id}").json()
    assert (declared["status"], declared["data"]["regime"]) == ("submitted", "import")
    assert declared["data"]["plate"] == record.tractor.plate
    assert declared["data"]["lines"][0]["description"] == record.lines[0].description
    shown = enterprise.get(f"/declarations/{trip_id}", headers=HTML).text
    assert 'data-testid="prefill"' in shown
    assert 'data-testid="deviations"' not in shown, "all of it was declared as it was sent"

    exchange(exchanger)
    receipts = simulator.storage.acts(ExportReceipt.KIND)
    assert receipts == [{"reference": record.reference, "version": 1}]
    again = enterprise.post(f"/api/v1/declarations/prefilled/{item['prefilled_id']}/declare", json=body)
    assert again.status_code == 409


def test_a_page_declares_what_was_filled_in(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any
) -> None:
    send(simulator, say(runtime, pears(runtime)))
    exchange(exchanger)
    (row,) = prefilled_rows(runtime)
    path = f"/declarations/prefilled/{row.prefilled_id}"
    kept = {**Form.from_record(row.data).to_record()}
    line = kept.pop("lines")[0]
    fields = {name: str(value) for name, value in kept.items() if value not in (None, "") and name != "planned_arrival"}
    fields |= {f"lines.1.{name}": str(value) for name, value in line.items() if value is not None}
    fields |= {"refrigerated": "yes", "planned_arrival": "2026-03-02T20:00", "plate": "29C-123.45", "act": "save"}
    refused = enterprise.post(path, data={**fields, "plate": ""}, headers=HTML)
    assert refused.status_code == 422
    assert 'data-testid="prefilled"' in refused.text, "still marked as filled in"
    done = enterprise.post(path, data=fields, headers=HTML, follow_redirects=False)
    assert done.status_code == 303, done.text
    page = enterprise.get(done.headers["location"], headers=HTML).text
    assert 'data-testid="deviations"' in page
    assert row.plate in page
    assert enterprise.get(path, headers=HTML, follow_redirects=False).headers["location"] == done.headers["location"]


def test_a_simulator_that_is_told_to_exports_changes_and_takes_back(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any
) -> None:
    states = []
    for told in (
        {"consignee": CONSIGNEE, "plate": "粤Z·1234港"},
        {"plate": "粤Z·1234澳"},
        {"function": "cancellation"},
    ):
        simulator.tell("NN00000000099", told)
        exchange(exchanger)
        (item,) = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
        states.append((item["version"], item["plate"], item["state"]))
    assert states == [
        (1, "粤Z·1234港", "offered"),
        (2, "粤Z·1234澳", "offered"),
        (3, "粤Z·1234澳", "withdrawn"),
    ]


def outcome(runtime: Runtime, messages: Sequence[Message]) -> tuple[Any, ...]:
    """What is offered after messages were taken in in an order, each by a transaction of its own."""
    neighbour = exports.nanning()
    for message in messages:
        with runtime.sessions() as session:
            neighbour.take(ActionContext(session, None, runtime.clock.now()), message)
            session.commit()
    with runtime.sessions() as session:
        row = session.scalars(select(PrefilledRow)).one()
        found = (row.version, row.withdrawn_at is not None, row.data if row.withdrawn_at is None else None)
        session.delete(row)
        for other in session.scalars(select(ExportRow)):
            session.delete(other)
        session.commit()
    return found


@pytest.mark.parametrize("last", ["cancellation", "replacement"])
def test_the_order_of_messages_and_their_repeats_change_nothing(
    runtime: Runtime, organisation_id: int, last: str
) -> None:
    first = pears(runtime)
    line = replace(first.lines[0], net_weight_kg=Decimal(7000))
    second = replace(first, version=2, function="replacement", lines=(line,))
    third = replace(first, version=3, function=last, tractor=replace(first.tractor, plate="桂F·B9999"))
    messages = [say(runtime, record) for record in (first, second, third)]
    right = outcome(runtime, messages)
    assert right[0] == 3
    for order in itertools.permutations(messages):
        assert outcome(runtime, order) == right
    assert outcome(runtime, [*messages, *reversed(messages), messages[1]]) == right


def test_a_neighbour_that_fails_repeats_and_mixes_leaves_one_offer_each(
    runtime: Runtime, tmp_path: Path, enterprise: Any
) -> None:
    with simulated(runtime, simulators.nanning(3), tmp_path, faults=FAULTY, seed=5) as simulator:
        exchanger = connect(runtime, exports.nanning(), simulator.url)
        records = [pears(runtime, version=1, function="original")]
        records = [replace(records[0], reference=f"NN{number:011d}") for number in range(6)]
        newer = [replace(record, version=2, function="replacement", border_mode="") for record in records]
        send(simulator, *(say(runtime, record) for record in (*records, *newer)))
        for _ in range(40):
            exchanger.run_round()
            runtime.clock.advance(90)  # type: ignore[attr-defined]
        receipts = simulator.storage.acts(ExportReceipt.KIND)
    assert [(row.reference, row.version) for row in prefilled_rows(runtime)] != []
    assert sorted((row.reference, row.version) for row in prefilled_rows(runtime)) == [
        (record.reference, 2) for record in records
    ]
    assert sorted((found["reference"], found["version"]) for found in receipts) == sorted(
        (record.reference, version) for record in records for version in (1, 2)
    )


def test_what_is_changed_or_taken_back_later_shows_beside_what_was_declared(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any
) -> None:
    record = pears(runtime)
    send(simulator, say(runtime, record))
    exchange(exchanger)
    (item,) = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
    path = f"/api/v1/declarations/prefilled/{item['prefilled_id']}"
    trip_id = enterprise.post(f"{path}/declare", json={**completed(item["data"], runtime), "submit": True}).json()[
        "trip_id"
    ]

    line = replace(record.lines[0], net_weight_kg=Decimal(777), description="蒜苗")
    send(simulator, say(runtime, replace(record, version=2, function="replacement", lines=(line,))))
    exchange(exchanger)
    page = enterprise.get(f"/declarations/{trip_id}", headers=HTML).text
    assert 'data-testid="deviations"' in page
    assert "蒜苗" in page
    declared = enterprise.get(f"/api/v1/declarations/{trip_id}").json()["data"]
    assert declared["lines"][0]["description"] == record.lines[0].description, "what was declared stays"

    send(simulator, say(runtime, replace(record, version=3, function="cancellation")))
    exchange(exchanger)
    assert enterprise.get(path).json()["state"] == "withdrawn"
    assert "ti-ban" in enterprise.get(f"/declarations/{trip_id}", headers=HTML).text
    assert enterprise.get(f"/api/v1/declarations/{trip_id}").json()["status"] == "submitted"


def test_what_was_taken_back_cannot_be_declared(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any
) -> None:
    record = pears(runtime)
    send(simulator, say(runtime, record), say(runtime, replace(record, version=2, function="cancellation")))
    exchange(exchanger)
    (item,) = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
    body = {**completed(item["data"], runtime), "submit": True}
    refused = enterprise.post(f"/api/v1/declarations/prefilled/{item['prefilled_id']}/declare", json=body)
    assert refused.status_code == 409
    assert count(runtime, Trip) == 0


def test_only_whom_it_concerns_sees_it_and_a_desk_says_whose_it_is(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any, sign_in: Any
) -> None:
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Vận tải Đồng Đăng"))
    desk = sign_in("support", gate_id="huu-nghi")
    elsewhere = sign_in("support", gate_id="tan-thanh")
    record = pears(runtime)
    unknown = replace(record.consignee, name="谅山农产品公司", number="4900123456")
    send(simulator, say(runtime, replace(record, consignee=unknown)))
    exchange(exchanger)
    (row,) = prefilled_rows(runtime)
    path = f"/api/v1/declarations/prefilled/{row.prefilled_id}"
    assert row.organisation_id is None
    for client in (enterprise, other, elsewhere):
        assert client.get(path).status_code == 404
        assert client.post(f"{path}/assign", json={"name": CONSIGNEE}).status_code in (403, 404)
    assert desk.get(path).json()["consignee"] == "谅山农产品公司"
    assert desk.post(f"{path}/assign", json={"name": "Nobody of this name"}).status_code == 422
    assert desk.post(f"{path}/assign", json={"name": "nong san lang son"}).status_code == 204
    assert enterprise.get(path).status_code == 200
    assert other.get(path).status_code == 404

    send(simulator, say(runtime, replace(record, reference="NN00000000018", consignee=unknown)))
    exchange(exchanger)
    assert len(enterprise.get("/api/v1/declarations/prefilled").json()["items"]) == 2, "known by its number now"


def test_a_consignee_is_found_by_its_tax_number(runtime: Runtime, exchanger: Exchanger, organisation_id: int) -> None:
    named, numbered, unknown = organisation_id, add_organisation(runtime, "Vận tải Đồng Đăng"), "谅山农产品公司"
    cases = {
        (unknown, "0100109106"): numbered,
        (unknown, " 0100 109 106 "): numbered,
        (CONSIGNEE, "0100109106"): numbered,  # its number is surer than a name
        (CONSIGNEE, "0100109107"): named,  # the check digit is wrong: no number
        (CONSIGNEE, "0100109106-001"): named,  # a branch is another one
        (CONSIGNEE, "91450100MA5KC1T700"): named,  # a Chinese number
        (unknown, "0100109106-001"): None,
        (unknown, "0300588569"): None,  # of no company: of a yard's operator
        (unknown, ""): None,
    }
    with runtime.sessions() as session:
        session.get_one(Organisation, numbered).tax_number = "0100109106"
        session.add(Organisation(name="Bến xe", kind="yard", tax_number="0300588569"))
        for place, (name, number) in enumerate(cases):
            consignee = Party(name=name, number=number, country="VN")
            record = replace(pears(runtime), reference=f"NN{place:011d}", consignee=consignee)
            neighbour_store.receive(session, NANNING, [say(runtime, record)], runtime.clock.now())
        session.commit()
    exchanger.take_in()
    found = {row.reference: row.organisation_id for row in prefilled_rows(runtime)}
    assert [found[f"NN{place:011d}"] for place in range(len(cases))] == list(cases.values())


def test_what_a_desk_said_of_a_consignee_counts_before_its_tax_number(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any, sign_in: Any
) -> None:
    record = pears(runtime)
    consignee = Party(name="谅山农产品公司", number="0100109106", country="VN")
    send(simulator, say(runtime, replace(record, consignee=consignee)))
    exchange(exchanger)
    (row,) = prefilled_rows(runtime)
    assert row.organisation_id is None, "nobody has this number yet"
    desk, path = sign_in("support", gate_id="huu-nghi"), f"/api/v1/declarations/prefilled/{row.prefilled_id}/assign"
    assert desk.post(path, json={"name": CONSIGNEE}).status_code == 204
    later = add_organisation(runtime, "Vận tải Đồng Đăng")
    with runtime.sessions() as session:
        session.get_one(Organisation, later).tax_number = "0100109106"
        session.commit()
    send(simulator, say(runtime, replace(record, reference="NN00000000018", consignee=consignee)))
    exchange(exchanger)
    assert len(enterprise.get("/api/v1/declarations/prefilled").json()["items"]) == 2


def test_a_message_that_cannot_be_read_is_given_up_with_path_and_value_and_taken_in_once_mended(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any, sign_in: Any
) -> None:
    message = say(runtime, pears(runtime))
    body: Any = json.loads(json.dumps(message.body))
    line = body["declaration"]["Declaration"]["GoodsShipment"]["GovernmentAgencyGoodsItem"][0]
    line["Commodity"]["GoodsMeasure"]["NetNetWeightMeasure"] = "18,000"
    send(simulator, message.model_copy(update={"body": body}))
    for _ in range(8):
        exchanger.run_round()
        runtime.clock.advance(600)  # type: ignore[attr-defined]
    administrator = sign_in("administrator")
    (letter,) = administrator.get("/api/v1/neighbours/dead-letters").json()["items"]
    assert "GovernmentAgencyGoodsItem[1]/Commodity/GoodsMeasure/NetNetWeightMeasure: 18,000" in letter["error"]
    line["Commodity"]["GoodsMeasure"]["NetNetWeightMeasure"] = "18000"
    path = f"/api/v1/neighbours/dead-letters/in/{letter['number']}/mend"
    assert administrator.post(path, json={"body": json.dumps(body, ensure_ascii=False)}).status_code == 204
    exchange(exchanger)
    (item,) = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
    assert item["data"]["lines"][0]["net_weight_kg"] == 18000.0


@pytest.mark.parametrize(
    "change",
    [{"version": None}, {"destination": "LA"}],
)
def test_what_is_not_for_us_has_no_effect(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, change: dict[str, Any]
) -> None:
    message = say(runtime, pears(runtime, **change))
    send(simulator, message.model_copy(update={"version": None}))
    exchange(exchanger)
    assert prefilled_rows(runtime) == []
    with runtime.sessions() as session:
        (row,) = session.scalars(select(InMessageRow)).all()
    assert row.status == InStatus.WAITING
    assert row.note


@pytest.mark.parametrize(
    ("declared", "fields"),
    [
        ({}, []),
        ({"plate": "桂FA1234", "container_number": "CSQU 305438 3"}, []),
        ({"plate": "桂F·A1235"}, ["plate"]),
        ({"driver_name": "Nguyễn Văn An", "payload_kg": 1000}, []),
        ({"lines": [{"hs_code": "080830", "net_weight_kg": 100.0}]}, []),
        ({"lines": [{"hs_code": "0808.30", "net_weight_kg": 90.0}]}, ["lines.1.net_weight_kg"]),
        (
            {"lines": [{"hs_code": "0808.30", "net_weight_kg": 100.0}, {"description": "Tỏi", "unit": "kg"}]},
            ["lines.2.description"],
        ),
        ({"lines": []}, ["lines.1.hs_code", "lines.1.net_weight_kg"]),
    ],
)
def test_what_differs_is_what_was_filled_in_and_declared_otherwise(declared: dict[str, Any], fields: list[str]) -> None:
    filled = {
        "plate": "桂F·A1234",
        "container_number": "CSQU3054383",
        "lines": [{"hs_code": "0808.30", "net_weight_kg": 100.0}],
    }
    assert [found.field for found in prefilled.deviations(filled, {**filled, **declared})] == fields
