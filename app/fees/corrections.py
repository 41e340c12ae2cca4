"""A wrong fee is put right by two persons; what it was stays in its derivation, its audit and the request for it."""

from __future__ import annotations

from app.fees import store
from app.fees.acts import announce, summary
from app.fees.records import LineRecord
from app.fees.service import collected_at, settle, tell_sheet
from app.fees.tables import FeeRow, Release
from app.fees.transfers import apply_money
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.sheets.service import Sheets
from geo.errors import ConflictError, InvalidInputError

LABEL = {"vi": "Đính chính", "en": "Correction", "zh": "更正"}


def check_correctable(fee: FeeRow, amount_vnd: int) -> int:
    """What a fee is now, of which `amount_vnd` is the correction: nothing where it was waived.

    Raises
    ------
    ConflictError, InvalidInputError
        If its amount is still a question or was given back, or it is the same.
    """
    if fee.status == FeeStatus.OPEN_QUESTION:
        raise ConflictError("The amount of the fee {reference} is not known yet.", reference=fee.reference)
    if fee.status == FeeStatus.REFUNDED:
        raise ConflictError("The fee is {status} already.", status=FeeStatus.get(fee.status))
    previous_vnd = 0 if fee.status == FeeStatus.WAIVED else fee.amount_vnd or 0
    if amount_vnd == previous_vnd:
        raise InvalidInputError(
            "The fee is {amount} đ already; enter what it should be.", field="amount_vnd", amount=amount_vnd
        )
    return previous_vnd


def correct(action: ActionContext, sheets: Sheets, fee: FeeRow, release: Release) -> None:
    """Give a locked fee its corrected amount; money that is there pays it, the rest is due again where the trip is.

    What a paid fee keeps beyond its corrected amount waits to be given back; receipts stay what they are.

    Raises
    ------
    ConflictError, InvalidInputError
        If the fee is not what it was when the correction was asked for.
    """
    if check_correctable(fee, release.amount_vnd) != release.previous_vnd:
        raise ConflictError("The fee changed since this was asked for; ask again.")
    before = summary(fee)
    amount_vnd, was_paid = release.amount_vnd, fee.status == FeeStatus.PAID
    line: LineRecord = {
        "kind": "corrected",
        "rule": "corrected",
        "label": LABEL,
        "amount_vnd": amount_vnd - (release.previous_vnd or 0),
        "subtotal_vnd": amount_vnd,
        "goods_class": None,
        "share": None,
        "reason": release.reason,
    }
    earlier = [] if fee.status == FeeStatus.WAIVED else fee.derivation
    values: dict[str, object] = {
        "amount_vnd": amount_vnd,
        "derivation": [*earlier, line],
        "decided_by": release.asked_by,
        "decision_reason": release.reason,
    }
    if not was_paid or amount_vnd > (release.previous_vnd or 0):
        values |= {"status": FeeStatus.DUE, "settled_at": None, "settled_by": None}
        trip = store.find_facts(action.session, fee.trip_id)
        assert trip is not None
        values |= collected_at(action, fee, trip.gate_id, fee.collector)
    store.update_fee(action.session, fee, values)
    apply_money(action, fee)
    if fee.status == FeeStatus.DUE and amount_vnd == 0:
        settle(action, sheets, fee, FeeStatus.WAIVED)
        apply_money(action, fee)
    else:
        tell_sheet(action, sheets, fee)
        announce(action, fee)
    action.record("fees.correct", "fee", fee.fee_id, before, summary(fee))
