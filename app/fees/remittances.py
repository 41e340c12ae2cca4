"""Several fees paid by one transfer: an enterprise's convoy with one code, one reference, one amount.

The transfer is split over the fees when it comes (`transfers`); each fee is confirmed by itself and has its own
receipt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from app.fees import payment_store, reading, store, transfer_store
from app.fees.reference import new_reference
from app.fees.schemas import FeeOut, RemittanceOut
from app.fees.tables import FeeRow, Remittance
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.procedures.steps import Step
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError


def open_remittance(action: ActionContext, fee_ids: Sequence[int]) -> int:
    """Put fees of the caller's enterprise together that one transfer is to pay; its id, the same for the same fees.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If one is not the caller's, nothing is due of it, they are of several offices, or the office has no bank
        account.
    """
    organisation_id = action.actor.organisation_id
    if organisation_id is None:
        raise ForbiddenError("Your account is bound to no enterprise. Ask an administrator to set it.")
    wanted = list(dict.fromkeys(fee_ids))
    fees = [_payable(action, fee_id) for fee_id in wanted]
    offices = {(fee.collector, fee.gate_id) for fee in fees}
    if len(offices) != 1:
        others = [fee.trip_code for fee in fees if (fee.collector, fee.gate_id) != (fees[0].collector, fees[0].gate_id)]
        raise InvalidInputError(
            "The fees of {codes} are collected by another office; pay them with a code of their own.",
            field="fee_ids",
            codes=", ".join(others),
        )
    collector, gate_id = fees[0].collector, fees[0].gate_id
    assert collector is not None
    if payment_store.find_collecting_account(action.session, collector, gate_id) is None:
        raise ConflictError("The collector has no bank account entered here; pay at the office.")
    fee_key = hashlib.sha256(",".join(map(str, sorted(wanted))).encode()).hexdigest()
    values = {
        "reference": new_reference(),
        "organisation_id": organisation_id,
        "collector": collector,
        "gate_id": gate_id,
        "fee_key": fee_key,
        "created_by": action.actor_id,
        "created_at": action.now,
    }
    made = transfer_store.insert_remittance(action.session, values, wanted)
    if made is None:
        known = transfer_store.find_remittance(action.session, Remittance.fee_key == fee_key)
        assert known is not None
        return known.remittance_id
    after = {"reference": made.reference, "fee_ids": wanted}
    action.record("fees.remittance", "remittance", made.remittance_id, None, after)
    return made.remittance_id


def get_remittance(session: Session, principal: Principal, remittance_id: int) -> RemittanceOut:
    """Fees that one transfer pays, with the code of what is still due; raises NotFoundError if the caller sees none."""
    condition = and_(Remittance.remittance_id == remittance_id, _visible(principal))
    found = transfer_store.find_remittance(session, condition)
    if found is None:
        raise NotFoundError("There is no common payment {name} that you may see.", name=remittance_id)
    fees: list[FeeOut] = []
    for fee_id in transfer_store.fees_of_remittance(session, remittance_id):
        row = store.find_fee(session, FeeRow.fee_id == fee_id)
        if row is not None:
            fees.append(reading.describe(row))
    at_office = [fee for fee in fees if (fee.collector, fee.gate_id) == (found.collector, found.gate_id)]
    due_vnd = sum(fee.outstanding_vnd for fee in at_office)
    try:
        code = reading.make_code(session, found.collector, found.gate_id, due_vnd, found.reference) if due_vnd else None
    except ConflictError:  # the account was taken out of use since
        code = None
    return RemittanceOut(
        remittance_id=found.remittance_id,
        reference=found.reference,
        collector=found.collector,
        gate_id=found.gate_id,
        created_at=found.created_at,
        amount_vnd=sum(fee.amount_vnd or 0 for fee in fees),
        outstanding_vnd=due_vnd,
        fees=fees,
        code=code,
    )


def _payable(action: ActionContext, fee_id: int) -> FeeOut:
    visible = and_(store.visible_fees(action.actor, "fees.pay"), FeeRow.fee_id == fee_id)
    found = store.find_fee(action.session, visible)
    if found is None:
        raise NotFoundError("There is no fee {name} that you may see.", name=fee_id)
    fee = reading.describe(found)
    if fee.status != FeeStatus.DUE or fee.outstanding_vnd <= 0:
        raise ConflictError("Nothing is to be paid for the trip {code} now.", code=fee.trip_code)
    return fee


def _visible(principal: Principal) -> ColumnElement[bool]:
    """An enterprise sees its own, a collector those of the own office, who sees all fees all."""
    scope = principal.scope("fees.read")
    if scope is Scope.ALL:
        return Remittance.remittance_id.is_not(None)
    if scope is Scope.OWN_ORGANISATION:
        return Remittance.organisation_id == principal.organisation_id
    if scope is Scope.OWN_GATE and principal.role in Step.FEE.spec.roles:
        return transfer_store.at_office(str(principal.role), principal.gate_id or "")
    return Remittance.remittance_id.is_(None)
