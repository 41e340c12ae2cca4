"""What simulated people do about a transshipment: the whole load of one truck goes on in another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.sheets.service import Sheets
from app.transshipments import load, service
from app.transshipments.balance import Amount, Move


def act_on_transshipment(
    session: Session,
    sheets: Sheets,
    people: Mapping[tuple[Role, Any], Principal],
    row: Any,
    act: str,
    *,
    seed: int,
    now: datetime,
) -> None:
    """Register, approve or carry out; the receiving truck's plate is invented."""
    if act == "register":
        to_plate = f"桂F·A{1000 + seed % 9000}"
        moves = [Move(line.number, "", to_plate, line.amount) for line in load.lines_left(session, row.trip_id)]
        clerk = people[Role.ENTERPRISE, row.organisation_id]
        note = "Sang tải mô phỏng"
        service.register(ActionContext(session, clerk, now), sheets, row.trip_id, moves, note=note)
        return
    known = (row.transshipment_id, row.transshipment_version)
    if act == "approve":
        service.approve(ActionContext(session, people[Role.CUSTOMS, row.gate_id], now), *known)
        return
    moves = [
        Move(one.line, one.from_plate, one.to_plate, Amount(one.packages, one.weight_kg))
        for one in service.moves_of(session, [row.transshipment_id])
    ]
    operator = people[Role.YARD_OPERATOR, row.gate_id]
    service.carry_out(ActionContext(session, operator, now), sheets, *known, moves)
