"""Exports that tests begin with: those of the other side, and the simulators that say them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.declarations.prefilled_tables import PrefilledRow
from app.integrations import exports
from app.integrations.exchange import Exchanger
from app.integrations.export_messages import ExportData
from app.integrations.forms.record import DeclarationMessage
from app.integrations.messages import Message
from app.integrations.simulators import exports as simulators
from app.integrations.simulators.server import Simulator
from app.integrations.simulators.storage import Planned
from app.integrations.tables import OutMessageRow
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation
from tests.app.neighbouring import connect, simulated

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
