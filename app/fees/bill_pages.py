"""The enterprise's pages of money: its bills, and one code over several of them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.viewpoints import of_enterprise
from app.fees import bills, remittances
from app.fees.bill_endpoints import PeriodDep
from app.fees.bills import BillState
from app.fees.endpoints import Id, ReaderDep
from app.fees.pages import WORDS
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False, prefix="/fees")

PayerPageDep = Annotated[Principal, Depends(of_enterprise("/fees/bills"))]
MAX_LISTED: Final = 200


@router.get("/bills")
def show_bills(
    request: Request,
    principal: PayerPageDep,
    session: SessionDep,
    corridor: CorridorDep,
    period: PeriodDep,
    state: Annotated[BillState, Query()] = BillState.OPEN,
) -> Response:
    """The bills of the enterprise: open or settled, of a period; those due can be chosen and paid by one code."""
    listed = bills.list_bills(session, principal, state=state, period=period, limit=MAX_LISTED)
    return render(
        request,
        "fees/bills.html",
        bills=listed,
        state=state,
        states=BillState.by_name(),
        period=period,
        is_cut=len(listed) == MAX_LISTED,
        due_vnd=sum(bill.outstanding_vnd for bill in listed),
        sites={site.site_id: dict(site.name) for site in corridor.sites.values()},
        **WORDS,
    )


@router.get("/remittances/{remittance_id}")
def show_remittance(remittance_id: Id, request: Request, principal: ReaderDep, session: SessionDep) -> Response:
    """One code over several fees, and how each of them stands."""
    found = remittances.get_remittance(session, principal, remittance_id)
    return render(request, "fees/remittance.html", remittance=found, code=found.code, **WORDS)
