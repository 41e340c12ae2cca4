"""Fees as those who may see them read them: with trip, payments, and the code that pays what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from app.fees import payment_store, store, vietqr
from app.fees.matching import excess_vnd
from app.fees.schemas import (
    CodeOut,
    CorrectionOut,
    FeeColumns,
    FeeDetail,
    FeeOut,
    PaymentOut,
    ReleaseColumns,
    TariffRef,
)
from app.fees.store import TripFee
from app.fees.tables import FeeRow
from app.fees.transfers import money
from app.fees.vocabulary import FeeStatus
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.procedures.steps import StepStatus
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, NotFoundError
from ingest.plates import display_plate

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999


@dataclass(frozen=True)
class Period:
    """Local days, the last included; an end that is not given is open."""

    first: date | None = None
    last: date | None = None

    @property
    def begin(self) -> datetime | None:
        """When it begins; before all fees, and what no database holds, is open."""
        if self.first is None or self.first.year < FIRST_YEAR:
            return None
        return datetime.combine(self.first, time.min, LOCAL_ZONE)

    @property
    def end(self) -> datetime | None:
        """When it is over, likewise."""
        if self.last is None or self.last.year > LAST_YEAR:
            return None
        return datetime.combine(self.last + timedelta(days=1), time.min, LOCAL_ZONE)


def get_fee(session: Session, principal: Principal, fee_id: int) -> FeeDetail:
    """A fee the caller may see, with its payments; raises NotFoundError if there is none."""
    visible = and_(store.visible_fees(principal, "fees.read"), FeeRow.fee_id == fee_id)
    return _read(session, principal, visible, "There is no fee {name} that you may see.", fee_id)


def get_fee_of_trip(session: Session, principal: Principal, trip_id: int) -> FeeDetail:
    """The fee of a trip; raises NotFoundError if there is none that the caller may see."""
    visible = and_(store.visible_fees(principal, "fees.read"), FeeRow.trip_id == trip_id)
    return _read(session, principal, visible, "The trip {name} has no fee that you may see.", trip_id)


def list_fees(
    session: Session,
    principal: Principal,
    *,
    statuses: tuple[str, ...] = (),
    ready: bool | None = None,
    page: PageRequest,
    period: Period | None = None,
) -> Page[FeeOut]:
    """A page of fees the caller may see, newest first; of a `period` those opened in it."""
    visible = store.visible_fees(principal, "fees.read")
    if period is not None:
        visible = and_(visible, store.opened_in(period.begin, period.end))
    fees = store.list_fees(session, visible, statuses=statuses, ready=ready, before=page.before, limit=page.fetch)
    return Page.of([describe(fee) for fee in fees], page, lambda fee: fee.fee_id)


def payment_code(session: Session, principal: Principal, fee_id: int) -> CodeOut:
    """The VietQR code of what is still due, as text and SVG, and the same to be typed by hand.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such fee for the caller, nothing is due, or the collector has no bank account entered.
    """
    fee = get_fee(session, principal, fee_id)
    if fee.status != FeeStatus.DUE or fee.outstanding_vnd <= 0:
        raise ConflictError("Nothing is to be paid for the trip {code} now.", code=fee.trip_code)
    return make_code(session, fee.collector, fee.gate_id, fee.outstanding_vnd, fee.reference)


def make_code(session: Session, collector: str | None, gate_id: str, amount_vnd: int, reference: str) -> CodeOut:
    """The VietQR code of an amount to a collector at a gate.

    Raises
    ------
    ConflictError
        If the collector has no bank account entered.
    """
    account = collector and payment_store.find_collecting_account(session, collector, gate_id)
    if not account:
        raise ConflictError("The collector has no bank account entered here; pay at the office.")
    text = vietqr.payload(account.bank_bin, account.account_number, amount_vnd, reference)
    return CodeOut(
        payload=text,
        svg=vietqr.svg(text),
        amount_vnd=amount_vnd,
        reference=reference,
        bank_bin=account.bank_bin,
        bank_name=account.bank_name,
        account_number=account.account_number,
        account_name=account.account_name,
        simulated=account.simulated,
    )


def _read(session: Session, principal: Principal, condition: ColumnElement[bool], message: str, name: int) -> FeeDetail:
    found = store.find_fee(session, condition)
    if found is None:
        raise NotFoundError(message, name=name)
    fee, payments = found.fee, payment_store.payments_of(session, found.fee.fee_id)
    amounts = list(map(money, payments))
    shows_names = principal.may("fees.collect") or principal.scope("fees.read") is Scope.ALL
    return FeeDetail(
        **dict(describe(found)),
        held_vnd=sum(amount.held_vnd for amount in amounts),
        excess_vnd=excess_vnd(fee.amount_vnd if fee.status in FeeStatus.paying() else None, amounts),
        payments=[PaymentOut.model_validate(payment) for payment in payments],
        corrections=[
            CorrectionOut(
                **dict(ReleaseColumns.model_validate(asked.release)),
                asked_by_name=asked.asked_by_name if shows_names else None,
                decided_by_name=asked.decided_by_name if shows_names else None,
            )
            for asked in payment_store.corrections_of(session, found.fee.fee_id)
        ],
    )


def receipts_of(session: Session, fee_ids: Sequence[int]) -> dict[int, list[str]]:
    """The numbers of the receipts of fees, by fee."""
    found: dict[int, list[str]] = {}
    for fee_id, series, number in payment_store.receipt_numbers(session, fee_ids):
        found.setdefault(fee_id, []).append(f"{series}-{number:07d}")
    return found


def describe(found: TripFee) -> FeeOut:
    """A fee as the API answers it."""
    fee = found.fee
    due_vnd = fee.amount_vnd or 0
    return FeeOut(
        **dict(FeeColumns.model_validate(fee)),
        trip_code=found.trip_code,
        plate=display_plate(found.plate),
        organisation=found.organisation,
        goods=found.goods,
        goods_class=found.goods_class,
        regime=found.regime,
        stage=found.stage,
        simulated=found.simulated,
        step_status=found.step_status,
        step_since=found.step_since,
        ready=found.step_status == StepStatus.READY,
        received_vnd=found.received_vnd,
        outstanding_vnd=max(due_vnd - found.received_vnd, 0) if fee.status == FeeStatus.DUE else 0,
        tariff=None
        if found.tariff_code is None
        else TariffRef(code=found.tariff_code, version=found.tariff_version, complete=found.tariff_complete),
    )
