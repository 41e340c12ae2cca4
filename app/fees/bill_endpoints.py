"""What an enterprise pays: its bills with period and export, and several fees by one transfer."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import BeforeValidator

from app.accounts.authorisation import acting, allow
from app.fees import bills, reading, remittances
from app.fees.bills import BillState
from app.fees.endpoints import Id, ReaderDep
from app.fees.reading import Period
from app.fees.schemas import FeePage, RemittanceIn, RemittanceOut
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/fees", tags=["fees"])

PayerDep = Annotated[Principal, Depends(allow("fees.pay"))]
ExporterDep = Annotated[Principal, Depends(allow("fees.pay", is_export=True))]
PayerAction = Annotated[ActionContext, Depends(acting("fees.pay"))]


NoneIfEmpty = BeforeValidator(lambda written: written or None)
"""A form sends a day that nobody chose as an empty text."""


def read_period(
    first: Annotated[date | None, NoneIfEmpty, Query(alias="from", description="First local day.")] = None,
    last: Annotated[date | None, NoneIfEmpty, Query(alias="to", description="Last local day, included.")] = None,
) -> Period:
    """A dependency that reads the period of bills."""
    return Period(first, last)


PeriodDep = Annotated[Period, Depends(read_period)]
StateParam = Annotated[BillState, Query(description="Which bills.")]


@router.get("/bills", responses=problems(422))
def list_bills(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    period: PeriodDep,
    state: StateParam = BillState.ALL,
) -> FeePage:
    """The fees the caller may see, opened in a period, open or settled or both; newest first."""
    statuses = tuple(map(str, state.statuses))
    return FeePage.model_validate(
        answer(reading.list_fees(session, principal, statuses=statuses, page=page, period=period))
    )


@router.get("/bills.csv", response_class=Response, responses=problems(422) | {200: {"content": {"text/csv": {}}}})
def export_bills(
    request: Request, principal: ExporterDep, session: SessionDep, period: PeriodDep, state: StateParam = BillState.ALL
) -> Response:
    """The enterprise's bills as a CSV for spreadsheets, headed in the reader's language."""
    gettext = partial(request.app.state.gettext, request)
    table = bills.export_bills(session, principal, state=state, period=period, gettext=gettext)
    headers = {"Content-Disposition": 'attachment; filename="bills.csv"', "Cache-Control": "private, no-store"}
    return Response(table.encode(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/remittances", status_code=201, responses=problems(404, 409, 422))
def open_remittance(body: RemittanceIn, action: PayerAction) -> RemittanceOut:
    """Put several fees together that one transfer pays: one code, one reference. The same fees again are the same."""
    remittance_id = remittances.open_remittance(action, body.fee_ids)
    return remittances.get_remittance(action.session, action.actor, remittance_id)


@router.get("/remittances/{remittance_id}", responses=problems(404))
def get_remittance(remittance_id: Id, principal: ReaderDep, session: SessionDep) -> RemittanceOut:
    """Fees that one transfer pays, with the code of what is still due."""
    return remittances.get_remittance(session, principal, remittance_id)
