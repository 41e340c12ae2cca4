"""The JSON documents that columns of fees and closings hold, and that the API sends as they are."""

from __future__ import annotations

from typing import NotRequired, TypeAlias

from typing_extensions import TypedDict  # until Python 3.12 Pydantic reads no other

Fact: TypeAlias = str | int | bool
"""What is known of a load or a part of it, such as its payload in kilograms."""


class GoodsNote(TypedDict):
    """A line of goods whose class a collector should look at, lines from 1.

    `declared` is the declarant's word, `by_hs` what the HS code allows, `goods_class` what holds (empty: a collector
    must say). Where `by_hs` does not have `declared`, the two differ; otherwise the code left it to the declarant.
    """

    line: int
    hs_code: str
    description: str
    declared: str
    by_hs: list[str]
    goods_class: str


class ProofRecord(TypedDict):
    """A service that lowers the fee, and what proves it; `kind` is empty while nothing does (`app.fees.evidence`)."""

    service: str
    kind: str
    at: str
    place: str


class LoadRecord(TypedDict):
    """What a tariff was asked with: facts of vehicle and crossing, and those of each part of the goods.

    `goods` are the lines whose class is to be looked at; `proof` is there where the declared service lowers the fee.
    """

    facts: dict[str, Fact]
    parts: list[dict[str, Fact]]
    goods: NotRequired[list[GoodsNote]]
    proof: NotRequired[ProofRecord]


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
