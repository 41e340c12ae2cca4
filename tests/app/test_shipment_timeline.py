"""The timeline of a trip as its enterprise reads it: one entry for each thing that happened, with its time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from app.shipments.timeline import tell
from app.trips.schemas import TimelineOut
from app.trips.vocabulary import Stage
from tests.app.declaring import declaration_body
from tests.app.stationing import Gate
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)
NO_STAGES = [(Stage.PLANNED, NOW)]


def line(kind: str, minutes: float = 0.0, **data: object) -> TimelineOut:
    return TimelineOut.model_validate({"at": NOW + minutes * MINUTE, "kind": kind, "data": data, "actor": None})


def names(lines: list[TimelineOut]) -> list[str]:
    return [f"sheet.{line.data['act']}" if line.kind == "sheet" else line.kind for line in lines]


def test_an_act_that_several_parts_wrote_down_is_told_once() -> None:
    declared = [line("created"), line("declared", revision=1), line("sheet", act="opened")]
    again = [line("amended", 5), line("redeclared", 5, revision=2), line("sheet", 5, act="redeclare")]
    apart = [line("sheet", 7, act="facts"), line("created", 8)]  # declared on paper, entered later
    assert names(tell(declared + again + apart, NO_STAGES, is_cancelled=False)) == [
        "declared",
        "redeclared",
        "sheet.facts",
    ]
    entered = [line("created"), line("declared", 3)]
    assert names(tell(entered, NO_STAGES, is_cancelled=False)) == ["created", "declared"]


def test_a_fee_that_stands_as_it_stood_is_told_once() -> None:
    due = {"status": "due", "amount_vnd": 500_000}
    lines = [
        line("fee", 0, **due, outstanding_vnd=500_000),
        line("fee", 1, **due, outstanding_vnd=500_000),
        line("plate", 2),
        line("fee", 3, **due, outstanding_vnd=500_000),
        line("fee", 4, **due, outstanding_vnd=200_000),
        line("fee", 5, status="paid", amount_vnd=500_000, outstanding_vnd=None),
    ]
    told = tell(lines, NO_STAGES, is_cancelled=False)
    assert [entry.data.get("outstanding_vnd", "plate") for entry in told] == [500_000, "plate", 200_000, None]


def test_stages_are_those_of_the_judgement_that_holds() -> None:
    believed = [
        line("stage", 1, after="queued"),
        line("stage", 2, after="on_the_road"),
        line("stage", 3, after="queued"),
    ]
    judged = [
        (Stage.PLANNED, NOW),
        (Stage.ON_THE_ROAD, NOW + 1 * MINUTE),
        (Stage.ON_THE_ROAD, NOW + 2 * MINUTE),
        (Stage.QUEUED, NOW + 4 * MINUTE),
        (Stage.CANCELLED, NOW + 6 * MINUTE),
    ]
    told = tell([*believed, line("cancelled", 6)], judged, is_cancelled=True)
    assert [(entry.data.get("after", entry.kind), entry.at) for entry in told] == [
        ("on_the_road", NOW + 1 * MINUTE),
        ("queued", NOW + 4 * MINUTE),
        ("cancelled", NOW + 6 * MINUTE),
    ]


def test_the_page_of_a_trip_tells_each_thing_once(runtime: Runtime, sign_in: Callable[..., TestClient]) -> None:
    gate = Gate.open(runtime, sign_in)
    trip_id = gate.declare("29C-123.45")
    runtime.clock.advance(600.0)  # type: ignore[attr-defined]
    enterprise, where = gate.person("enterprise"), f"/api/v1/declarations/{trip_id}"
    headers = {"If-Match": enterprise.get(where).headers["ETag"]}
    body = declaration_body(NOW + 3 * timedelta(hours=1), plate="29C-123.45", trailer_plate="29R-555.02")
    changed = enterprise.put(where, json={**body, "submit": True}, headers=headers)
    assert changed.status_code == 200, changed.text
    gate.arrive("29C-123.45", km=3.0)

    page = enterprise.get(f"/enterprise/trips/{trip_id}").text
    timeline = page.partition('data-testid="timeline"')[2].partition("</ol>")[0]
    entries = [" ".join(re.sub("<[^>]+>", " ", entry).split()) for entry in timeline.split("<li>")[1:]]
    assert len(entries) == len(set(entries))
    bare = {re.sub(r"\d\d:\d\d \d\d/\d\d.*", "", entry).strip() for entry in entries}
    assert len(bare) == len(entries)  # no two say the same
    assert len([entry for entry in entries if "đ" in entry]) == len([entry for entry in entries if "Phí" in entry])
