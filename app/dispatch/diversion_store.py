"""The query for diversions that everybody may know of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.dispatch.tables import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import OrderKind, OrderStatus, RecipientStatus

MIN_PUBLIC_VEH: Final = 5
"""A diversion of fewer trucks is nobody's business but theirs."""


@dataclass(frozen=True)
class Diversion:
    """An order in force that sends `veh` trucks of a gate to another."""

    order_id: int
    gate_id: str
    to_gate_id: str
    veh: int
    since: datetime
    until: datetime


def public_diversions(session: Session, now: datetime) -> list[Diversion]:
    """Diversions in force of trucks chosen by their gate, not one by one, that bind several; the oldest first."""
    gate_id, to_gate_id = DispatchOrder.selection["gate_id"].astext, DispatchOrder.parameters["gate_id"].astext
    veh = func.count()
    query = (
        select(DispatchOrder.order_id, gate_id, to_gate_id, veh, DispatchOrder.valid_from, DispatchOrder.valid_to)
        .join(OrderRecipient, OrderRecipient.order_id == DispatchOrder.order_id)
        .where(
            DispatchOrder.kind == OrderKind.DIVERT,
            DispatchOrder.status == OrderStatus.ACTIVE,
            DispatchOrder.valid_from <= now,
            DispatchOrder.valid_to > now,
            gate_id.is_not(None),
            DispatchOrder.selection["vehicle_ids"].is_(None),
            OrderRecipient.status.not_in((*RecipientStatus.over(), RecipientStatus.REFUSED)),
        )
        .group_by(DispatchOrder.order_id)
        .having(veh >= MIN_PUBLIC_VEH)
        .order_by(DispatchOrder.order_id)
    )
    return [Diversion(*row) for row in session.execute(query)]
