"""Exports exchanged with the Single Window and Nanning customs: both directions, one effect each, days compared."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.declarations import prefilled
from app.declarations.form import Form, Line
from app.declarations.prefilled_tables import PrefilledRow
from app.declarations.tables import DeclarationRow
from app.integrations import exports, reconciliation, service
from app.integrations import store as neighbour_store
from app.integrations.exchange import Exchanger
from app.integrations.export_messages import NANNING, SINGLE_WINDOW, ExportData, ExportReceipt
from app.integrations.export_tables import ExportRow, ReconciliationRow
from app.integrations.export_translation import ExportedTrip, to_form, to_message
from app.integrations.forms import codec
from app.integrations.forms.record import DeclarationMessage
from app.integrations.forms.table import load
from app.integrations.messages import Message
from app.integrations.simulators import exports as simulators
from app.integrations.simulators.server import Simulator
from app.integrations.simulators.storage import Planned
from app.integrations.tables import InMessageRow, OutMessageRow
from app.integrations.vocabulary import ExportDirection, InStatus
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.trips.service import Trip
from geo.clock import LOCAL_ZONE
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation
from tests.app.neighbouring import FAULTY, connect, exchange, simulated

HTML = {"accept": "text/html"}
CONSIGNEE = "Nông sản Lạng Sơn"


@pytest.fixture
def organisation_id(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()
    return add_organisation(runtime, CONSIGNEE)


@pytest.fixture
def enterprise(sign_in: Any, organisation_id: int) -> Any:
    return sign_in("enterprise", organisation_id=organisation_id)


@pytest.fixture
def simulator(runtime: Runtime, tmp_path: Path) -> Iterator[Simulator]:
    with simulated(runtime, simulators.nanning(3), tmp_path) as simulator:
        yield simulator


@pytest.fixture
def exchanger(runtime: Runtime, simulator: Simulator, organisation_id: int) -> Exchanger:
    return connect(runtime, exports.nanning(), simulator.url)


def pears(runtime: Runtime, **changes: Any) -> DeclarationMessage:
    """An export of pears from Guangxi for the enterprise."""
    made = simulators.make_export(
        random.Random(5), runtime.clock, consignee=CONSIGNEE, gate="huu-nghi", reference="NN00000000017"
    )
    return replace(made, planned_arrival=runtime.clock.now() + timedelta(hours=6), **changes)


def say(runtime: Runtime, record: DeclarationMessage, number: str = "") -> Message:
    """A declaration as a message of the other side."""
    return Message(
        id=number or f"nanning-{record.reference}-{record.version}",
        kind=ExportData.KIND,
        about=record.reference,
        sent_at=runtime.clock.now(),
        version=record.version,
        body=ExportData.of(record, "json").model_dump(mode="json"),
    )


def send(simulator: Simulator, *messages: Message) -> None:
    """Let the simulator hand messages out."""
    with simulator.storage.transaction():
        simulator.storage.plan([Planned(message) for message in messages], time.time())


def completed(data: dict[str, Any], runtime: Runtime, **changes: Any) -> dict[str, Any]:
    """What was filled in, with what an enterprise adds of driver, health and vehicle."""
    added = declaration_body(runtime.clock.now() + timedelta(hours=6))
    known = {name: value for name, value in data.items() if value not in (None, "", [])}
    lines = [{**declaration_line(goods_class="", temperature_c=None), **given(line)} for line in data["lines"]]
    body = {**added, "trailer_plate": "", "regime": "import", **known, "lines": lines, "customs_number": "104123456789"}
    return {name: value for name, value in {**body, **changes}.items() if name not in ("direction", "driver_id")}


def given(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if value not in (None, "")}


def prefilled_rows(runtime: Runtime) -> Sequence[PrefilledRow]:
    with runtime.sessions() as session:
        return session.scalars(select(PrefilledRow).order_by(PrefilledRow.prefilled_id)).all()


def out_messages(runtime: Runtime, kind: str, neighbour: str) -> list[Any]:
    with runtime.sessions() as session:
        query = select(OutMessageRow).where(OutMessageRow.kind == kind, OutMessageRow.neighbour == neighbour)
        return [json.loads(row.body) for row in session.scalars(query.order_by(OutMessageRow.out_id))]


def count(runtime: Runtime, table: Any) -> int:
    with runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# Theirs: pre-filled imports


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


# Ours


def declare(enterprise: Any, runtime: Runtime, **changes: Any) -> dict[str, Any]:
    body = {**declaration_body(runtime.clock.now() + timedelta(hours=5)), "submit": True, **changes}
    made = enterprise.post("/api/v1/declarations", json=body)
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_an_export_is_said_to_both_and_every_change_of_it_once(
    runtime: Runtime, tmp_path: Path, enterprise: Any
) -> None:
    with (
        simulated(runtime, replace(simulators.single_window(1), makes_exports=False), tmp_path) as window,
        simulated(runtime, simulators.nanning(1), tmp_path) as nanning,
    ):
        exchangers = [
            connect(runtime, exports.single_window(), window.url),
            connect(runtime, exports.nanning(), nanning.url),
        ]
        made = declare(enterprise, runtime)
        trip_id, body = made["trip_id"], declaration_body(runtime.clock.now() + timedelta(hours=5))
        etag = {"If-Match": f'"{made["version"]}"'}
        amended = {**body, "trailer_plate": "29R-999.99", "submit": True}
        changed = enterprise.put(f"/api/v1/declarations/{trip_id}", json=amended, headers=etag)
        assert changed.status_code == 200, changed.text
        (xml, second), (first, _) = (
            out_messages(runtime, ExportData.KIND, SINGLE_WINDOW),
            out_messages(runtime, ExportData.KIND, NANNING),
        )
        assert xml["declaration"].startswith("<?xml")
        assert isinstance(first["declaration"], dict)
        original = codec.read(xml["declaration"].encode())
        assert (original.function, original.version) == ("original", 1)
        assert original == ExportData.model_validate(first).record()
        assert (original.tractor.plate, original.tractor.country) == ("29C-123.45", "VN")
        assert (original.exporter.name, original.destination) == (CONSIGNEE, "CN")
        assert (original.lines[0].hs_code, original.lines[0].unit) == ("081090", "KGM")
        assert original.containers[0].size_type == "45R1"
        replaced = codec.read(second["declaration"].encode())
        assert (replaced.function, replaced.version) == ("replacement", 2)
        assert replaced.reference == original.reference
        for text in ("Nguyễn Văn An", "0912", "C1234567"):
            assert text not in xml["declaration"], "nothing of the driver leaves"

        etag = {"If-Match": enterprise.get(f"/api/v1/trips/{trip_id}").headers["etag"]}
        cancelled = enterprise.post(f"/api/v1/trips/{trip_id}/cancel", headers=etag)
        assert cancelled.status_code in (200, 204), cancelled.text
        with runtime.sessions() as session:
            assert exports.take_back_ended(session, runtime.clock.now()) == 1
            assert exports.take_back_ended(session, runtime.clock.now()) == 0
            session.commit()
        for exchanger in exchangers:
            exchange(exchanger)
        for simulator in (window, nanning):
            functions = [
                ExportData.model_validate(body).record().function for body in simulator.storage.acts(ExportData.KIND)
            ]
            assert functions == ["original", "replacement", "cancellation"]
        for exchanger in exchangers:
            exchange(exchanger)
    with runtime.sessions() as session:
        rows = session.scalars(select(ExportRow)).all()
    assert len(rows) == 6
    assert all(row.receipt_at for row in rows), "each was acknowledged"


def test_nothing_is_said_of_imports_drafts_or_to_whom_nobody_connected(
    runtime: Runtime, simulator: Simulator, organisation_id: int, enterprise: Any
) -> None:
    declare(enterprise, runtime)
    assert count(runtime, OutMessageRow) == 0
    connect(runtime, exports.nanning(), simulator.url)
    declare(enterprise, runtime, plate="29C-222.22", trailer_plate="", regime="import", customs_number="104123456789")
    declare(enterprise, runtime, plate="29C-333.33", trailer_plate="", submit=False)
    assert out_messages(runtime, ExportData.KIND, NANNING) == []


def test_an_export_comes_back_as_a_prefilled_import_by_the_single_window(
    runtime: Runtime, tmp_path: Path, enterprise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulators, "BACK_S", (0.0, 0.0))
    with simulated(runtime, simulators.single_window(0), tmp_path) as window:
        exchanger = connect(runtime, exports.single_window(), window.url)
        for number in range(8):
            declare(enterprise, runtime, plate=f"29C-555.{number:02d}", trailer_plate="")
        exchange(exchanger, rounds=6)
    items = enterprise.get("/api/v1/declarations/prefilled").json()["items"]
    assert 1 <= len(items) <= 8
    assert all(item["plate"].startswith("桂") for item in items)


# Days compared


def test_each_day_is_compared_with_the_other_side(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, enterprise: Any, sign_in: Any
) -> None:
    declare(enterprise, runtime)
    send(simulator, say(runtime, pears(runtime)))
    exchange(exchanger)
    day = reconciliation.day_of(runtime.clock.now())
    local = runtime.clock.now().astimezone(LOCAL_ZONE)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with runtime.sessions() as session:
        assert reconciliation.ask(session, midnight + timedelta(minutes=30)) == 0, "what was under way may still come"
        assert reconciliation.ask(session, midnight + timedelta(minutes=61)) == 1
        assert reconciliation.ask(session, midnight + timedelta(minutes=62)) == 0
        session.commit()
    page = sign_in("auditor").get("/admin/neighbours/exports", headers=HTML).text
    assert "ti-clock" in page
    runtime.clock.advance(24 * 3600)  # type: ignore[attr-defined]
    with runtime.sessions() as session:  # of what they have, one is not known here, and ours they lost
        row = session.scalars(select(ExportRow).where(ExportRow.direction == ExportDirection.IN)).one()
        session.delete(row)
        session.add(
            ExportRow(
                neighbour=NANNING,
                direction=ExportDirection.OUT,
                reference="VN-LOST",
                version=2,
                function="original",
                issued_at=midnight - timedelta(hours=2),
            )
        )
        session.commit()
    exchange(exchanger)
    with runtime.sessions() as session:
        compared = session.get_one(ReconciliationRow, (NANNING, day))
    assert (compared.sent_here, compared.received_there, compared.sent_there, compared.received_here) == (2, 1, 1, 0)
    assert compared.differences == [
        {"direction": "out", "reference": "VN-LOST", "here": 2, "there": None},
        {"direction": "in", "reference": "NN00000000017", "here": None, "there": 1},
    ]
    page = sign_in("administrator").get("/admin/neighbours/exports", headers=HTML).text
    assert "VN-LOST" in page
    assert "NN00000000017" in page
    assert "/admin/neighbours/exports" in sign_in("administrator").get("/admin/neighbours", headers=HTML).text


# Pure


def test_goods_go_through_the_message_as_they_were_declared(runtime: Runtime) -> None:
    form = Form(
        gate_id="tan-thanh",
        regime="export",
        customs_number="305123456780",
        plate="12C-123.45",
        trailer_plate="12R-001.23",
        container="20",
        container_number="CSQU3054383",
        seal_numbers="VN1, VN2;VN3",
        planned_arrival=runtime.clock.now(),
        lines=(
            Line("0810.90", "Thanh long tươi", "fresh_fruit", 18000.5, "kg", 19500.25, 18000.0, 900, "carton"),
            Line("0714.10", "Sắn lát", "", 12.0, "tonne", 12000.0, 12000.0, None, "bulk"),
        ),
    )
    trip = ExportedTrip("VN-1", 1, "original", runtime.clock.now(), CONSIGNEE, "tan-thanh", runtime.clock.now())
    record = to_message(form, trip, load())
    assert [seal.number for seal in record.containers[0].seals] == ["VN1", "VN2", "VN3"]
    assert record.trailer.country == "VN"
    back = to_form(codec.read(codec.write(record)), load())
    same = ("gate_id", "plate", "trailer_plate", "container", "container_number")
    assert [getattr(back, name) for name in same] == [getattr(form, name) for name in same]
    assert back.seal_numbers == "VN1, VN2, VN3"
    told = replace(form.lines[0], goods_class="", perishable=None, temperature_c=None)
    assert back.lines == (told, form.lines[1])


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


def test_the_neighbours_are_known(runtime: Runtime) -> None:
    with runtime.sessions() as session:
        assert not neighbour_store.connected(session)
        for name in (SINGLE_WINDOW, NANNING):
            assert service.health_of(session, name).name == "OFF"
