"""Waivers, refunds and corrections: one person asks with a reason, another of the same office decides."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.accounts import persons
from app.fees import payment_store, store
from app.fees.acts import announce, check_reason, lock_for_collector
from app.fees.corrections import check_correctable, correct
from app.fees.matching import overpaid_vnd
from app.fees.payments import lock_payment
from app.fees.schemas import ReleaseColumns, ReleaseOut
from app.fees.service import settle
from app.fees.tables import FeeRow, Payment, Release
from app.fees.tariff import MAX_AMOUNT_VND
from app.fees.transfers import money, refit
from app.fees.vocabulary import FeeStatus, PaymentStatus, ReleaseKind, ReleaseStatus
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.sheets.service import Sheets
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, InvalidInputError, NotFoundError


def ask_waiver(action: ActionContext, fee_id: int, expected_version: int | None, reason: str) -> int:
    """Ask that a fee be waived; the release's id.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, is settled, has money on it or a waiver asked
        for already, or the reason is missing.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_waivable(action.session, fee)
    values = {
        "kind": "waiver",
        "fee_id": fee_id,
        "amount_vnd": fee.amount_vnd or 0,
        "collector": str(action.actor.role),
        "gate_id": fee.gate_id,
    }
    return _ask(action, values, reason)


def ask_refund(
    action: ActionContext, payment_id: int, expected_version: int | None, amount_vnd: int, reason: str
) -> int:
    """Ask that money be given back, first of what is over, then of what paid a fee; the release's id.

    What pays the fee of a trip that is still open stays: without it the trip could leave unpaid.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such payment for the caller, it was changed since, less is left of it, a refund is asked for
        already, the trip is still open, or the reason is missing.
    """
    payment = lock_payment(action.session, action.actor, payment_id, expected_version)
    applied_vnd = _check_refundable(action.session, payment, amount_vnd)
    values = {
        "kind": "refund",
        "payment_id": payment_id,
        "fee_id": payment.fee_id,
        "amount_vnd": amount_vnd,
        "applied_vnd": applied_vnd,
        "method": payment.method,
        "collector": payment.collector,
        "gate_id": payment.gate_id,
    }
    return _ask(action, values, reason)


def ask_correction(
    action: ActionContext, fee_id: int, expected_version: int | None, amount_vnd: int, reason: str
) -> int:
    """Ask that a fee that was decided, assessed, paid or waived wrongly be put right; the release's id.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, its amount is still a question or was given back,
        the amount is the same or none, a waiver or correction is asked for already, or the reason is missing.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    if not 0 <= amount_vnd <= MAX_AMOUNT_VND:
        raise InvalidInputError("The amount must be 0 đồng or more.", field="amount_vnd")
    previous_vnd = check_correctable(fee, amount_vnd)
    values = {
        "kind": ReleaseKind.CORRECTION,
        "fee_id": fee_id,
        "amount_vnd": amount_vnd,
        "previous_vnd": previous_vnd,
        "collector": str(action.actor.role),
        "gate_id": fee.gate_id,
    }
    return _ask(action, values, reason)


def decide(action: ActionContext, sheets: Sheets, release_id: int, approved: bool, reason: str) -> None:
    """Approve or refuse what a colleague asked for; approved it takes effect.

    Raises
    ------
    NotFoundError, ForbiddenError, ConflictError, InvalidInputError
        If there is no such release for the caller, the caller asked for it, it is decided, what it rests on changed,
        or the reason for a refusal is missing.
    """
    release = payment_store.lock_release(action.session, release_id, action.actor)
    if release is None:
        raise NotFoundError("There is no request {release_id} that you may see.", release_id=release_id)
    persons.check_second_person(action, release.asked_by)
    if release.status != ReleaseStatus.ASKED:
        raise ConflictError("This was decided already: {status}.", status=release.status)
    before = _record(release)
    release.status = ReleaseStatus.APPROVED if approved else ReleaseStatus.REFUSED
    release.decided_by, release.decided_at = action.actor.account_id, action.now
    release.decision_reason = check_reason(reason) if reason.strip() or not approved else None
    action.session.flush()
    if approved and release.kind == "waiver":
        fee = lock_for_collector(action.session, action.actor, release.fee_id or 0, None)
        _check_waivable(action.session, fee)
        store.update_fee(action.session, fee, {"collector": fee.collector or release.collector})
        settle(action, sheets, fee, FeeStatus.WAIVED)
    elif approved and release.kind == ReleaseKind.CORRECTION:
        fee = lock_for_collector(action.session, action.actor, release.fee_id or 0, None)
        correct(action, sheets, fee, release)
    elif approved:
        _give_back(action, release)
    act = f"fees.{release.kind}.{release.status}"
    action.record(act, "fee_release", release_id, before, _record(release))


def list_releases(session: Session, principal: Principal, *, limit: int = 200) -> list[ReleaseOut]:
    """What waits for a second person in the caller's office; `own` marks what the caller asked for."""
    own = persons.accounts_of_person(session, principal.account_id)
    return [
        ReleaseOut(
            **dict(ReleaseColumns.model_validate(asked.release)),
            asked_by_name=asked.asked_by_name,
            reference=asked.reference,
            own=asked.release.asked_by in own,
        )
        for asked in payment_store.list_releases(session, principal, limit)
    ]


def _record(release: Release) -> JsonObject:
    """A release as the audit log keeps it."""
    return ReleaseColumns.model_validate(release).model_dump()


def _ask(action: ActionContext, values: Mapping[str, object], reason: str) -> int:
    persons.check_first_person(action)
    release = payment_store.insert_release(
        action.session,
        {
            **values,
            "reason": check_reason(reason),
            "status": ReleaseStatus.ASKED,
            "asked_by": action.actor.account_id,
            "asked_at": action.now,
        },
    )
    if release is None:
        raise ConflictError("This was asked for already and waits for a second person.")
    act, after = f"fees.{release.kind}.asked", _record(release)
    action.record(act, "fee_release", release.release_id, None, after)
    return release.release_id


def _check_waivable(session: Session, fee: FeeRow) -> None:
    if fee.status not in FeeStatus.open():
        raise ConflictError("The fee is {status} already.", status=FeeStatus.get(fee.status))
    if any(payment.applied_vnd for payment in payment_store.payments_of(session, fee.fee_id)):
        raise ConflictError("Money came in for this fee; confirm it, or give it back first.")


def _check_refundable(session: Session, payment: Payment, amount_vnd: int) -> int:
    """How much of a refund had paid a fee."""
    left_vnd = money(payment).held_vnd
    if not 1 <= amount_vnd <= left_vnd:
        raise InvalidInputError(
            "At most {left} đ can be given back of this payment.", field="amount_vnd", left=left_vnd
        )
    excess_vnd = money(payment).over_vnd
    applied_vnd = max(amount_vnd - excess_vnd, 0)
    if applied_vnd:
        fee = session.get_one(FeeRow, payment.fee_id)
        trip = session.get_one(Trip, fee.trip_id)
        surplus_vnd = overpaid_vnd(
            fee.amount_vnd, [money(other) for other in payment_store.payments_of(session, fee.fee_id)]
        )
        if fee.status == FeeStatus.PAID and trip.stage in Stage.open() and applied_vnd > surplus_vnd:
            raise ConflictError(
                "The trip {code} is still open and this money pays its fee; only {excess} đ can be given back now.",
                code=trip.code,
                excess=excess_vnd + surplus_vnd,
            )
    return applied_vnd


def _give_back(action: ActionContext, release: Release) -> None:
    fee_id = action.session.get_one(Payment, release.payment_id).fee_id
    fee = None if fee_id is None else store.lock_fee(action.session, FeeRow.fee_id == fee_id)  # before its payments
    payment = lock_payment(action.session, action.actor, release.payment_id or 0, None)
    release.applied_vnd = _check_refundable(action.session, payment, release.amount_vnd)
    payment.refunded_vnd += release.amount_vnd
    payment.version += 1
    if payment.confirmed_at is None:  # it never counted: what pays the fee shrinks, and nothing was taken
        payment.applied_vnd -= release.applied_vnd
        release.applied_vnd = 0
    if payment.refunded_vnd == payment.amount_vnd:
        payment.status = PaymentStatus.REFUNDED
    action.session.flush()
    if fee is None:
        return
    payments = payment_store.payments_of(action.session, fee.fee_id)
    is_empty = all(other.refunded_vnd == other.amount_vnd for other in payments if other.confirmed_at is not None)
    if fee.status == FeeStatus.PAID and fee.amount_vnd and is_empty:
        store.update_fee(action.session, fee, {"status": FeeStatus.REFUNDED})
    refit(action.session, fee)
    announce(action, fee)
