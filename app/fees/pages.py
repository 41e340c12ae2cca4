"""The collector's counter (ready to pay, questions, transfers, second person, closing), and one fee for its payer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import allow
from app.fees import closing, payments, reading, releases
from app.fees.evidence import PROOF_LABELS
from app.fees.load import ANSWERABLE, CHOICES
from app.fees.schemas import FeeOut
from app.fees.vocabulary import FeeStatus, PaymentMethod, PaymentStatus, ReleaseKind
from app.gates.vocabulary import GoodsClass
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.procedures.steps import Step
from app.trips.vocabulary import Regime
from app.web.pages import render
from app.web.viewpoint import Viewpoint, set_viewpoint
from geo.clock import Clock
from geo.corridor import Corridor
from geo.errors import ConflictError, NotFoundError

router = APIRouter(include_in_schema=False, prefix="/fees")

CollectorDep = Annotated[Principal, Depends(allow("fees.collect"))]
ReaderDep = Annotated[Principal, Depends(allow("fees.read"))]
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]

DETAIL_WORDS: Final[dict[str, str]] = {
    "no_reference": N_("The transfer names no reference."),
    "several_references": N_("The transfer names several references."),
    "unknown_reference": N_("No fee has this reference."),
    "other_collector": N_("The fee belongs to another office or gate."),
    "amount_not_known": N_("The amount of the fee is not known yet."),
}
FACT_WORDS: Final[dict[str, str]] = {
    "regime": N_("Regime"),
    "direction": N_("Direction"),
    "gate_id": N_("Gate"),
    "goods_class": N_("Kind of goods"),
    "payload_kg": N_("Registered payload (kg)"),
    "weight_kg": N_("Weight of the goods (kg)"),
    "container": N_("Container (feet)"),
    "refrigerated": N_("Refrigerated"),
    "vehicle": N_("Kind of vehicle"),
    "service": N_("Service used"),
    "storage_h": N_("Time in storage (hours)"),
}
VALUE_WORDS: Final[dict[str, str]] = {
    "standard": N_("Whole service"),
    "inland_delivery": N_("Inland delivery"),
    "wharf_only": N_("Wharf only"),
    "none": N_("none"),
    "truck": N_("Truck"),
    "tractor": N_("Tractor with trailer"),
    "new_vehicle": N_("New vehicle driven over"),
    **Regime.labels(),
}
WORDS: Final[Mapping[str, Any]] = {
    "statuses": FeeStatus.by_name(),
    "payment_words": PaymentStatus.labels(),
    "details": DETAIL_WORDS,
    "methods": PaymentMethod.labels(),
    "facts": FACT_WORDS,
    "values": VALUE_WORDS,
    "goods_classes": GoodsClass.by_name(),
    "choices": CHOICES,
    "answerable": ANSWERABLE,
    "proofs": PROOF_LABELS,
    "release_kinds": ReleaseKind.labels(),
}
MAX_LISTED: Final = 100


def at_office(
    request: Request,
    corridor: CorridorDep,
    principal: Annotated[Principal, Depends(allow("pages.fees"))],
    office: Annotated[str, Query(max_length=100)] = "",
) -> Principal:
    """As whom the counter is read: collectors at their own, who reads those of all at one of them (`ROLE:GATE`)."""
    if principal.scope("pages.fees") is not Scope.ALL:
        return principal
    language = request.app.state.pages.language(request)
    gettext = partial(request.app.state.pages.gettext, request)
    offices = {f"{role}:{gate.site_id}": (role, gate) for gate in corridor.gates() for role in Step.FEE.spec.roles}
    if office and office not in offices:
        raise NotFoundError("There is no office {value}.", field="office", value=office)
    chosen = office or next(iter(offices))
    labels = [(key, f"{gettext(role.label)} · {gate.name[language]}") for key, (role, gate) in offices.items()]
    set_viewpoint(request, Viewpoint("/fees", "office", N_("Office whose counter this is"), chosen, labels))
    role, gate = offices[chosen]
    return principal.look_as(role, gate_id=gate.site_id)


OfficeDep = Annotated[Principal, Depends(at_office)]


@router.get("")
def show_counter(
    request: Request, principal: OfficeDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep
) -> Response:
    """The collector's page."""
    return render(request, "fees/fees.html", **_counter(session, principal, clock, corridor))


@router.get("/board")
def show_board(
    request: Request, principal: OfficeDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep
) -> Response:
    """The moving part of the collector's page alone."""
    return render(request, "fees/board.html", **_counter(session, principal, clock, corridor))


@router.get("/of-trip/{trip_id}")
def lead_to_fee(trip_id: Id, principal: ReaderDep, session: SessionDep) -> Response:
    """To the fee of a trip."""
    fee = reading.get_fee_of_trip(session, principal, trip_id)
    return RedirectResponse(f"/fees/{fee.fee_id}", 303)


@router.get("/{fee_id}")
def show_fee(fee_id: Id, request: Request, principal: ReaderDep, session: SessionDep) -> Response:
    """One fee: how it came about, how to pay it, what came in; for its collector with all acts."""
    fee = reading.get_fee(session, principal, fee_id)
    try:
        code = reading.payment_code(session, principal, fee_id)
    except ConflictError:
        code = None
    asked = releases.list_releases(session, principal) if principal.may("fees.collect") else []
    of_fee = [each for each in asked if each.fee_id == fee_id]
    return render(request, "fees/fee.html", fee=fee, code=code, asked_releases=of_fee, **WORDS)


@router.get("/{fee_id}/correction")
def show_correction(fee_id: Id, request: Request, principal: CollectorDep, session: SessionDep) -> Response:
    """Ask that a wrong fee be put right."""
    return render(request, "fees/correction.html", fee=reading.get_fee(session, principal, fee_id), **WORDS)


def _counter(session: Session, principal: Principal, clock: Clock, corridor: Corridor) -> Mapping[str, Any]:
    def fees(status: FeeStatus, ready: bool | None = None) -> Page[FeeOut]:
        page = PageRequest(limit=MAX_LISTED)
        return reading.list_fees(session, principal, statuses=(status,), ready=ready, page=page)

    site = corridor.sites.get(principal.gate_id or "")
    return {
        "gate": site.name if site else None,
        "office": principal.role,
        "ready": fees(FeeStatus.DUE, ready=True),
        "early": fees(FeeStatus.DUE, ready=False),
        "questions": fees(FeeStatus.OPEN_QUESTION),
        "open_payments": payments.list_for_a_person(session, principal),
        "shared_transfers": payments.list_shared(session, principal),
        "open_releases": releases.list_releases(session, principal),
        "day": closing.preview(session, principal, now=clock.now()) if principal.gate_id else None,
        "closings": closing.list_closings(session, principal, limit=10) if principal.gate_id else [],
        **WORDS,
    }
