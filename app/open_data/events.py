"""What changes on the public board, as CloudEvents 1.0: queues, gates, bans, outages, yards. Pure.

Two states of the board are compared, the one kept before and the one now; both lie in the database, so that each change
is told once, whichever process sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypedDict

from app.open_data.tables import NoticeKept, PublicGateRow, PublicYardRow
from app.platform.tables_out import iso_utc

EVENT: Final = "board"
"""What such an event is called in the outbox."""
PREFIX: Final = "vn.cuakhau."
DEFAULT_SOURCE: Final = "urn:cuakhau"


class CloudEvent(TypedDict):
    """The attributes of CloudEvents 1.0; `subject` is the gate, `type` what happened."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: Mapping[str, object]


def changes(
    gates_before: Sequence[PublicGateRow],
    gates: Sequence[PublicGateRow],
    yards_before: Sequence[PublicYardRow],
    yards: Sequence[PublicYardRow],
    *,
    source: str = "",
) -> list[CloudEvent]:
    """What changed from one state to the next; nothing of a gate or yard that was not there before."""
    known_gates = {row.gate_id: row for row in gates_before}
    known_yards = {row.yard_id: row for row in yards_before}
    found = [
        *(each for now in gates if now.gate_id in known_gates for each in _of_gate(known_gates[now.gate_id], now)),
        *(each for now in yards if now.yard_id in known_yards for each in _of_yard(known_yards[now.yard_id], now)),
    ]
    return [
        {
            "specversion": "1.0",
            "id": f"{subject}/{type_}/{place}/{iso_utc(at)}",
            "source": source or DEFAULT_SOURCE,
            "type": f"{PREFIX}{type_}",
            "subject": subject,
            "time": iso_utc(at),
            "datacontenttype": "application/json",
            "data": data,
        }
        for subject, type_, place, at, data in found
    ]


_Change = tuple[str, str, str, datetime, Mapping[str, object]]


def _of_gate(before: PublicGateRow, now: PublicGateRow) -> Iterator[_Change]:
    gate_id, at = now.gate_id, now.as_of
    if now.is_open != before.is_open:
        yield gate_id, "gate.opened" if now.is_open else "gate.closed", gate_id, at, {"gate_id": gate_id}
    if now.severity != before.severity:
        queue = {
            "gate_id": gate_id,
            "severity": now.severity,
            "severity_before": before.severity,
            "queue_veh": now.queue_veh,
            "tail_km": now.tail_km,
            "wait_s": now.wait_s,
            "simulated": now.simulated,
        }
        yield gate_id, "queue.changed", gate_id, at, queue
    yield from _notices(gate_id, at, now.notices, before.notices, "begun")
    yield from _notices(gate_id, at, before.notices, now.notices, "over")


def _notices(
    gate_id: str, at: datetime, those: Iterable[NoticeKept], others: Iterable[NoticeKept], change: str
) -> Iterator[_Change]:
    known = {(notice["kind"], notice["starts_at"]) for notice in others}
    for notice in those:
        if (notice["kind"], notice["starts_at"]) not in known:
            data = {"gate_id": gate_id, **notice}
            yield gate_id, f"{notice['kind']}.{change}", notice["starts_at"], at, data


def _of_yard(before: PublicYardRow, now: PublicYardRow) -> Iterator[_Change]:
    if now.is_open != before.is_open:
        data = {"yard_id": now.yard_id, "gate_id": now.gate_id, "free_veh": now.free_veh}
        yield now.gate_id, "yard.opened" if now.is_open else "yard.closed", now.yard_id, now.as_of, data
