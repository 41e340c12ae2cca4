"""What every act on a fee begins and ends with: lock it, ask for a reason, write down what it is, let people know."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import payment_store, store
from app.fees.schemas import FeeColumns
from app.fees.tables import FeeRow
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Collector
from geo.errors import InvalidInputError, NotFoundError
from geo.versions import check_version

MIN_REASON_LENGTH: Final = 3
MAX_REASON_LENGTH: Final = 500


def summary(fee: FeeRow) -> JsonObject:
    """A fee's own columns as the audit log keeps them."""
    return FeeColumns.model_validate(fee).model_dump()


def lock_for_collector(session: Session, principal: Principal, fee_id: int, expected_version: int | None) -> FeeRow:
    """A fee that the caller collects, locked; `expected_version` `None` takes it as it is."""
    visible = and_(store.visible_fees(principal, "fees.collect"), FeeRow.fee_id == fee_id)
    fee = store.lock_fee(session, visible)
    if fee is None:
        raise NotFoundError("There is no fee {name} that you may see.", name=fee_id)
    check_version(fee.version, expected_version)
    return fee


def check_reason(reason: str) -> str:
    """A reason tidied; raises InvalidInputError if it is missing or too long."""
    said = " ".join(reason.split())
    if not MIN_REASON_LENGTH <= len(said) <= MAX_REASON_LENGTH:
        raise InvalidInputError("Give a reason of 3 to {most} characters.", field="reason", most=MAX_REASON_LENGTH)
    return said


def announce(action: ActionContext, fee: FeeRow) -> None:
    """Publish a fee's status, and write it on the trip's timeline."""
    trip = action.session.get_one(Trip, fee.trip_id)
    audience = audience_of(trip, (fee.collector,) if fee.collector else tuple(Collector), gates=(fee.gate_id,))
    data: JsonObject = {"fee_id": fee.fee_id, "trip_id": fee.trip_id, "gate_id": fee.gate_id, "status": fee.status}
    if fee.status == FeeStatus.DUE and fee.amount_vnd is not None:
        received_vnd = payment_store.kept_vnd(action.session, fee.fee_id)
        data |= {"amount_vnd": fee.amount_vnd, "outstanding_vnd": max(fee.amount_vnd - received_vnd, 0)}
    line = {"status": fee.status, "amount_vnd": fee.amount_vnd, "outstanding_vnd": data.get("outstanding_vnd")}
    action.publish_event(Event("fee", audience, data))
    TimelineEntry(fee.trip_id, "fee", line).write(action)
