"""What proves that a trip used the service that lowers its fee: yard, scale or an officer saw it.

Where nothing does, the ordinary fee holds, and the collector sees that the service is not proven.
"""

from __future__ import annotations

from app.fees import store
from app.fees.assessment import Fee, assess
from app.fees.load import STANDARD, KnownLoad
from app.fees.records import ProofRecord
from app.fees.tariff import Tariff
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.sheets.service import Sheets
from app.trips.evidence import Evidence, EvidenceKind
from app.trips.service import Trip, begin_and_until
from capacity import store as yards

COLLECTOR: str = "collector"
"""The kind of proof that the collector gave by an act of the own, with a reason."""
PROOF_LABELS = {**EvidenceKind.labels(), COLLECTOR: N_("The collector saw it")}


def prove(action: ActionContext, sheets: Sheets, tariff: Tariff, trip_id: int, known: KnownLoad) -> KnownLoad:
    """A load as the tariff may be asked with it: with the ordinary service where one that lowers the fee has no proof.

    What the collector entered is an officer's act and needs no other. The proof, or that there is none, is kept with
    the load.
    """
    if not lowers_fee(tariff, known):
        return known
    if known.is_service_answered:
        return known.with_proof(ProofRecord(service=known.service, kind=COLLECTOR, at="", place=""))
    found = first_evidence(action, sheets, trip_id)
    if found is None:
        nothing = ProofRecord(service=known.service, kind="", at="", place="")
        return known.with_ordinary_service().with_proof(nothing)
    return known.with_proof(
        ProofRecord(service=known.service, kind=found.kind, at=found.at.isoformat(), place=found.place)
    )


def lowers_fee(tariff: Tariff, known: KnownLoad) -> bool:
    """Whether the service of a load can make its fee lower than the ordinary service does.

    A share below the whole does; a rate of its own does unless both amounts are known and it is the higher one.
    """
    service = known.service
    if service == STANDARD:
        return False
    if any(service in factor.when.values.get("service", ()) and factor.share < 1 for factor in tariff.factors):
        return True
    if not any(rate.when is not None and "service" in rate.when.values for rate in tariff.rates):
        return False
    asked, ordinary = assess(tariff, known.load), assess(tariff, known.with_ordinary_service().load)
    return not (isinstance(asked, Fee) and isinstance(ordinary, Fee) and asked.amount_vnd >= ordinary.amount_vnd)


def first_evidence(action: ActionContext, sheets: Sheets, trip_id: int) -> Evidence | None:
    """The earliest that yard and gate of a trip know of its use of their services; `None`: nothing yet.

    It counts what an officer of the yard at the trip's gate confirmed on this trip's sheet, an entry that a camera or a
    person of a yard of the gate saw while the vehicle was on this trip, and a weighing of the trip at the gate.
    """
    trip = action.session.get_one(Trip, trip_id)
    acts = store.acts_of_yard(action.session, trip_id, trip.gate_id)
    found = [Evidence(EvidenceKind.ACT, at, step) for step, at in acts]
    plate = store.plate_of(action.session, trip.vehicle_id)
    begin, until = begin_and_until(action.session, trip_id)
    entry = yards.first_entry(
        action.session, gate_id=trip.gate_id, vehicle_id=trip.vehicle_id, plate_norm=plate, since=begin
    )
    if entry is not None and (until is None or entry.time < until):
        found.append(Evidence(EvidenceKind.MOVEMENT, entry.time, entry.yard_id))
    for witness in sheets.witnesses:
        found += witness(action.session, trip)
    return min(found, key=lambda evidence: evidence.at, default=None)


def weighed_kg(action: ActionContext, sheets: Sheets, trip_id: int) -> int | None:
    """What a trip's goods weigh by the last scale of its gate that found otherwise than declared; `None`: as declared.

    A later weighing that agrees with the declaration as it is then takes an earlier one back.
    """
    trip = action.session.get_one(Trip, trip_id)
    found = [evidence for witness in sheets.witnesses for evidence in witness(action.session, trip)]
    weighings = [evidence for evidence in found if evidence.kind is EvidenceKind.WEIGHING]
    last = max(weighings, key=lambda evidence: evidence.at, default=None)
    return None if last is None else last.goods_kg
