"""How money is matched: which reports are of one transfer, how one transfer is shared out, how payments fit. Pure.

Two identities hold whatever comes in which order: a transfer is booked once, however often it is reported; and its
amount is the sum of the payments it was split into, each of which is what pays its fee and what is over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.fees.reference import find_references
from app.fees.vocabulary import FeeStatus, PaymentStatus
from geo.clock import LOCAL_ZONE

CLOCKS: Final = timedelta(minutes=10)
"""How far two reports of one transfer may lie apart where both know its time (assumed: a bank books within it)."""
MIN_CONTENT_LENGTH: Final = 6
"""A shorter content is in too many others to say anything."""
MAX_DAYS_APART: Final = 1
"""How far the days of two reports under the same bank reference may lie apart: banks book some on the next day."""


@dataclass(frozen=True)
class Report:
    """What a bank, a gateway or a statement says of a transfer; where `has_time` is not set, only its day is known."""

    amount_vnd: int
    received_at: datetime
    has_time: bool
    content: str


@dataclass(frozen=True)
class Transfer:
    """Money that a bank says came in; `bank_ref` is the bank's own name for it, `content` what the payer wrote.

    `has_time` is not set where only the day is known, `is_ref_made_up` where the bank gave no name and the platform
    made one up from the row.
    """

    bank_ref: str
    amount_vnd: int
    received_at: datetime
    content: str
    payer: str = ""
    has_time: bool = True
    is_ref_made_up: bool = False

    @property
    def report(self) -> Report:
        """What tells it from other transfers."""
        return Report(self.amount_vnd, self.received_at, self.has_time, self.content)


def is_same_transfer(known: Report, other: Report) -> bool:
    """Whether two reports without a common bank reference are of one transfer: amount, time and content agree.

    The contents agree if they name the same fees, or, naming none, are the same letters and digits, one of them perhaps
    cut or with the bank's own words around.
    """
    return (
        known.amount_vnd == other.amount_vnd
        and _times_agree(known, other)
        and _contents_agree(known.content, other.content)
    )


def may_share_reference(known: Report, other: Report) -> bool:
    """Whether two reports under the same bank reference can be of one transfer; banks also use references again."""
    apart = abs((_day(known) - _day(other)).days)
    return known.amount_vnd == other.amount_vnd and apart <= MAX_DAYS_APART


def apart_s(known: Report, other: Report) -> float:
    """Seconds between two reports, to choose the nearest."""
    return abs((known.received_at - other.received_at).total_seconds())


def _times_agree(known: Report, other: Report) -> bool:
    if known.has_time and other.has_time:
        return abs(known.received_at - other.received_at) <= CLOCKS
    return _day(known) == _day(other)


def _day(report: Report) -> datetime:
    return report.received_at.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)


def _contents_agree(known: str, other: str) -> bool:
    named, also_named = set(find_references(known)), set(find_references(other))
    if named or also_named:
        return named == also_named
    short, long = sorted((squeeze(known), squeeze(other)), key=len)
    return short == long or (len(short) >= MIN_CONTENT_LENGTH and short in long)


def squeeze(content: str) -> str:
    """A content without what banks change: case, spaces, dots."""
    return re.sub(r"[\W_]", "", content.upper())


def share_out(amount_vnd: int, outstanding_vnd: Sequence[int]) -> tuple[list[int], int]:
    """What of an amount each fee gets, in their order, each at most what is outstanding; and what is left over.

    The shares and the rest add up to the amount.
    """
    shares = []
    for due_vnd in outstanding_vnd:
        share_vnd = min(amount_vnd, max(due_vnd, 0))
        shares.append(share_vnd)
        amount_vnd -= share_vnd
    return shares, amount_vnd


@dataclass(frozen=True)
class Money:
    """A payment's amounts: what came in, what of it pays the fee, what was given back."""

    amount_vnd: int
    applied_vnd: int
    refunded_vnd: int

    @property
    def over_vnd(self) -> int:
        """What pays nothing and was not given back."""
        return max(self.amount_vnd - self.applied_vnd - self.refunded_vnd, 0)

    @property
    def held_vnd(self) -> int:
        """What came in and was not given back."""
        return self.amount_vnd - self.refunded_vnd

    @property
    def kept_vnd(self) -> int:
        """What still pays the fee: what is given back is first what is over."""
        return min(self.applied_vnd, self.held_vnd)


def fit(fee_status: str, fee_vnd: int, payments: Sequence[Money]) -> list[PaymentStatus]:
    """How each payment of a fee of a known amount fits, in their order.

    What was confirmed pays on after the fee was corrected to less: then the last payment that pays is over.
    """
    kept_vnd = sum(payment.kept_vnd for payment in payments)
    is_short = fee_status == FeeStatus.DUE and kept_vnd < fee_vnd
    statuses = []
    for payment in payments:
        if payment.refunded_vnd == payment.amount_vnd:
            statuses.append(PaymentStatus.REFUNDED)
        elif payment.over_vnd:
            statuses.append(PaymentStatus.OVER if payment.applied_vnd else PaymentStatus.DOUBLE)
        else:
            statuses.append(PaymentStatus.UNDER if is_short else PaymentStatus.MATCHED)
    if kept_vnd > fee_vnd and fee_status in {FeeStatus.DUE, FeeStatus.PAID}:
        last = max((place for place, payment in enumerate(payments) if payment.kept_vnd), default=None)
        if last is not None and statuses[last] == PaymentStatus.MATCHED:
            statuses[last] = PaymentStatus.OVER
    return statuses


def overpaid_vnd(fee_vnd: int | None, payments: Collection[Money]) -> int:
    """What payments keep beyond a fee that was corrected to less; nothing while the fee is not known."""
    return 0 if fee_vnd is None else max(sum(payment.kept_vnd for payment in payments) - fee_vnd, 0)


def excess_vnd(fee_vnd: int | None, payments: Collection[Money]) -> int:
    """What of a fee's payments is to be given back: what pays nothing, and what they keep beyond the fee."""
    return sum(payment.over_vnd for payment in payments) + overpaid_vnd(fee_vnd, payments)
