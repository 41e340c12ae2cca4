"""The bills of an enterprise: its fees in a period, open and paid, on a page and as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.orm import Session

from app.fees import reading
from app.fees.reading import Period
from app.fees.schemas import FeeOut
from app.fees.vocabulary import FeeStatus
from app.platform.labels import N_, Vocabulary
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE

MAX_EXPORTED: Final = 10_000
BYTE_ORDER_MARK: Final = "\ufeff"
"""Spreadsheets read a CSV as UTF-8 only with it."""


class BillState(Vocabulary):
    """Which bills are shown."""

    statuses: tuple[FeeStatus, ...]

    def __init__(self, _name: str, label: str, statuses: tuple[FeeStatus, ...]) -> None:
        super().__init__(_name, label)
        self.statuses = statuses

    ALL = "all", N_("All bills"), ()
    OPEN = "open", N_("Open bills"), FeeStatus.open()
    PAID = "paid", N_("Settled bills"), FeeStatus.settled()


COLUMNS: Final = (
    N_("Trip"),
    N_("Plate"),
    N_("Gate"),
    N_("Opened"),
    N_("Fee (đ)"),
    N_("Received (đ)"),
    N_("Due (đ)"),
    N_("State"),
    N_("Reference"),
    N_("Receipts"),
)


def list_bills(
    session: Session, principal: Principal, *, state: str, period: Period, limit: int, before: int | None = None
) -> list[FeeOut]:
    """The bills of the caller's enterprise, newest first."""
    page = PageRequest(limit=limit, before=before)
    statuses = tuple(map(str, BillState.require(state, "state").statuses))
    return reading.list_fees(session, principal, statuses=statuses, page=page, period=period).items


def export_bills(
    session: Session, principal: Principal, *, state: str, period: Period, gettext: Callable[[str], str]
) -> str:
    """The bills as a CSV for spreadsheets, headed in the reader's language; amounts are whole đồng without signs."""
    bills = list_bills(session, principal, state=state, period=period, limit=MAX_EXPORTED)
    numbers = reading.receipts_of(session, [bill.fee_id for bill in bills])
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([gettext(column) for column in COLUMNS])
    writer.writerows(_line(bill, numbers.get(bill.fee_id, []), gettext) for bill in bills)
    return BYTE_ORDER_MARK + file.getvalue()


def _line(bill: FeeOut, receipts: Sequence[str], gettext: Callable[[str], str]) -> list[str]:
    cells = [
        bill.trip_code,
        bill.plate,
        bill.gate_id,
        bill.opened_at.astimezone(LOCAL_ZONE).strftime("%d/%m/%Y %H:%M"),
        "" if bill.amount_vnd is None else str(bill.amount_vnd),
        str(bill.received_vnd),
        str(bill.outstanding_vnd),
        gettext(bill.status.payer_label),
        bill.reference,
        "; ".join(receipts),
    ]
    return [_as_text(cell) for cell in cells]


def _as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
