"""Exports said to the Single Window and Nanning customs: every change once, acknowledged, days compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.declarations.form import Form, Line
from app.integrations import exports, reconciliation, service
from app.integrations import store as neighbour_store
from app.integrations.exchange import Exchanger
from app.integrations.export_messages import NANNING, SINGLE_WINDOW, ExportData
from app.integrations.export_tables import ExportRow, ReconciliationRow
from app.integrations.export_translation import ExportedTrip, to_form, to_message
from app.integrations.forms import codec
from app.integrations.forms.table import load
from app.integrations.messages import Message
from app.integrations.simulators import exports as simulators
from app.integrations.simulators.server import Simulator
from app.integrations.tables import OutMessageRow
from app.integrations.vocabulary import ExportDirection
from app.platform.runtime import Runtime
from geo.clock import LOCAL_ZONE
from tests.app.declaring import declaration_body
from tests.app.exporting import (
    CONSIGNEE,
    HTML,
    count,
    out_messages,
    pears,
    say,
    send,
)
from tests.app.exporting import enterprise as enterprise
from tests.app.exporting import exchanger as exchanger
from tests.app.exporting import organisation_id as organisation_id
from tests.app.exporting import simulator as simulator
from tests.app.neighbouring import connect, exchange, simulated


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
            assert sorted(functions) == ["cancellation", "original", "replacement"], "in any order: versions tell"
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
    with runtime.sessions() as session:
        assert exports.say_unsaid(session, runtime.clock.now()) == 1, "what was declared before is said now"
        assert exports.say_unsaid(session, runtime.clock.now()) == 0
        session.commit()
    (said,) = out_messages(runtime, ExportData.KIND, NANNING)
    record = ExportData.model_validate(said).record()
    assert (record.function, record.version, record.tractor.plate) == ("original", 1, "29C-123.45")


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
        lost = Message(id="ck-lost", kind=ExportData.KIND, about="VN-LOST", sent_at=midnight, body={"declaration": {}})
        neighbour_store.insert_out(session, NANNING, "export VN-LOST 2", lost, midnight)
        session.execute(update(OutMessageRow).where(OutMessageRow.message_id == "ck-lost").values(status="sent"))
        session.commit()
    exchange(exchanger)
    with runtime.sessions() as session:
        compared = session.get_one(ReconciliationRow, (NANNING, day))
    assert (compared.sent_here, compared.received_there, compared.sent_there, compared.received_here) == (2, 1, 1, 0)
    assert compared.differences == [
        {"direction": "out", "reference": "VN-LOST", "here": 2, "there": None},
        {"direction": "in", "reference": "NN00000000017", "here": None, "there": 1},
    ]
    administrator, path = sign_in("administrator"), f"/admin/neighbours/exports/{NANNING}/{day}/send-again"
    page = administrator.get("/admin/neighbours/exports", headers=HTML).text
    assert "VN-LOST" in page
    assert path in page
    for _ in range(2):
        assert administrator.post(path, follow_redirects=False).status_code == 303
    assert administrator.post(path.replace(NANNING, "bank")).status_code == 404
    with runtime.sessions() as session:
        again = session.scalars(select(OutMessageRow).where(OutMessageRow.about == "VN-LOST")).all()
    assert [(row.status, row.message_id == "ck-lost") for row in again] == [("sent", True), ("waiting", False)]
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
            Line("3814.00", "Dung môi", "", 400.0, "kg", 420.0, 400.0, 4, "carton", un_number="1263", hazard_class="3"),
        ),
    )
    trip = ExportedTrip(
        "VN-1", 1, "original", runtime.clock.now(), CONSIGNEE, "0100109106", "tan-thanh", runtime.clock.now()
    )
    record = to_message(form, trip, load())
    assert [seal.number for seal in record.containers[0].seals] == ["VN1", "VN2", "VN3"]
    assert record.trailer.country == "VN"
    back = to_form(codec.read(codec.write(record)), load())
    same = ("gate_id", "plate", "trailer_plate", "container", "container_number")
    assert [getattr(back, name) for name in same] == [getattr(form, name) for name in same]
    assert back.seal_numbers == "VN1, VN2, VN3"
    told = replace(form.lines[0], goods_class="", perishable=None, temperature_c=None)
    assert back.lines == (told, *form.lines[1:])
    assert [(line.un_number, line.hazard_class) for line in record.lines] == [("", ""), ("", ""), ("1263", "3")]
    assert b"UNDGID>1263<" in codec.write(record)


def test_the_neighbours_are_known(runtime: Runtime) -> None:
    with runtime.sessions() as session:
        assert not neighbour_store.connected(session)
        for name in (SINGLE_WINDOW, NANNING):
            assert service.health_of(session, name).name == "OFF"
