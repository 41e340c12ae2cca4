"""A trip goes to another gate, or under another procedure: its fee goes with it, to whoever collects there."""

from __future__ import annotations

from app.fees import service, store
from app.fees.acts import announce, summary
from app.fees.records import LoadRecord
from app.fees.tables import FeeRow
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.sheets.service import Sheets


def follow_trip(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """Take the fee of a trip to the gate where the trip is now, and assess it by what collects there.

    A fee that is settled stays where it was paid and counts. One that is open, with money on it or not, is collected at
    the new gate from then on; a collector is asked again only if the load is another too.
    """
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    trip = store.find_facts(action.session, trip_id)
    if fee is None or trip is None:
        return
    if fee.load["facts"].get("gate_id", trip.gate_id) != trip.gate_id or fee.gate_id != trip.gate_id:
        before = summary(fee)
        load = LoadRecord(facts={**fee.load["facts"], "gate_id": trip.gate_id}, parts=fee.load["parts"])
        values: dict[str, object] = {"load": load}
        if fee.status in FeeStatus.open():
            values |= {
                "gate_id": trip.gate_id,
                "collector": service.collector_at(action, trip.gate_id, fee.collector),
            }
        store.update_fee(action.session, fee, values)
        announce(action, fee)
        action.record("fees.move", "fee", fee.fee_id, before, summary(fee))
    service.open_fee(action, sheets, trip_id)
    service.tell_sheet(action, sheets, fee)
