"""The pages of a transshipment: the enterprise registers it, customs decide, the yard carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.sheets.dependencies import SheetsDep
from app.sheets.stations import stations_of
from app.transshipments import load, service
from app.transshipments.vocabulary import TransshipmentStatus
from app.web.pages import render
from ingest.plates import display_plate

router = APIRouter(include_in_schema=False, prefix="/transshipments")

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
RegistrantDep = Annotated[Principal, Depends(allow("transshipments.register"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("")
def show_transshipments(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    principal: ReaderDep,
    status: Annotated[str | None, Query(max_length=20)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """All transshipments of the trips one may see."""
    known = TransshipmentStatus.lookup(status)
    wanted = () if known is None else (known,)
    page = service.list_transshipments(session, principal, statuses=wanted, page=PageRequest(before))
    return _page(
        request,
        principal,
        corridor,
        "transshipments/transshipments.html",
        items=page.items,
        following=page.next_before,
        chosen=status,
    )


@router.get("/new")
def show_form(
    request: Request,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    principal: RegistrantDep,
    trip: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> Response:
    """The form in which an enterprise registers which goods go on in which vehicles."""
    found = sheets.get_sheet(session, principal, trip)
    own = [display_plate(plate) for plate in load.plates_of_trip(session, trip)]
    return _page(
        request,
        principal,
        corridor,
        "transshipments/new.html",
        trip=found["trip"],
        lines=load.lines_left(session, trip),
        own_plates=own,
    )


@router.get("/{transshipment_id}")
def show_transshipment(
    transshipment_id: Number, request: Request, session: SessionDep, corridor: CorridorDep, principal: ReaderDep
) -> Response:
    """One transshipment with both sides and what the reader can do."""
    found = service.get_transshipment(session, principal, transshipment_id)
    lines = load.lines_left(session, found["trip_id"])
    return _page(
        request,
        principal,
        corridor,
        "transshipments/transshipment.html",
        found=found,
        sides=_sides(lines, found) if found["status"] != TransshipmentStatus.CARRIED_OUT else [],
    )


def _sides(lines: Sequence[Any], found: dict[str, Any]) -> list[dict[str, Any]]:
    """For each line: what is on the trip's vehicle now, what leaves it, what stays."""
    sides = []
    for line in lines:
        moved = [one for one in found["moves"] if one["line"] == line.number]
        packages = sum(one["packages"] for one in moved)
        weight = sum(one["weight_kg"] for one in moved)
        sides.append(
            {
                "number": line.number,
                "goods": line.goods,
                "there": line.amount,
                "packages": packages,
                "weight_kg": weight,
                "left_packages": line.amount.packages - packages,
                "left_kg": line.amount.weight_kg - weight,
            }
        )
    return sides


def _page(request: Request, principal: Principal, corridor: Any, template: str, **context: Any) -> Response:
    return render(
        request,
        template,
        stations=stations_of(principal),
        sites=corridor.sites,
        status_names=TransshipmentStatus.by_name(),
        **context,
    )
