"""The fee of a trip: opened from the tariff, questions answered by a collector, read by who may see it.

What is paid is in `payments`, what is forgiven or given back in `releases`, the end of a day in `closing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import store
from app.fees.assessment import Fee, Question, assess, in_force
from app.fees.load import check_answers, load_of, to_record
from app.fees.reading import summary
from app.fees.reference import new_reference
from app.fees.tables import FeeRow
from app.fees.tariff import MAX_AMOUNT_VND, Tariff
from app.fees.vocabulary import FeeStatus
from app.gates.service import profiles
from app.platform.actions import ActionContext, Event
from app.platform.permissions import Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Collector
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version

REASON_LENGTH = 500


# Opening


def open_fee(action: ActionContext, sheets: Sheets, trip_id: int) -> int:
    """Open the fee of a trip, or assess it again after its declaration changed; the fee's id.

    Called when a declaration is submitted. A fee that is settled, decided by a collector or has money on it is not
    changed by itself: if the tariff says otherwise of the new load, a collector is asked (`load_changed`), and what was
    paid counts. Tells the sheet who collects (`collector`, `fee_due`).

    Raises
    ------
    NotFoundError
        If there is no such trip.
    """
    row = store.find_facts(action.session, trip_id)
    if row is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    first = store.insert_fee(
        action.session,
        {
            "trip_id": trip_id,
            "gate_id": row.gate_id,
            "status": FeeStatus.OPEN_QUESTION,
            "load": {},
            "opened_at": action.now,
            "reference": new_reference(),
            "collector": None,
        },
    )
    fee = first or store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    assert fee is not None
    has_money = bool(store.payments_of(action.session, fee.fee_id))
    if fee.status not in FeeStatus.settled() and fee.decided_by is None and not has_money:
        _assess(action, sheets, fee, row, act="fees.open" if first else "fees.reassess")
    else:
        _ask_again(action, fee, row)
    return fee.fee_id


def _assess(action: ActionContext, sheets: Sheets, fee: FeeRow, row: Any, *, act: str) -> None:
    """Ask the tariff and write down its answer."""
    before = summary(fee)
    answer, values = _ask_tariff(action, fee, row)
    if isinstance(answer, Fee) and values.get("collector") is not None:
        values |= {
            "status": FeeStatus.DUE,
            "question": None,
            "amount_vnd": answer.amount_vnd,
            "derivation": [line.to_record() for line in answer.derivation],
        }
    else:
        question = (
            answer
            if isinstance(answer, Question)
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


def _ask_tariff(action: ActionContext, fee: FeeRow, row: Any) -> tuple[Fee | Question, dict[str, Any]]:
    """What the tariff in force says of a trip's load, and the columns that depend on which tariff that is."""
    load = load_of(row._mapping, row.declared, fee.answers)
    tariffs = {row.tariff_id: Tariff.from_definition(row.rules) for row in store.published_tariffs(action.session)}
    values: dict[str, Any] = {"load": to_record(load), "gate_id": row.gate_id}
    try:
        tariff = in_force(tariffs.values(), action.now.astimezone(LOCAL_ZONE).date())
    except NotFoundError as error:
        unknown = Question("no_tariff", error.message, {k: str(v) for k, v in error.values.items()})
        return unknown, {**values, "tariff_id": None}
    values["tariff_id"] = next(tariff_id for tariff_id, one in tariffs.items() if one is tariff)
    values["collector"] = _collector_at(action, row.gate_id, tariff.collector(load))
    return assess(tariff, load), values


def _collector_at(action: ActionContext, gate_id: str, named: str | None) -> str | None:
    """Who collects at a gate what the tariff gives to `named`: where only one office collects, that one.

    `None` where the tariff names nobody, or somebody who does not collect there while several others do.
    """
    profile = profiles(action.session, action.now).get(gate_id)
    if named is None or profile is None or named in profile.collectors:
        return named
    return profile.collectors[0] if len(profile.collectors) == 1 else None


def _ask_again(action: ActionContext, fee: FeeRow, row: Any) -> None:
    """Let a collector decide on a fee that stood already, if the load it stood for is another now."""
    answer, values = _ask_tariff(action, fee, row)
    if values["load"] == fee.load or (isinstance(answer, Fee) and answer.amount_vnd == fee.amount_vnd):
        return
    before = summary(fee)
    asked = (fee.question or {}).get("values", {})  # changed again before the collector answered
    known = {"before": asked.get("before", "?") if fee.amount_vnd is None else _amount(fee.amount_vnd)}
    if isinstance(answer, Fee):
        known["after"] = _amount(answer.amount_vnd)
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
            "load": values["load"],
            "tariff_id": values["tariff_id"],
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
    action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int, facts: Mapping[str, Any]
) -> None:
    """Add facts that the declaration leaves out, such as the vehicle's payload, and ask the tariff again.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, has no open question, or a fact does not fit.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_open(fee)
    row = store.find_facts(action.session, fee.trip_id)
    assert row is not None
    store.update_fee(action.session, fee, {"answers": {**fee.answers, **check_answers(facts)}})
    _assess(action, sheets, fee, row, act="fees.answer")


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
    line = {
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
    """A fee is paid or waived: written down, told, and the step of its sheet confirmed if its turn has come.

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


def _step_data(fee: FeeRow) -> dict[str, Any]:
    return {"fee_id": fee.fee_id, "status": fee.status, "amount_vnd": fee.amount_vnd}


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
    if not 3 <= len(said) <= REASON_LENGTH:
        raise InvalidInputError("Give a reason of 3 to {most} characters.", field="reason", most=REASON_LENGTH)
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
