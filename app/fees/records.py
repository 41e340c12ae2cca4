"""The JSON documents that columns of fees and closings hold, and that the API sends as they are."""

from __future__ import annotations

from typing import NotRequired, TypeAlias

from typing_extensions import TypedDict  # until Python 3.12 Pydantic reads no other

Fact: TypeAlias = str | int | bool
"""What is known of a load or a part of it, such as its payload in kilograms."""


class LoadRecord(TypedDict):
    """What a tariff was asked with: facts of vehicle and crossing, and those of each part of the goods."""

    facts: dict[str, Fact]
    parts: list[dict[str, Fact]]


class LineRecord(TypedDict):
    """A line of a derivation, see `app.fees.assessment.Line`; `reason` where a collector decided the amount."""

    kind: str
    rule: str
    label: dict[str, str]
    amount_vnd: int
    subtotal_vnd: int
    goods_class: str | None
    share: str | None
    reason: NotRequired[str]


class QuestionRecord(TypedDict):
    """What a collector must say before there is a fee, see `app.fees.assessment.Question`."""

    kind: str
    message: str
    values: dict[str, str]
    facts: list[str]
    rules: list[str]
    given: dict[str, Fact]


class ReceiptRun(TypedDict):
    """The receipts of one series in a closing, from the first to the last number."""

    series: str
    first: int
    last: int
    count: int


class CashierSums(TypedDict):
    """What one account confirmed in a closing; `account_id` and `name` are empty where nobody is known."""

    account_id: int | None
    name: str | None
    cash_vnd: int
    transfer_vnd: int
    payments: int
