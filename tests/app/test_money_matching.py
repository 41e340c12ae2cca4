"""Money is booked once, whatever reports it in which order and how often, and splitting it loses and makes none."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import text

from app.fees.matching import Money, Report, Transfer, fit, is_same_transfer, overpaid_vnd, share_out
from app.fees.reference import new_reference
from app.fees.tables import CollectingAccount
from app.fees.transfers import STATEMENT, record_transfer
from app.fees.vocabulary import FeeStatus, PaymentStatus
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter
from tests.profiles import examples

SignIn = Callable[..., TestClient]
NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
amounts = st.integers(0, 10**9)


# Pure


@given(st.integers(1, 10**10), st.lists(st.integers(-5, 10**9), max_size=15))
@examples(2_000)
def test_shares_and_rest_are_the_amount(amount_vnd: int, outstanding_vnd: list[int]) -> None:
    shares, rest_vnd = share_out(amount_vnd, outstanding_vnd)
    assert sum(shares) + rest_vnd == amount_vnd
    assert all(0 <= share <= max(due, 0) for share, due in zip(shares, outstanding_vnd, strict=True))
    assert rest_vnd == 0 or all(share == max(due, 0) for share, due in zip(shares, outstanding_vnd, strict=True))
    is_short = [share < due for share, due in zip(shares, outstanding_vnd, strict=True) if due > 0]
    assert is_short == sorted(is_short)  # filled in order


@st.composite
def moneys(draw: st.DrawFn) -> Money:
    amount_vnd = draw(st.integers(1, 10**9))
    return Money(amount_vnd, draw(st.integers(0, amount_vnd)), draw(st.integers(0, amount_vnd)))


@given(st.sampled_from([FeeStatus.DUE, FeeStatus.PAID]), amounts, st.lists(moneys(), max_size=6))
@examples(2_000)
def test_whoever_reads_the_statuses_sees_what_is_missing_and_what_is_over(
    status: FeeStatus, fee_vnd: int, payments: list[Money]
) -> None:
    statuses = fit(status, fee_vnd, payments)
    kept_vnd = sum(payment.kept_vnd for payment in payments)
    for payment, said in zip(payments, statuses, strict=True):
        assert payment.kept_vnd + payment.over_vnd + payment.refunded_vnd == payment.amount_vnd
        assert (said == PaymentStatus.REFUNDED) == (payment.refunded_vnd == payment.amount_vnd)
        if payment.over_vnd and said != PaymentStatus.REFUNDED:
            assert said in {PaymentStatus.OVER, PaymentStatus.DOUBLE}
    if kept_vnd >= fee_vnd:
        assert PaymentStatus.UNDER not in statuses
    if overpaid_vnd(fee_vnd, payments):
        assert {PaymentStatus.OVER, PaymentStatus.DOUBLE} & set(statuses)


@pytest.mark.parametrize(
    ("known", "other", "is_same"),
    [
        ("nop phi xe 29C12345", "NOP PHI XE 29C 123.45", True),
        ("nop phi xe 29C12345", "MBVCB.77.nop phi xe 29C12345.CT tu A", True),
        ("nop phi xe 29C12345", "nop phi xe 29C12346", False),
        ("abc", "abcdef", False),
        ("", "", True),
        ("", "nop phi", False),
    ],
)
def test_contents_without_references(known: str, other: str, is_same: bool) -> None:
    first, second = Report(5, NOON, True, known), Report(5, NOON, True, other)
    assert is_same_transfer(first, second) is is_same
    assert is_same_transfer(second, first) is is_same


def test_references_say_more_than_the_words_around_them() -> None:
    one, two = new_reference(), new_reference()

    def same(known: str, other: str) -> bool:
        return is_same_transfer(Report(5, NOON, True, known), Report(5, NOON, True, other))

    assert same(f"QR {one}", f"{one.lower()} CT tu B")
    assert same(f"{one} {two}", f"{two},{one}")
    assert not same(one, two)
    assert not same(one, f"{one} {two}")
    assert not same(one, "")


@pytest.mark.parametrize(
    ("minutes", "has_time", "is_same"), [(0, True, True), (10, True, True), (11, True, False), (300, False, True)]
)
def test_times_agree_by_the_clock_or_by_the_day(minutes: int, has_time: bool, is_same: bool) -> None:
    other = Report(5, NOON + timedelta(minutes=minutes), has_time, "")
    assert is_same_transfer(Report(5, NOON, True, ""), other) is is_same


# On a real database


@dataclass(frozen=True)
class Event:
    """A real transfer, and one report of it: through which channel, and how it is written there."""

    transfer: int
    channel: str


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


CHANNELS = ("own", "sepay", STATEMENT, "days")
"""`days` is a statement that says neither times nor references."""
COPIES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([100_000, 250_000])), min_size=1, max_size=5)


@given(real=COPIES, data=st.data())
@examples(200, suppress=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_order_of_reports_books_twice_or_loses_any(
    counter: Counter, real: list[tuple[int, int]], data: st.DataObject
) -> None:
    references = [fee_reference(counter, n) for n in (0, 1)]
    reported = [
        Event(number, channel)
        for number in range(len(real))
        for channel in data.draw(st.sets(st.sampled_from(CHANNELS), min_size=1))
    ]
    twice = data.draw(st.lists(st.sampled_from(reported), max_size=4))
    order = data.draw(st.permutations([*reported, *twice]))
    like: Tally[tuple[int, int]] = Tally()
    place = []  # a row without a name is known by its place among its like
    for kind in real:
        like[kind] += 1
        place.append(like[kind])
    with counter.runtime.sessions() as session:
        now = counter.runtime.clock.now()
        action = ActionContext(session, None, now)
        account = session.get_one(CollectingAccount, counter.accounts["gate_management"]["collecting_account_id"])
        taken_by_days: set[int] = set()
        for event in order:
            which, amount_vnd = real[event.transfer]
            content = f"{event.channel} {references[which]} CT" if which < 2 else "tien hang"
            if event.channel == "days":
                name = f"row:{which}:{amount_vnd}:{place[event.transfer]}"
                day = NOON.replace(hour=17) - timedelta(days=1)
                sent = Transfer(name, amount_vnd, day, content, has_time=False, is_ref_made_up=True)
                record_transfer(action, account, sent, channel=STATEMENT, taken=set(taken_by_days))
                found = session.execute(
                    text("SELECT transfer_id FROM app.bank_report WHERE bank_ref = :name"), {"name": name}
                )
                taken_by_days.add(found.scalar_one())
            else:
                sent = Transfer(f"{event.channel}-{event.transfer}", amount_vnd, NOON, content)
                record_transfer(action, account, sent, channel=event.channel)
        booked = session.execute(
            text(
                "SELECT t.amount_vnd, sum(p.amount_vnd)::bigint AS parts, sum(p.applied_vnd)::bigint AS applied"
                " FROM app.bank_transfer t JOIN app.payment p USING (transfer_id) GROUP BY t.transfer_id"
            )
        ).all()
        session.rollback()
    assert all(row.amount_vnd == row.parts and 0 <= row.applied <= row.parts for row in booked)
    expected = most_reported(real, reported)
    assert Tally(row.amount_vnd for row in booked) == expected


def most_reported(real: list[tuple[int, int]], reported: list[Event]) -> Tally[int]:
    """How many transfers of each amount can be told apart: of one kind as many as one channel named.

    Rows without names cannot be told from those that another channel named on the same day.
    """
    named: Tally[tuple[tuple[int, int], str]] = Tally()
    for event in reported:
        named[real[event.transfer], event.channel] += 1
    expected: Tally[int] = Tally()
    for kind in set(real):
        expected[kind[1]] += max(named[kind, channel] for channel in CHANNELS)
    return +expected


def fee_reference(counter: Counter, number: int) -> str:
    """The reference of one of two fees that are due, opened at the first example."""
    rows = counter.rows("SELECT reference FROM app.fee ORDER BY fee_id")
    if len(rows) <= number:
        return str(counter.due(f"29C-{500 + number}.00", amount_vnd=100_000 * (number + 2))["reference"])
    return str(rows[number].reference)
