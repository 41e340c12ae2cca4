"""The fee of a trip: opened from the tariff, questions answered by a collector, read by who may see it.

What is paid is in `payments`, what is forgiven or given back in `releases`, the end of a day in `closing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from app.fees import payment_store, store, vietqr
from app.fees.assessment import Fee, Question, assess
from app.fees.load import check_answers, load_of, to_record
from app.fees.records import LineRecord, LoadRecord
from app.fees.reference import new_reference
from app.fees.schemas import CodeOut, FeeColumns, FeeDetail, FeeOut, PaymentOut, TariffRef
from app.fees.store import TripFacts, TripFee
from app.fees.tables import FeeRow
from app.fees.tariff import MAX_AMOUNT_VND, in_force
from app.fees.tariff_definition import read_tariff
from app.fees.vocabulary import FeeStatus
from app.gates.service import profiles
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Collector
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest.plates import display_plate

MIN_REASON_LENGTH: Final = 3
MAX_REASON_LENGTH: Final = 500


@dataclass(frozen=True)
class _Assessed:
    """What the tariff `tariff_id` (`None`: none is in force) says of a load, and who collects by it."""

    load: LoadRecord
    answer: Fee | Question
    tariff_id: int | None
    collector: str | None


# Opening


def open_fee(action: ActionContext, sheets: Sheets, trip_id: int) -> int:
    """Open the fee of a trip, or assess it again after its declaration changed; the fee's id.

    Called when a declaration is submitted. A fee that is settled, decided by a collector or has money on it is not
    changed by itself: if the tariff says otherwise of the new load, a collector is asked (`load_changed`), and what was
    paid counts. The sheet gets to know who collects (`collector`, `fee_due`).

    Raises
    ------
    NotFoundError
        If there is no such trip.
    """
    trip = store.find_facts(action.session, trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    first = store.insert_fee(
        action.session,
        {
            "trip_id": trip_id,
            "gate_id": trip.gate_id,
            "status": FeeStatus.OPEN_QUESTION,
            "load": LoadRecord(facts={}, parts=[]),
            "opened_at": action.now,
            "reference": new_reference(),
            "collector": None,
        },
    )
    fee = first or store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    assert fee is not None
    has_money = bool(payment_store.payments_of(action.session, fee.fee_id))
    if fee.status not in FeeStatus.settled() and fee.decided_by is None and not has_money:
        _assess(action, sheets, fee, trip, act="fees.open" if first else "fees.reassess")
    else:
        _ask_again(action, fee, trip)
    return fee.fee_id


def _assess(action: ActionContext, sheets: Sheets, fee: FeeRow, trip: TripFacts, *, act: str) -> None:
    """Ask the tariff and write down its answer."""
    before = summary(fee)
    found = _ask_tariff(action, fee, trip)
    values: dict[str, object] = {
        "load": found.load,
        "gate_id": trip.gate_id,
        "tariff_id": found.tariff_id,
        "collector": found.collector,
    }
    if isinstance(found.answer, Fee) and found.collector is not None:
        values |= {
            "status": FeeStatus.DUE,
            "question": None,
            "amount_vnd": found.answer.amount_vnd,
            "derivation": [line.to_record() for line in found.answer.derivation],
        }
    else:
        question = (
            found.answer
            if isinstance(found.answer, Question)
            else Question(
                "no_collector", "The tariff does not say who collects from this load. Decide and enter the amount.", {}
            )
        )
        values |= {
            "status": FeeStatus.OPEN_QUESTION,
            "question": question.to_record(),
            "amount_vnd": None,
            "derivation": [],
        }
    changes = {name: value for name, value in values.items() if getattr(fee, name) != value}
    if not changes:
        return
    store.update_fee(action.session, fee, changes)
    _update_sheet(action, sheets, fee)
    announce(action, fee)
    action.record(act, "fee", fee.fee_id, before, summary(fee))


def _ask_tariff(action: ActionContext, fee: FeeRow, trip: TripFacts) -> _Assessed:
    """What the tariff in force says of a trip's load; while none is, who collects stays."""
    load = load_of(trip, fee.answers)
    tariffs = {row.tariff_id: read_tariff(row.rules) for row in store.published_tariffs(action.session)}
    try:
        tariff = in_force(tariffs.values(), action.now.astimezone(LOCAL_ZONE).date())
    except NotFoundError as error:
        question = Question("no_tariff", error.message, {name: str(value) for name, value in error.values.items()})
        return _Assessed(to_record(load), question, None, fee.collector)
    tariff_id = next(tariff_id for tariff_id, known in tariffs.items() if known is tariff)
    return _Assessed(
        to_record(load), assess(tariff, load), tariff_id, collector_at(action, trip.gate_id, tariff.collector(load))
    )


def collector_at(action: ActionContext, gate_id: str, named: str | None) -> str | None:
    """Who collects at a gate what the tariff gives to `named`: where only one office collects, that one.

    `None` where the tariff names nobody, or somebody who does not collect there while several others do.
    """
    profile = profiles(action.session, action.now).get(gate_id)
    if named is None or profile is None or named in profile.collectors:
        return named
    return profile.collectors[0] if len(profile.collectors) == 1 else None


def _ask_again(action: ActionContext, fee: FeeRow, trip: TripFacts) -> None:
    """Let a collector decide on a fee that stood already, if the load it stood for is another now."""
    found = _ask_tariff(action, fee, trip)
    if found.load == fee.load or (isinstance(found.answer, Fee) and found.answer.amount_vnd == fee.amount_vnd):
        return
    before = summary(fee)
    asked = fee.question["values"] if fee.question else {}  # changed again before the collector answered
    known = {"before": asked.get("before", "?") if fee.amount_vnd is None else _amount(fee.amount_vnd)}
    if isinstance(found.answer, Fee):
        known["after"] = _amount(found.answer.amount_vnd)
        message = (
            "The declaration changed after the fee was known: it was {before} đ, for the new load the tariff says "
            "{after} đ. Look at it and enter the amount that holds; what was paid counts."
        )
    else:
        message = (
            "The declaration changed after the fee was known: it was {before} đ, and the tariff does not say what the "
            "new load costs. Look at it and enter the amount that holds; what was paid counts."
        )
    question = Question("load_changed", message, known)
    store.update_fee(
        action.session,
        fee,
        {
            "status": FeeStatus.OPEN_QUESTION,
            "question": question.to_record(),
            "amount_vnd": None,
            "derivation": [],
            "load": found.load,
            "tariff_id": found.tariff_id,
            "decided_by": None,
            "decision_reason": None,
            "settled_at": None,
            "settled_by": None,
        },
    )
    announce(action, fee)
    action.record("fees.reopen", "fee", fee.fee_id, before, summary(fee))


def _amount(amount_vnd: int) -> str:
    return f"{amount_vnd:,}".replace(",", ".")


def _update_sheet(action: ActionContext, sheets: Sheets, fee: FeeRow) -> None:
    if fee.collector is not None:
        facts = {"collector": fee.collector, "fee_due": True}
        sheets.update_facts(action.without_address(), fee.trip_id, facts)


# Questions


def answer_question(
    action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int, facts: Mapping[str, object]
) -> None:
    """Add facts that the declaration leaves out, such as the vehicle's payload, and ask the tariff again.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, has no open question, or a fact does not fit.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_open(fee)
    trip = store.find_facts(action.session, fee.trip_id)
    assert trip is not None
    store.update_fee(action.session, fee, {"answers": {**fee.answers, **check_answers(facts)}})
    _assess(action, sheets, fee, trip, act="fees.answer")


def decide_amount(
    action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int, amount_vnd: int, reason: str
) -> None:
    """Set the amount where the tariff has no answer; the reason is kept and stands in the derivation.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, has no open question, or amount or reason
        are missing.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_open(fee)
    if not 1 <= amount_vnd <= MAX_AMOUNT_VND:
        raise InvalidInputError("The amount must be 1 đồng or more.", field="amount_vnd")
    said = check_reason(reason)
    before = summary(fee)
    label = {"vi": "Người thu quyết định", "en": "Decided by the collector", "zh": "收费人员决定"}
    line: LineRecord = {
        "kind": "decided",
        "rule": "decided",
        "label": label,
        "amount_vnd": amount_vnd,
        "subtotal_vnd": amount_vnd,
        "goods_class": None,
        "share": None,
        "reason": said,
    }
    store.update_fee(
        action.session,
        fee,
        {
            "status": FeeStatus.DUE,
            "amount_vnd": amount_vnd,
            "derivation": [line],
            "question": None,
            "decision_reason": said,
            "decided_by": action.actor.account_id,
            "collector": fee.collector or str(action.actor.role),
        },
    )
    _update_sheet(action, sheets, fee)
    announce(action, fee)
    action.record("fees.decide", "fee", fee_id, before, summary(fee))


# Settling


def settle(action: ActionContext, sheets: Sheets, fee: FeeRow, status: str) -> None:
    """A fee is paid or waived: written down, published, and the step of its sheet confirmed if its turn has come.

    One settled before its turn is confirmed when it comes (see `on_sheet`).
    """
    store.update_fee(
        action.session,
        fee,
        {"status": status, "settled_at": action.now, "settled_by": action.actor.account_id, "question": None},
    )
    announce(action, fee)
    if store.step_status(action.session, fee.trip_id) == StepStatus.READY:
        sheets.confirm_step(action, fee.trip_id, Step.FEE, expected_version=None, data=_step_data(fee))


def complete_step(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """Confirm the step of a fee that was settled before its turn."""
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    assert fee is not None
    sheets.confirm_step(action, trip_id, Step.FEE, expected_version=None, data=_step_data(fee))


def _step_data(fee: FeeRow) -> JsonObject:
    return {"fee_id": fee.fee_id, "status": fee.status, "amount_vnd": fee.amount_vnd}


# Reading


def get_fee(session: Session, principal: Principal, fee_id: int) -> FeeDetail:
    """A fee the caller may see, with its payments; raises NotFoundError if there is none."""
    visible = and_(store.visible_fees(principal, "fees.read"), FeeRow.fee_id == fee_id)
    return _read(session, visible, "There is no fee {name} that you may see.", fee_id)


def get_fee_of_trip(session: Session, principal: Principal, trip_id: int) -> FeeDetail:
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
) -> Page[FeeOut]:
    """A page of fees the caller may see, newest first."""
    visible = store.visible_fees(principal, "fees.read")
    fees = store.list_fees(session, visible, statuses=statuses, ready=ready, before=page.before, limit=page.fetch)
    return Page.of([_describe(fee) for fee in fees], page, lambda fee: fee.fee_id)


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
    account = fee.collector and payment_store.find_collecting_account(session, fee.collector, fee.gate_id)
    if not account:
        raise ConflictError("The collector has no bank account entered here; pay at the office.")
    text = vietqr.payload(account.bank_bin, account.account_number, fee.outstanding_vnd, fee.reference)
    return CodeOut(
        payload=text,
        svg=vietqr.svg(text),
        amount_vnd=fee.outstanding_vnd,
        reference=fee.reference,
        bank_bin=account.bank_bin,
        bank_name=account.bank_name,
        account_number=account.account_number,
        account_name=account.account_name,
        simulated=account.simulated,
    )


def _read(session: Session, condition: ColumnElement[bool], message: str, name: int) -> FeeDetail:
    found = store.find_fee(session, condition)
    if found is None:
        raise NotFoundError(message, name=name)
    payments = payment_store.payments_of(session, found.fee.fee_id)
    return FeeDetail(
        **dict(_describe(found)),
        payments=[PaymentOut.model_validate(payment) for payment in payments],
    )


def _describe(found: TripFee) -> FeeOut:
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


def summary(fee: FeeRow) -> JsonObject:
    """A fee's own columns as the audit log keeps them."""
    return FeeColumns.model_validate(fee).model_dump()


# Pieces


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
    data = {"fee_id": fee.fee_id, "trip_id": fee.trip_id, "gate_id": fee.gate_id, "status": fee.status}
    action.publish_event(Event("fee", audience, data))
    TimelineEntry(fee.trip_id, "fee", {"status": fee.status, "amount_vnd": fee.amount_vnd}).write(action)


def _check_open(fee: FeeRow) -> None:
    if fee.status != FeeStatus.OPEN_QUESTION:
        raise ConflictError("The fee has no open question; its status is {status}.", status=fee.status)
