"""The fee of a trip: opened from the tariff, questions answered by a collector, settled.

It is read in `reading`; what is paid is in `payments`, what is forgiven or given back in `releases`, the end of a day
in `closing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.fees import payment_store, store
from app.fees.acts import announce, check_reason, lock_for_collector, summary
from app.fees.assessment import Fee, Question, assess
from app.fees.evidence import first_evidence, prove, weighed_kg
from app.fees.load import check_answers, declared_weight_kg, load_of
from app.fees.records import LineRecord, LoadRecord
from app.fees.reference import new_reference
from app.fees.storage import with_storage
from app.fees.store import TripFacts
from app.fees.tables import FeeRow
from app.fees.tariff import MAX_AMOUNT_VND, in_force
from app.fees.tariff_definition import read_tariff
from app.fees.transfers import apply_money
from app.fees.vocabulary import FeeStatus
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError


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
    if _may_reassess(action, fee):
        _assess(action, sheets, fee, trip, act="fees.open" if first else "fees.reassess")
    else:
        _ask_again(action, sheets, fee, trip)
    return fee.fee_id


def count_storage(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """Assess a fee again when its turn comes, if a tariff counts the time in the gate area."""
    if any(row.rules.get("storage") is not None for row in store.published_tariffs(action.session)):
        open_fee(action, sheets, trip_id)


def _assess(action: ActionContext, sheets: Sheets, fee: FeeRow, trip: TripFacts, *, act: str) -> None:
    """Ask the tariff and write down its answer."""
    before = summary(fee)
    found = _ask_tariff(action, sheets, fee, trip)
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
    tell_sheet(action, sheets, fee)
    announce(action, fee)
    if fee.status == FeeStatus.DUE:
        apply_money(action, fee)
    action.record(act, "fee", fee.fee_id, before, summary(fee))


def _ask_tariff(action: ActionContext, sheets: Sheets, fee: FeeRow, trip: TripFacts) -> _Assessed:
    """What the tariff in force says of a trip's load; while none is, who collects stays."""
    known = load_of(trip, fee.answers)
    tariffs = {row.tariff_id: read_tariff(row.rules) for row in store.published_tariffs(action.session)}
    try:
        tariff = in_force(tariffs.values(), action.now.astimezone(LOCAL_ZONE).date())
    except NotFoundError as error:
        question = Question("no_tariff", error.message, {name: str(value) for name, value in error.values.items()})
        return _Assessed(known.to_record(), question, None, fee.collector)
    tariff_id = next(tariff_id for tariff_id, published in tariffs.items() if published is tariff)
    known = prove(action, sheets, tariff, trip.trip_id, known)
    if tariff.asks_for("weight_kg") and "weight_kg" not in fee.answers:
        found_kg = weighed_kg(action, sheets, trip.trip_id)
        weight_kg = declared_weight_kg(trip.declared) if found_kg is None else found_kg
        known = known if weight_kg is None else known.with_weight(weight_kg)
    known = replace(known, load=with_storage(action.session, tariff, trip.trip_id, known.load, action.now))
    collector = collector_at(action, trip.gate_id, tariff.collector(known.load))
    return _Assessed(known.to_record(), assess(tariff, known.load), tariff_id, collector)


def collector_at(action: ActionContext, gate_id: str, named: str | None) -> str | None:
    """Who collects at a gate what the tariff gives to `named`: where only one office collects, that one.

    `None` where the tariff names nobody, or somebody who does not collect there while several others do.
    """
    profile = profiles(action.session, action.now).get(gate_id)
    if named is None or profile is None or named in profile.collectors:
        return named
    return profile.collectors[0] if len(profile.collectors) == 1 else None


def collected_at(action: ActionContext, fee: FeeRow, gate_id: str, named: str | None) -> dict[str, object]:
    """What changes of a settled fee that is due again, if its trip left the gate where it was settled for another."""
    return {} if fee.gate_id == gate_id else {"gate_id": gate_id, "collector": collector_at(action, gate_id, named)}


def _ask_again(action: ActionContext, sheets: Sheets, fee: FeeRow, trip: TripFacts, *, by_scale: bool = False) -> None:
    """Let a collector decide on a fee that stood already, if the load it stood for is another now.

    `by_scale`: a weighing says so, not the declaration.
    """
    found = _ask_tariff(action, sheets, fee, trip)
    if found.load == fee.load or (isinstance(found.answer, Fee) and found.answer.amount_vnd == fee.amount_vnd):
        return
    before = summary(fee)
    asked = fee.question["values"] if fee.question else {}  # changed again before the collector answered
    known = {"before": asked.get("before", "?") if fee.amount_vnd is None else _amount(fee.amount_vnd)}
    if isinstance(found.answer, Fee):
        known["after"] = _amount(found.answer.amount_vnd)
    if by_scale:
        known["weight"] = _amount(int(found.load["facts"]["weight_kg"]))
    if isinstance(found.answer, Fee) and by_scale:
        message = (
            "The scale found {weight} kg of goods after the fee was known: it was {before} đ, for this weight the "
            "tariff says {after} đ. Look at it and enter the amount that holds; what was paid counts."
        )
    elif by_scale:
        message = (
            "The scale found {weight} kg of goods after the fee was known: it was {before} đ, and the tariff does not "
            "say what this weight costs. Look at it and enter the amount that holds; what was paid counts."
        )
    elif isinstance(found.answer, Fee):
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
            **collected_at(action, fee, trip.gate_id, found.collector or fee.collector),
        },
    )
    tell_sheet(action, sheets, fee)
    announce(action, fee)
    action.record("fees.reopen", "fee", fee.fee_id, before, summary(fee))


def _amount(amount_vnd: int) -> str:
    return f"{amount_vnd:,}".replace(",", ".")


def tell_sheet(action: ActionContext, sheets: Sheets, fee: FeeRow) -> None:
    """Let the sheet know who collects; `update_facts` writes only what is new."""
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
    tell_sheet(action, sheets, fee)
    announce(action, fee)
    apply_money(action, fee)
    action.record("fees.decide", "fee", fee_id, before, summary(fee))


def prove_service(action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int, reason: str = "") -> None:
    """Look again for what proves the service that lowers a fee; with a reason the collector vouches for it.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, no service of it is unproven, it is settled,
        decided or has money on it, or nothing proves the service and no reason is given.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    proof = fee.load.get("proof")
    if proof is None or proof["kind"]:
        raise ConflictError("No service of this fee waits to be proven.")
    if not _may_reassess(action, fee):
        raise ConflictError("This fee is decided or has money on it; ask for a correction instead.")
    trip = store.find_facts(action.session, fee.trip_id)
    assert trip is not None
    said = check_reason(reason) if reason.strip() else ""
    if not said and first_evidence(action, sheets, fee.trip_id) is None:
        raise ConflictError(
            "Neither yard, scale nor an officer recorded that the trip used this service. "
            "If you saw it yourself, say how you know."
        )
    before = summary(fee)
    if said:
        store.update_fee(action.session, fee, {"answers": {**fee.answers, "service": proof["service"]}})
    _assess(action, sheets, fee, trip, act="fees.reassess")
    action.record("fees.prove", "fee", fee_id, before, {**summary(fee), "reason": said})


def follow_evidence(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """After an act on a trip's sheet: assess its fee again if a service of it was not proven and may be now."""
    if not store.has_unproven_service(action.session, trip_id):
        return
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    trip = store.find_facts(action.session, trip_id)
    assert fee is not None
    assert trip is not None
    if _may_reassess(action, fee):
        _assess(action, sheets, fee, trip, act="fees.reassess")


def follow_weighing(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """After a weighing of a trip: its fee follows, if it depends on what the goods weigh or waits for a proof.

    One that stands is asked about: a collector sees what it was and what the tariff says for the weight that was found.
    """
    follow_evidence(action, sheets, trip_id)
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    trip = store.find_facts(action.session, trip_id)
    if fee is None or trip is None or fee.status == FeeStatus.REFUNDED:
        return
    weight_kg = _ask_tariff(action, sheets, fee, trip).load["facts"].get("weight_kg")
    if weight_kg is None or weight_kg == fee.load["facts"].get("weight_kg"):
        return
    if _may_reassess(action, fee):
        _assess(action, sheets, fee, trip, act="fees.reassess")
    else:
        _ask_again(action, sheets, fee, trip, by_scale=True)


def _may_reassess(action: ActionContext, fee: FeeRow) -> bool:
    """Whether the tariff alone still says what a fee is: nobody decided, settled or paid it."""
    has_money = bool(payment_store.payments_of(action.session, fee.fee_id))
    return fee.status not in FeeStatus.settled() and fee.decided_by is None and not has_money


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


# Pieces


def _check_open(fee: FeeRow) -> None:
    if fee.status != FeeStatus.OPEN_QUESTION:
        raise ConflictError("The fee has no open question; its status is {status}.", status=FeeStatus.get(fee.status))
