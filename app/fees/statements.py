"""Statement files of the own account: each row with its result, transfers that are known from a webhook known again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.fees import payment_store, transfer_store
from app.fees.bank_values import (
    MAX_CONTENT_LENGTH,
    MAX_PAYER_LENGTH,
    MAX_REFERENCE_LENGTH,
    BankTime,
    check_amount,
    check_time,
    read_cell_time,
    read_number,
    read_time,
)
from app.fees.matching import Transfer, squeeze
from app.fees.statement_file import StatementRow, read_rows
from app.fees.tables import CollectingAccount
from app.fees.transfers import STATEMENT, record_transfer
from app.platform.actions import ActionContext
from geo.errors import ConflictError, CuaKhauError, InvalidInputError


@dataclass(frozen=True)
class RowResult:
    """What became of the row at line `row` of a statement; see `import_statement`."""

    row: int
    result: str
    payment_id: int | None = None
    error: CuaKhauError | None = None


@dataclass(frozen=True)
class StatementResult:
    """What became of each row of a statement, and how often each result came."""

    rows: list[RowResult]
    counts: dict[str, int]


def import_statement(action: ActionContext, content: bytes) -> StatementResult:
    """Read a statement of the caller's own account (CSV or XLSX); the result of each row.

    A row's result is the status of its payment, `repeat` where the transfer is known, `outgoing` where nothing came
    in, or `error` with what to do. Rows without fault count also where others have one. Times without an offset are
    those of Viet Nam, as statements print them. Rows whose reference is known are taken before the others, so that
    no other row is taken for their transfer.

    Raises
    ------
    MalformedError
        If the file is no statement.
    ConflictError
        If the caller's office has no bank account entered.
    """
    action.actor.require("fees.collect")
    account = payment_store.find_collecting_account(action.session, str(action.actor.role), action.actor.gate_id or "")
    if account is None:
        raise ConflictError("Your office has no bank account entered here; ask an administrator.")
    results: dict[int, RowResult] = {}
    transfers: list[tuple[int, Transfer]] = []
    rows = read_rows(content)
    for row in rows:
        try:
            transfer = _read(action, row)
        except CuaKhauError as error:
            results[row.number] = RowResult(row.number, "error", error=error)
            continue
        if transfer is None:
            results[row.number] = RowResult(row.number, "outgoing")
        else:
            transfers.append((row.number, transfer))
    taken: set[int] = set()
    for number, transfer in _in_order(action, account, _named(transfers)):
        results[number] = _take(action.by_platform(), account, number, transfer, taken)
    ordered = [results[row.number] for row in rows]
    counts = dict(Counter(result.result for result in ordered))
    digest = hashlib.sha256(content).hexdigest()
    after = {"rows": len(ordered), "results": counts, "sha256": digest}
    action.record("payments.statement", "collecting_account", account.collecting_account_id, None, after)
    return StatementResult(ordered, counts)


def _take(
    action: ActionContext, account: CollectingAccount, number: int, transfer: Transfer, taken: set[int]
) -> RowResult:
    try:
        with action.session.begin_nested():
            recorded = record_transfer(action, account, transfer, channel=STATEMENT, taken=taken)
    except CuaKhauError as error:
        return RowResult(number, "error", error=error)
    result = recorded.status if recorded.is_new else "repeat"
    return RowResult(number, str(result), recorded.payments[0].payment_id)


def _read(action: ActionContext, row: StatementRow) -> Transfer | None:
    """The transfer of a row; `None` if nothing came in by it."""
    written = row.text("amount_vnd")
    if written in {"", "-"} or row.is_outgoing:
        return None
    if row.other_currency:
        raise InvalidInputError(
            "The row is in {value}; only amounts in đồng are booked.", field="currency", value=row.other_currency[:40]
        )
    value = row.cells.get("amount_vnd")
    amount_vnd = read_number(value if isinstance(value, int | float) else written)
    if amount_vnd == 0:
        return None
    reference = row.text("bank_ref")
    if len(reference) > MAX_REFERENCE_LENGTH:
        raise InvalidInputError("The bank's reference is missing or too long.", field="bank_ref")
    when = _read_when(row)
    return Transfer(
        bank_ref=reference,
        amount_vnd=check_amount(amount_vnd),
        received_at=check_time(when.moment, action.now),
        content=row.text("content")[:MAX_CONTENT_LENGTH],
        payer=row.text("payer")[:MAX_PAYER_LENGTH],
        has_time=when.has_time,
    )


def _read_when(row: StatementRow) -> BankTime:
    value = row.cells.get("received_at")
    when = read_cell_time(value if value is not None and not isinstance(value, str) else row.text("received_at"))
    clock = row.text("clock")
    if when.has_time or not clock:
        return when
    return read_time(f"{when.moment:%Y-%m-%d} {clock}")


def _named(transfers: Sequence[tuple[int, Transfer]]) -> list[tuple[int, Transfer]]:
    """Transfers with a name each: a row without a reference is named by what it says and by its place among its like.

    The same file again, or another that holds the same rows, gives the same names.
    """
    like: Counter[str] = Counter()
    named = []
    for number, transfer in transfers:
        if not transfer.bank_ref:
            time = f"{transfer.received_at.isoformat()}|{transfer.has_time}"
            said = f"{transfer.amount_vnd}|{time}|{squeeze(transfer.content)}"
            like[said] += 1
            digest = hashlib.sha256(said.encode()).hexdigest()[:24]
            name = f"row:{digest}:{like[said]}"
            named.append((number, replace(transfer, bank_ref=name, is_ref_made_up=True)))
        else:
            named.append((number, transfer))
    return named


def _in_order(
    action: ActionContext, account: CollectingAccount, transfers: Sequence[tuple[int, Transfer]]
) -> list[tuple[int, Transfer]]:
    """First the rows whose reference is known, then the others, each in the order of the file."""
    known = transfer_store.known_references(
        action.session, account.collecting_account_id, {transfer.bank_ref for _, transfer in transfers}
    )
    return sorted(transfers, key=lambda entry: entry[1].bank_ref not in known)
