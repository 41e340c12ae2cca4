"""The public board kept as rows, its last word in each five minutes: what all open data are read from.

The board is the one judgement of what everybody may know (`app.public.board`); here it only becomes columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting.space_time import SpeedHistory, column_of
from app.gates.vocabulary import NoticeState
from app.open_data import store
from app.open_data.events import EVENT, changes
from app.open_data.tables import NoticeKept, PublicForecastRow, PublicGateRow, PublicYardRow
from app.open_data.travel import Approach, measure_approach
from app.platform import outbox
from app.platform.tables_out import iso_utc
from app.public.board import Board, GateOnBoard, make_board
from app.trips.yard_ledger import EVERYBODY
from geo.corridor import Corridor

SLOT_S: Final = 300


def slot_of(moment: datetime) -> datetime:
    """The begin of the five minutes in which a moment lies."""
    return datetime.fromtimestamp(moment.timestamp() // SLOT_S * SLOT_S, UTC)


@dataclass
class FigureKeeper:
    """Keeps the board, minute by minute; travel times are measured once in each five minutes."""

    corridor: Corridor
    simulated: bool
    source: str = ""
    """What events name as their source: the public address."""
    _speeds: SpeedHistory = field(default_factory=SpeedHistory)
    _approaches: tuple[datetime, Mapping[str, Approach]] | None = None

    def keep(self, session: Session, now: datetime) -> Board:
        """Write down what the board says now; the board."""
        board = make_board(
            session, self.corridor, now, language="vi", simulated=self.simulated, say=lambda notice: notice.cause
        )
        slot = slot_of(now)
        if self._approaches is None or self._approaches[0] != slot:
            self._approaches = slot, self._measure(session, now)
        approaches = self._approaches[1]
        gates = [_gate(board, gate, slot, approaches.get(gate.gate_id)) for gate in board.gates]
        yards = [row for gate in board.gates for row in _yards(board, gate, slot)]
        before = store.newest_gates(session), store.newest_yards(session)
        for event in changes(before[0], gates, before[1], yards, source=self.source):
            outbox.publish_event(session, EVENT, EVERYBODY, dict(event), at=now)
        store.save(session, gates)
        store.save(session, yards)
        store.save(session, [row for gate in board.gates for row in _forecasts(board, gate, slot)])
        return board

    def _measure(self, session: Session, now: datetime) -> dict[str, Approach]:
        """The approaches at the speeds of the last full quarter of an hour and of the present one."""
        last = column_of(now)
        speeds = self._speeds.read(session, last - 1, last)
        found = (measure_approach(self.corridor, gate, speeds) for gate in self.corridor.gates())
        return {approach.gate_id: approach for approach in found if approach is not None}


def _gate(board: Board, gate: GateOnBoard, slot: datetime, approach: Approach | None) -> PublicGateRow:
    low, middle, high = gate.wait_s or (None, None, None)
    return PublicGateRow(
        gate_id=gate.gate_id,
        slot=slot,
        as_of=board.made_at,
        is_open=gate.is_open,
        queue_veh=gate.queue_veh,
        tail_km=gate.tail_km,
        measured_at=gate.measured_at,
        booked_veh=gate.booked_veh,
        free_veh=gate.free_veh,
        wait_low_s=low,
        wait_s=middle,
        wait_high_s=high,
        forecast_made_at=gate.forecast_made_at,
        reach_s=gate.reach_s,
        severity=gate.severity,
        approach_km=None if approach is None else round(approach.length_km, 3),
        measured_share=None if approach is None else round(approach.measured_share, 3),
        travel_s=None if approach is None else round(approach.travel_s, 1),
        free_travel_s=None if approach is None else round(approach.free_s, 1),
        notices=[
            NoticeKept(
                kind=notice.kind,
                cause=notice.cause,
                starts_at=iso_utc(notice.starts_at),
                ends_at=None if notice.ends_at is None else iso_utc(notice.ends_at),
            )
            for notice in gate.notices
            if notice.state == NoticeState.IN_FORCE
        ],
        simulated=board.simulated,
    )


def _yards(board: Board, gate: GateOnBoard, slot: datetime) -> list[PublicYardRow]:
    return [
        PublicYardRow(
            yard_id=yard.yard_id,
            slot=slot,
            as_of=board.made_at,
            gate_id=gate.gate_id,
            kind=yard.kind,
            is_open=yard.is_open,
            capacity_veh=yard.capacity,
            free_veh=yard.free,
            next_free_at=None if yard.next_free is None else yard.next_free.since,
            simulated=board.simulated,
        )
        for yard in gate.yards
    ]


def _forecasts(board: Board, gate: GateOnBoard, slot: datetime) -> list[PublicForecastRow]:
    return [
        PublicForecastRow(
            gate_id=gate.gate_id,
            slot=slot,
            lead_s=round(ahead.lead_s),
            as_of=board.made_at,
            target_at=ahead.at,
            queue_low_veh=ahead.queue_veh[0],
            queue_veh=ahead.queue_veh[1],
            queue_high_veh=ahead.queue_veh[2],
            wait_low_s=ahead.wait_s[0],
            wait_s=ahead.wait_s[1],
            wait_high_s=ahead.wait_s[2],
            simulated=board.simulated,
        )
        for ahead in gate.ahead
    ]
