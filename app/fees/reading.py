"""Fees as collectors and payers read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import store, vietqr
from app.fees.tables import FeeRow
from app.fees.vocabulary import FeeStatus
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from app.procedures.steps import StepStatus
from geo.errors import ConflictError, NotFoundError
from ingest.plates import display_plate

# Reading


def get_fee(session: Session, principal: Principal, fee_id: int) -> dict[str, Any]:
    """A fee the caller may see, with its payments; raises NotFoundError if there is none."""
    visible = and_(store.visible_fees(principal, "fees.read"), FeeRow.fee_id == fee_id)
    return _read(session, visible, "There is no fee {name} that you may see.", fee_id)


def get_fee_of_trip(session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
    """The fee of a trip; raises NotFoundError if there is none that the caller may see."""
    visible = and_(store.visible_fees(principal, "fees.read"), FeeRow.trip_id == trip_id)
    return _read(session, visible, "The trip {name} has no fee that you may see.", trip_id)


def list_fees(
    session: Session,
    principal: Principal,
    *,
    statuses: tuple[str, ...] = (),
    ready: bool | None = None,
    page: PageRequest,
) -> Page[dict[str, Any]]:
    """A page of fees the caller may see, newest first."""
    visible = store.visible_fees(principal, "fees.read")
    rows = store.list_fees(session, visible, statuses=statuses, ready=ready, before=page.before, limit=page.fetch)
    return paginate(rows, page, "fee_id", describe)


def payment_code(session: Session, principal: Principal, fee_id: int) -> dict[str, Any]:
    """The VietQR code of what is still due, as text and SVG, and the same to be typed by hand.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such fee for the caller, nothing is due, or the collector has no bank account entered.
    """
    fee = get_fee(session, principal, fee_id)
    if fee["status"] != FeeStatus.DUE or fee["outstanding_vnd"] <= 0:
        raise ConflictError("Nothing is to be paid for the trip {code} now.", code=fee["trip_code"])
    account = store.find_collecting_account(session, fee["collector"], fee["gate_id"])
    if account is None:
        raise ConflictError("The collector has no bank account entered here; pay at the office.")
    text = vietqr.payload(account.bank_bin, account.account_number, fee["outstanding_vnd"], fee["reference"])
    return {
        "payload": text,
        "svg": vietqr.svg(text),
        "amount_vnd": fee["outstanding_vnd"],
        "reference": fee["reference"],
        "bank_bin": account.bank_bin,
        "bank_name": account.bank_name,
        "account_number": account.account_number,
        "account_name": account.account_name,
        "simulated": account.simulated,
    }


def _read(session: Session, condition: Any, message: str, name: int) -> dict[str, Any]:
    row = store.find_fee(session, condition)
    if row is None:
        raise NotFoundError(message, name=name)
    payments = [describe_payment(one) for one in store.payments_of(session, row.FeeRow.fee_id)]
    return {**describe(row), "payments": payments}


def describe(row: Any) -> dict[str, Any]:
    """A described fee (see `store`) as a record for people and programs."""
    fee: FeeRow = row.FeeRow
    due_vnd = fee.amount_vnd or 0
    return {
        **summary(fee),
        "trip_code": row.code,
        "plate": display_plate(row.plate),
        "organisation": row.organisation,
        "goods": row.goods,
        "goods_class": row.goods_class,
        "regime": row.regime,
        "stage": row.stage,
        "simulated": row.simulated,
        "step_status": row.step_status,
        "step_since": row.step_since,
        "ready": row.step_status == StepStatus.READY,
        "received_vnd": int(row.received_vnd),
        "outstanding_vnd": max(due_vnd - int(row.received_vnd), 0) if fee.status == FeeStatus.DUE else 0,
        "tariff": None
        if row.tariff_code is None
        else {"code": row.tariff_code, "version": row.tariff_version, "complete": row.tariff_complete},
    }


def describe_payment(payment: Any) -> dict[str, Any]:
    """A payment as plain values."""
    return {
        name: getattr(payment, name)
        for name in (
            "payment_id",
            "fee_id",
            "method",
            "source",
            "status",
            "detail",
            "amount_vnd",
            "applied_vnd",
            "refunded_vnd",
            "collector",
            "gate_id",
            "bank_ref",
            "content",
            "payer",
            "received_at",
            "confirmed_at",
            "receipt_series",
            "receipt_number",
            "version",
        )
    }


def summary(fee: FeeRow) -> dict[str, Any]:
    """A fee's own columns as plain values."""
    return {
        "fee_id": fee.fee_id,
        "trip_id": fee.trip_id,
        "gate_id": fee.gate_id,
        "collector": fee.collector,
        "status": fee.status,
        "load": fee.load,
        "answers": fee.answers,
        "question": fee.question,
        "amount_vnd": fee.amount_vnd,
        "derivation": fee.derivation,
        "decision_reason": fee.decision_reason,
        "reference": fee.reference,
        "opened_at": fee.opened_at,
        "settled_at": fee.settled_at,
        "version": fee.version,
    }
