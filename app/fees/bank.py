"""What banks report: transfers by signed webhook or as a statement file, and the accounts they arrive on.

The webhook's key is derived from the platform's secret, the account and its key generation; nothing is stored that
could sign. A message is signed with its time: an old one is refused, the same one again has one effect.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.fees import payment_store, vietqr
from app.fees.payments import Transfer, check_amount, record_transfer
from app.fees.schemas import AccountIn, AccountOut, AccountWithKey, ReceivedOut
from app.fees.tables import CollectingAccount
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.trips.declaration import check_gate
from app.trips.vocabulary import Collector
from geo.clock import LOCAL_ZONE
from geo.errors import (
    ConflictError,
    CuaKhauError,
    InvalidInputError,
    MalformedError,
    UnauthenticatedError,
)

WINDOW: Final = timedelta(minutes=5)
"""How far the time of a signed message may lie from ours."""
MAX_ROWS: Final = 5000
MAX_BYTES: Final = 4 * 2**20
FUTURE: Final = timedelta(days=1)
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "bank_ref": ("bank_ref", "mã giao dịch", "số giao dịch", "số tham chiếu", "transaction id"),
    "received_at": ("received_at", "thời gian", "ngày giao dịch", "thời gian giao dịch", "transaction time"),
    "amount_vnd": ("amount_vnd", "số tiền", "ghi có", "số tiền ghi có", "credit"),
    "content": ("content", "nội dung", "diễn giải", "nội dung giao dịch", "description"),
    "payer": ("payer", "người chuyển", "tên người chuyển", "đối tác", "sender"),
}
"""The names under which statements of banks carry what we read; the payer may be missing."""
_LOCAL_TIMES: Final = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


# Accounts


def enter_account(
    action: ActionContext, entered: AccountIn, *, gates: Collection[str], secret_key: str
) -> AccountWithKey:
    """Enter the bank account of a collector at a gate in place of the one before; with the key of its webhook.

    Raises
    ------
    InvalidInputError
        If there is no such gate, or bank or account would not fit into a VietQR code.
    """
    check_gate(entered.gate_id, gates)
    _check_collector(action, entered.collector, entered.gate_id)
    vietqr.payload(entered.bank_bin, entered.account_number, 1, "CKS")
    payment_store.retire_collecting_accounts(action.session, entered.collector, entered.gate_id, action.now)
    account = CollectingAccount(
        **entered.model_dump(), created_by=action.actor_id, created_at=action.now, key_generation=1
    )
    action.session.add(account)
    action.session.flush()
    after = AccountOut.model_validate(account).model_dump()
    action.record("accounts.collecting", "collecting_account", account.collecting_account_id, None, after)
    return AccountWithKey(**after, webhook_key=webhook_key(account, secret_key))


def list_accounts(session: Session) -> Sequence[CollectingAccount]:
    """All accounts in use."""
    return payment_store.list_collecting_accounts(session)


def find_account(session: Session, collector: str, gate_id: str) -> CollectingAccount | None:
    """The account of a collector at a gate that is in use."""
    return payment_store.find_collecting_account(session, collector, gate_id)


def webhook_key(account: CollectingAccount, secret_key: str) -> str:
    """The key with which a bank signs its reports on an account, 64 hexadecimal digits."""
    name = f"bank-webhook:{account.collecting_account_id}:{account.key_generation}"
    return hmac.new(secret_key.encode(), name.encode(), hashlib.sha256).hexdigest()


def sign(key: str, timestamp: str, body: bytes) -> str:
    """The signature of a message: HMAC-SHA256 over its time, a dot and its body, hexadecimal."""
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


# Webhook


def receive(
    session: Session,
    collecting_account_id: int,
    *,
    timestamp: str,
    signature: str,
    body: bytes,
    read: Callable[[bytes], Transfer],
    secret_key: str,
    now: datetime,
) -> ReceivedOut:
    """Take down one signed report of a transfer; sent again it changes nothing.

    Arguments: `timestamp`, Unix seconds as text; `read`, turns the body, once its signature is right, into
    a transfer.

    Raises
    ------
    UnauthenticatedError
        If the account is unknown, the time too far from ours, or the signature wrong.
    ConflictError
        If the bank's reference is known with another amount or time.
    """
    account = payment_store.get_collecting_account(session, collecting_account_id)
    if account is None or not _is_recent(timestamp, now):
        raise UnauthenticatedError("The account is unknown, or the time of the message is too far from ours.")
    if not hmac.compare_digest(sign(webhook_key(account, secret_key), timestamp, body).encode(), signature.encode()):
        raise UnauthenticatedError("The signature does not fit the message.")
    transfer = read(body)
    _check_time(transfer.received_at, now)
    payment, is_new = record_transfer(ActionContext(session, None, now), account, transfer, source="webhook")
    return ReceivedOut(payment_id=payment.payment_id, status=payment.status, repeated=not is_new)


def _is_recent(timestamp: str, now: datetime) -> bool:
    return (
        re.fullmatch(r"[0-9]{1,12}", timestamp) is not None
        and abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()
    )


# Statement files


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
    """Read a statement of the caller's own account (CSV with a head line); the result of each row.

    A row's result is the status of its payment, `repeat` where the transfer is known, `outgoing` where nothing came
    in, or `error` with what to do. Rows without fault count also where others have one. Times without an offset are
    those of Viet Nam, as statements print them.

    Raises
    ------
    MalformedError
        If the file is no CSV in UTF-8, or a column is missing.
    ConflictError
        If the caller's office has no bank account entered.
    """
    action.actor.require("fees.collect")
    account = payment_store.find_collecting_account(action.session, str(action.actor.role), action.actor.gate_id or "")
    if account is None:
        raise ConflictError("Your office has no bank account entered here; ask an administrator.")
    results: list[RowResult] = []
    for number, row in read_rows(content):
        try:
            with action.session.begin_nested():
                result, payment_id = _take_row(action.by_platform(), account, row)
                results.append(RowResult(number, result, payment_id))
        except CuaKhauError as error:
            results.append(RowResult(number, "error", error=error))
    counts = dict(Counter(result.result for result in results))
    digest = hashlib.sha256(content).hexdigest()
    after = {"rows": len(results), "results": counts, "sha256": digest}
    action.record("payments.statement", "collecting_account", account.collecting_account_id, None, after)
    return StatementResult(results, counts)


def read_rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """The rows of a statement by the names of `COLUMNS`, with their line numbers; raises MalformedError."""
    if len(content) > MAX_BYTES:
        raise MalformedError("The file is larger than {most} bytes; split it.", most=MAX_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedError("The file is not UTF-8; save it as CSV UTF-8.") from None
    if "\x00" in text:
        raise MalformedError("The file is no CSV; export the statement as CSV UTF-8.")
    head = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise MalformedError("The file is no CSV: {error}.", error=str(error)) from None
    if not lines:
        raise MalformedError("The file is empty.")
    if len(lines) > MAX_ROWS + 1:
        raise MalformedError("The file has more than {most} rows; split it.", most=MAX_ROWS)
    names = [" ".join(cell.lower().split()) for cell in lines[0][1]]
    places = {}
    for column, known in COLUMNS.items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            places[column] = place
        elif column != "payer":
            raise MalformedError(
                "The column {column} is missing; call it one of: {known}.", column=column, known=", ".join(known)
            )
    return [
        (number, {column: line[place].strip() if place < len(line) else "" for column, place in places.items()})
        for number, line in lines[1:]
    ]


def _take_row(action: ActionContext, account: CollectingAccount, row: Mapping[str, str]) -> tuple[str, int | None]:
    """The result of a row, and its payment."""
    if not row["amount_vnd"] or row["amount_vnd"].startswith("-") or set(row["amount_vnd"]) <= {"0"}:
        return "outgoing", None
    if not 1 <= len(row["bank_ref"]) <= 100:
        raise InvalidInputError("The bank's reference is missing or too long.", field="bank_ref")
    transfer = Transfer(
        bank_ref=row["bank_ref"],
        amount_vnd=check_amount(read_amount(row["amount_vnd"])),
        received_at=_check_time(read_time(row["received_at"]), action.now),
        content=row["content"][:500],
        payer=row.get("payer", "")[:200],
    )
    payment, is_new = record_transfer(action, account, transfer, source="statement")
    return str(payment.status) if is_new else "repeat", payment.payment_id


def read_amount(written: str) -> int:
    """Whole đồng as statements write them: `4000000`, `4.000.000`, `4,000,000`, with or without `+`, đ or VND.

    Raises
    ------
    InvalidInputError
        If it is anything else: a decimal is not rounded, and `4,00` not guessed.
    """
    bare = re.sub(r"\s|đ|₫|VND|VNĐ", "", written, flags=re.IGNORECASE).removeprefix("+")
    if re.fullmatch(r"[0-9]{1,15}|[0-9]{1,3}((\.[0-9]{3})+|(,[0-9]{3})+)", bare) is None:
        raise InvalidInputError("{value} is no whole amount in đồng.", field="amount_vnd", value=written[:40])
    return int(re.sub(r"[.,]", "", bare))


def read_time(written: str) -> datetime:
    """A time of a statement: RFC 3339 with offset, or day and time in Viet Nam; raises InvalidInputError."""
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not None:
            return moment
    except ValueError:
        pass
    for pattern in _LOCAL_TIMES:
        try:
            return datetime.strptime(written, pattern).replace(tzinfo=LOCAL_ZONE)
        except ValueError:
            continue
    raise InvalidInputError(
        "{value} is no time; write it as 2026-03-02T10:00:00+07:00 or 02/03/2026 10:00.",
        field="received_at",
        value=written[:40],
    )


def _check_time(moment: datetime, now: datetime) -> datetime:
    if moment > now + FUTURE:
        raise InvalidInputError(
            "The transfer is dated {value}, which has not come yet.", field="received_at", value=moment.isoformat()
        )
    return moment


def _check_collector(action: ActionContext, collector: str, gate_id: str) -> None:
    profile = profiles(action.session, action.now).get(gate_id)
    if profile is not None and collector not in profile.collectors:
        raise InvalidInputError(
            "{value} does not collect at the gate {gate}; there collect: {known}.",
            field="collector",
            value=collector,
            gate=gate_id,
            known=", ".join(profile.collectors) or "–",
        )


def seed_simulated_accounts(session: Session, gates: Collection[str], *, secret_key: str, now: datetime) -> int:
    """Give every collector at every gate that has none an account that no bank knows; how many. For demonstrations."""
    used = {(account.collector, account.gate_id) for account in list_accounts(session)}
    known = profiles(session, now)
    wanted = [
        (collector, gate_id)
        for gate_id in sorted(gates)
        for collector in (known[gate_id].collectors if gate_id in known else Collector)
    ]
    fresh = [(number, *place) for number, place in enumerate(wanted, 1) if place not in used]
    for number, collector, gate_id in fresh:
        entered = AccountIn(
            collector=collector,
            gate_id=gate_id,
            bank_bin="970400",
            bank_name="Ngân hàng mô phỏng",
            account_number=f"MOPHONG{number:03d}",
            account_name="TAI KHOAN MO PHONG",
            simulated=True,
        )
        enter_account(ActionContext(session, None, now), entered, gates=gates, secret_key=secret_key)
    return len(fresh)
