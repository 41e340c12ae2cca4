"""The pages of a transshipment: the enterprise registers it, customs decide, the yard carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.sheets.dependencies import SheetsDep
from app.sheets.stations import stations_of
from app.transshipments import load, service
from app.transshipments.balance import Amount, Line
from app.transshipments.schemas import TransshipmentOut
from app.transshipments.vocabulary import TransshipmentStatus
from app.web.pages import render
from geo.corridor import Corridor
from ingest.plates import display_plate

router = APIRouter(include_in_schema=False, prefix="/transshipments")

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
RegistrantDep = Annotated[Principal, Depends(allow("transshipments.register"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@dataclass(frozen=True)
class Side:
    """What of a line of goods is on the trip's vehicle now, what leaves it, what stays."""

    number: int
    goods: str
    there: Amount
    packages: int
    weight_kg: Decimal

    @property
    def left_packages(self) -> int:
        """The packages that stay."""
        return self.there.packages - self.packages

    @property
    def left_kg(self) -> Decimal:
        """The weight that stays."""
        return self.there.weight_kg - self.weight_kg


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
    """The form in which the enterprise, or the yard for it, registers which goods go on in which vehicles."""
    found = sheets.get_sheet(session, principal, trip)
    own = [display_plate(plate) for plate in load.plates_of_trip(session, trip)]
    refusal = service.find_refusal(session, trip)
    return _page(
        request,
        principal,
        corridor,
        "transshipments/new.html",
        trip=found.trip,
        lines=load.lines_left(session, trip),
        own_plates=own,
        refusal=None if refusal is None else translate(request, refusal),
    )


@router.get("/{transshipment_id}")
def show_transshipment(
    transshipment_id: Number, request: Request, session: SessionDep, corridor: CorridorDep, principal: ReaderDep
) -> Response:
    """One transshipment with both sides and what the reader can do."""
    found = service.get_transshipment(session, principal, transshipment_id)
    lines = load.lines_left(session, found.trip_id)
    return _page(
        request,
        principal,
        corridor,
        "transshipments/transshipment.html",
        found=found,
        sides=_sides(lines, found) if found.status != TransshipmentStatus.CARRIED_OUT else [],
    )


def _sides(lines: Sequence[Line], found: TransshipmentOut) -> list[Side]:
    return [
        Side(
            line.number,
            line.goods,
            line.amount,
            sum((move.packages for move in found.moves if move.line == line.number), 0),
            sum((move.weight_kg for move in found.moves if move.line == line.number), Decimal(0)),
        )
        for line in lines
    ]


def _page(request: Request, principal: Principal, corridor: Corridor, template: str, **context: Any) -> Response:
    return render(
        request,
        template,
        stations=stations_of(principal),
        sites=corridor.sites,
        status_names=TransshipmentStatus.by_name(),
        **context,
    )
