"""Acts tried against the risks that stand: by the minute loop, read by the police."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.dispatch.advice_inputs import MEDIAN, Message
from app.dispatch.advisories import POLICE, ForecastLike, next_hours
from app.dispatch.policy import POLICY
from app.dispatch.records import MessageRecord
from app.dispatch.risks import StandingRisk, list_risks
from app.dispatch.vocabulary import MeasureKind
from app.forecasting.state import CorridorNow
from app.gates.service import profiles
from app.measures import store
from app.measures.candidates import Impossible, Situation, find_candidates
from app.measures.records import ImpossibleRecord, RangeRecord, TriedRecord
from app.measures.schemas import ImpossibleOut, MeasuresOut, RangeOut, TriedOut
from app.measures.tables import TriedMeasures
from app.measures.trying import BUDGET_S, Range, Ranking, Tried, rank_acts
from app.measures.wording import Wording
from app.platform import outbox
from app.platform.outbox import Audience
from app.trips.places import Places
from geo.corridor import Corridor
from routing.acts import Laboratory
from routing.network import Network

TRY_AGAIN: Final = timedelta(minutes=5)
"""What was tried against a risk holds for so long."""


def try_measures(
    session: Session,
    corridor: CorridorNow,
    predicted: ForecastLike,
    now: datetime,
    *,
    network: Network,
    geo: Corridor,
    places: Places,
    seed: int,
    threads: int | None = None,
) -> int:
    """Try acts against the risks that are new, or for which it was done a while ago; against how many."""
    risks = [risk for risk in list_risks(session) if risk.gate_id in network.gate_ids]
    made = {row.advisory_id: row.made_at for row in store.list_tried(session, [risk.advisory_id for risk in risks])}
    due = {r.gate_id for r in risks if r.advisory_id not in made or now - made[r.advisory_id] >= TRY_AGAIN}
    if not due:
        return 0
    weight = POLICY.get(session).value.perishable_weight
    laboratory = Laboratory(network, corridor.state, seed=seed)
    tried = 0
    for gate_id in sorted(due):
        own = [risk for risk in risks if risk.gate_id == gate_id]
        situation = read_situation(session, gate_id, corridor, predicted, now, laboratory, geo=geo, places=places)
        candidates, impossible = find_candidates(situation)
        ranking = rank_acts(
            laboratory, gate_id, candidates, own, weight=weight, threads=threads, budget_s=BUDGET_S / len(due)
        )
        for risk in own:
            _save(session, risk, ranking, impossible, weight, now)
            data = {"advisory_id": risk.advisory_id, "gate_id": gate_id, "status": "measured"}
            outbox.publish_event(session, "advisory", Audience(roles=POLICE), data, at=now)
        tried += len(own)
    return tried


def read_situation(
    session: Session,
    gate_id: str,
    corridor: CorridorNow,
    predicted: ForecastLike,
    now: datetime,
    laboratory: Laboratory,
    *,
    geo: Corridor,
    places: Places,
) -> Situation:
    """A gate with what stands around it now."""
    known = profiles(session, now)
    profile = known.get(gate_id)
    opens_at, closes_at = (None, None) if profile is None else next_hours(profile.exports.opening_hours, now)
    tail_km = predicted.tail_km[MEDIAN, predicted.gate_ids.index(gate_id)]
    return Situation(
        gate_id=gate_id,
        corridor=corridor,
        laboratory=laboratory,
        places=places,
        policy=POLICY.get(session).value,
        profiles=known,
        now=now,
        tail_km=float(np.nan_to_num(tail_km).max()),
        standing=standing_at(corridor, laboratory, places),
        built_lanes=int(geo.sites[gate_id].attributes.get("lanes", 1)),
        opens_at=opens_at,
        closes_at=closes_at,
    )


def standing_at(corridor: CorridorNow, laboratory: Laboratory, places: Places) -> dict[str, int]:
    """Staging area → trucks that stand in it or are on their way to it by an order."""
    found = {
        site_id: sum(truck.site_id == site_id for truck in corridor.coming if truck.index >= 0)
        for site_id in places.staging
    }
    hold_link = laboratory.sampler.hold_link
    for site_id, link in laboratory.network.staging_link.items():
        ordered = [truck for truck in corridor.coming if truck.index >= 0 and truck.site_id != site_id]
        found[site_id] = found.get(site_id, 0) + sum(int(hold_link[truck.index]) == link for truck in ordered)
    return found


def _save(
    session: Session,
    risk: StandingRisk,
    ranking: Ranking,
    impossible: Sequence[Impossible],
    weight: float,
    now: datetime,
) -> None:
    useless = {attempt.kind for attempt in ranking.useless}
    offered = {attempt.candidate.kind for attempt in ranking.tried}
    # Of equal reasons the first: that of the nearest place.
    refused = {
        (refusal.kind, refusal.message.code): refusal for refusal in reversed(impossible) if refusal.kind not in offered
    }
    refused |= {
        (kind, "costs_time"): Impossible(kind, Message("costs_time", {})) for kind in useless if kind not in offered
    }
    store.save_tried(
        session,
        {
            "advisory_id": risk.advisory_id,
            "made_at": now,
            "took_s": round(ranking.took_s, 2),
            "runs": ranking.runs,
            "weight": weight,
            "measures": [_tried_record(attempt, risk) for attempt in ranking.tried],
            "impossible": [_impossible_record(refusal) for refusal in refused.values()],
        },
    )


def _tried_record(attempt: Tried, risk: StandingRisk) -> TriedRecord:
    return {
        "kind": str(attempt.candidate.kind),
        "message": _message(attempt.candidate.message),
        "draft": attempt.candidate.draft,
        "saved_h": range_record(attempt.saved_h),
        "perishable_h": range_record(attempt.perishable_h),
        "queue_h": range_record(attempt.queue_h),
        "peak_veh": [round(veh, 1) for veh in attempt.peak_veh],
        "exceeded_h": [round(hours, 2) for hours in attempt.exceeded[risk.advisory_id]],
    }


def _impossible_record(refusal: Impossible) -> ImpossibleRecord:
    return {"kind": str(refusal.kind), "message": _message(refusal.message)}


def _message(message: Message) -> MessageRecord:
    return {"code": message.code, "values": dict(message.values)}


def range_record(span: Range) -> RangeRecord:
    """A range as it is kept."""
    return {"mean": round(span.mean, 2), "low": round(span.low, 2), "high": round(span.high, 2)}


# Reading


def list_measures(session: Session, wording: Wording) -> list[MeasuresOut]:
    """What was tried against the risks that stand, by advisory."""
    rows = store.list_tried(session, [risk.advisory_id for risk in list_risks(session)])
    return [_describe(row, wording) for row in rows]


def _describe(row: TriedMeasures, wording: Wording) -> MeasuresOut:
    return MeasuresOut(
        advisory_id=row.advisory_id,
        made_at=row.made_at,
        took_s=row.took_s,
        runs=row.runs,
        weight=row.weight,
        items=[_tried_out(measure, wording) for measure in row.measures],
        impossible=[
            ImpossibleOut(kind=MeasureKind.get(refusal["kind"]), text=wording.say(refusal["message"]))
            for refusal in row.impossible
        ],
    )


def _tried_out(attempt: TriedRecord, wording: Wording) -> TriedOut:
    kind = MeasureKind.get(attempt["kind"])
    saved, perishable, queue = (RangeOut(**attempt[name]) for name in ("saved_h", "perishable_h", "queue_h"))
    return TriedOut(
        kind=kind,
        text=wording.say(attempt["message"]),
        is_of_gate=kind.is_of_gate,
        is_sure=saved.low > 0.0,
        saved_h=saved,
        perishable_h=perishable,
        queue_h=queue,
        peak_veh=attempt["peak_veh"],
        exceeded_h=attempt["exceeded_h"],
        draft=dict(attempt["draft"]),
    )
