"""A draft of a tariff tried on today's fees: what loads would pay by it. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from app.fees import store, tariffs
from app.fees.assessment import Fee, Question, assess
from app.fees.load import declared_weight_kg
from app.fees.records import QuestionRecord
from app.fees.storage import with_storage
from app.fees.store import TriedFee
from app.fees.tariff import Load, Tariff
from app.fees.tariff_definition import read_tariff
from geo.clock import LOCAL_ZONE

MAX_FEES: Final = 2000
"""The newest of the day that are tried."""
MAX_NAMED: Final = 12


class Answered(NamedTuple):
    """A fee as it stands, and what the draft says of its load; `collectors`: who collects by tariff, now and then."""

    tried: TriedFee
    answer: Fee | Question
    collectors: tuple[str | None, str | None]


@dataclass(frozen=True)
class ChangedFee:
    """A fee of which the draft says otherwise; no amount: a question to the collector, `question` is the draft's."""

    code: str
    plate: str
    fee_id: int
    before_vnd: int | None
    after_vnd: int | None
    question: QuestionRecord | None


@dataclass(frozen=True)
class Trial:
    """What a draft would change of so many `fees`.

    `priced` and `priced_drafted` have an amount, as they stand and by the draft, `both` of them either way: those sum
    up to `sum_vnd` and `sum_drafted_vnd`. At `changed` the draft says otherwise, some of which are named; `moved` would
    be collected by another office.
    """

    fees: int
    changed: int
    moved: int
    priced: int
    priced_drafted: int
    both: int
    sum_vnd: int
    sum_drafted_vnd: int
    named: Sequence[ChangedFee]


def try_draft(session: Session, tariff_id: int, now: datetime) -> Trial:
    """Try a version on the loads of the fees that are open, or were opened today.

    Raises
    ------
    NotFoundError
        If there is no such version.
    """
    draft = read_tariff(tariffs.get_tariff(session, tariff_id).rules)
    midnight = datetime.combine(now.astimezone(LOCAL_ZONE).date(), time(), LOCAL_ZONE)
    known = {row.tariff_id: read_tariff(row.rules) for row in store.published_tariffs(session)}
    tried = store.fees_to_try(session, midnight, MAX_FEES)
    return compare(_answered(session, draft, known.get(each.tariff_id or 0), each, now) for each in tried)


def compare(fees: Iterable[Answered]) -> Trial:
    """What differs between fees as they stand and as a draft would have them. Pure."""
    tried = list(fees)
    pairs = [
        (each.tried.amount_vnd, each.answer.amount_vnd if isinstance(each.answer, Fee) else None) for each in tried
    ]
    both = [(before, after) for before, after in pairs if before is not None and after is not None]
    changed = [
        ChangedFee(
            each.tried.code,
            each.tried.plate,
            each.tried.fee_id,
            before,
            after,
            each.answer.to_record() if isinstance(each.answer, Question) else None,
        )
        for each, (before, after) in zip(tried, pairs, strict=True)
        if before != after
    ]
    return Trial(
        fees=len(tried),
        changed=len(changed),
        moved=sum(1 for each in tried if each.collectors[0] != each.collectors[1]),
        priced=sum(1 for before, _ in pairs if before is not None),
        priced_drafted=sum(1 for _, after in pairs if after is not None),
        both=len(both),
        sum_vnd=sum(before for before, _ in both),
        sum_drafted_vnd=sum(after for _, after in both),
        named=changed[:MAX_NAMED],
    )


def _answered(session: Session, draft: Tariff, asked: Tariff | None, tried: TriedFee, now: datetime) -> Answered:
    """What the draft says of the load that a fee was assessed with, weight and stay added where it asks for them."""
    facts = {name: fact for name, fact in tried.load["facts"].items() if name != "storage_h"}
    load = Load(facts, tuple(tried.load["parts"]))
    if draft.asks_for("weight_kg") and "weight_kg" not in facts:
        trip = store.find_facts(session, tried.trip_id)
        weight_kg = None if trip is None else declared_weight_kg(trip.declared)
        load = load if weight_kg is None else Load({**facts, "weight_kg": weight_kg}, load.parts)
    load = with_storage(session, draft, tried.trip_id, load, now)
    before = None if asked is None else asked.collector(Load(tried.load["facts"], load.parts))
    return Answered(tried, assess(draft, load), (before, draft.collector(load)))
