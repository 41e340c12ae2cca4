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
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.fees import store, vietqr
from app.fees.payments import check_amount, record_transfer
from app.fees.store import find_collecting_account as find_collecting_account
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
MOST_ROWS: Final = 5000
MOST_BYTES: Final = 4 * 2**20
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
    action: ActionContext, values: Mapping[str, Any], *, gates: Collection[str], secret_key: str
) -> dict[str, Any]:
    """Enter the bank account of a collector at a gate in place of the one before; with the key of its webhook.

    Arguments: `values` with `collector gate_id bank_bin bank_name account_number account_name simulated`.

    Raises
    ------
    InvalidInputError
        If there is no such gate, the collector does not collect there, or bank or account would not fit into a VietQR
        code.
    """
    check_gate(values["gate_id"], gates)
    _check_collector(action.session, values, action.now)
    vietqr.payload(values["bank_bin"], values["account_number"], 1, "CKS")
    store.retire_collecting_accounts(action.session, values["collector"], values["gate_id"], action.now)
    account = CollectingAccount(**values, created_by=action.actor_id, created_at=action.now, key_generation=1)
    action.session.add(account)
    action.session.flush()
    after = describe_account(account)
    action.record("accounts.collecting", "collecting_account", account.collecting_account_id, None, after)
    return {**after, "webhook_key": webhook_key(account, secret_key)}


def describe_account(account: CollectingAccount) -> dict[str, Any]:
    """An account as plain values, without its key."""
    return {
        name: getattr(account, name)
        for name in (
            "collecting_account_id",
            "collector",
            "gate_id",
            "bank_bin",
            "bank_name",
            "account_number",
            "account_name",
            "simulated",
            "created_at",
        )
    }


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
    read: Callable[[bytes], Mapping[str, Any]],
    secret_key: str,
    now: datetime,
) -> dict[str, Any]:
    """Take down one signed report of a transfer; sent again it changes nothing.

    Arguments: `timestamp`, Unix seconds as text; `read`, turns the body, once its signature is right, into
    `bank_ref amount_vnd received_at content payer`.

    Raises
    ------
    UnauthenticatedError
        If the account is unknown, the time too far from ours, or the signature wrong.
    ConflictError
        If the bank's reference is known with another amount or time.
    """
    account = store.get_collecting_account(session, collecting_account_id)
    if account is None or not _is_recent(timestamp, now):
        raise UnauthenticatedError("The account is unknown, or the time of the message is too far from ours.")
    if not hmac.compare_digest(sign(webhook_key(account, secret_key), timestamp, body).encode(), signature.encode()):
        raise UnauthenticatedError("The signature does not fit the message.")
    transfer = dict(read(body))
    _check_time(transfer["received_at"], now)
    payment, is_new = record_transfer(ActionContext(session, None, now), account, transfer, source="webhook")
    return {"payment_id": payment.payment_id, "status": payment.status, "repeated": not is_new}


def _is_recent(timestamp: str, now: datetime) -> bool:
    return (
        re.fullmatch(r"[0-9]{1,12}", timestamp) is not None
        and abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()
    )


# Statement files


def import_statement(action: ActionContext, content: bytes) -> dict[str, Any]:
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
    account = store.find_collecting_account(action.session, str(action.actor.role), action.actor.gate_id or "")
    if account is None:
        raise ConflictError("Your office has no bank account entered here; ask an administrator.")
    results = []
    for number, row in read_rows(content):
        try:
            with action.session.begin_nested():
                results.append({"row": number, **_take_row(action.by_platform(), account, row)})
        except CuaKhauError as error:
            results.append({"row": number, "result": "error", "field": error.field, "payment_id": None, "error": error})
    counted = {name: sum(one["result"] == name for one in results) for name in {one["result"] for one in results}}
    digest = hashlib.sha256(content).hexdigest()
    after = {"rows": len(results), "results": counted, "sha256": digest}
    action.record("payments.statement", "collecting_account", account.collecting_account_id, None, after)
    return {"rows": results, "counts": counted}


def read_rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """The rows of a statement by the names of `COLUMNS`, with their line numbers; raises MalformedError."""
    if len(content) > MOST_BYTES:
        raise MalformedError("The file is larger than {most} bytes; split it.", most=MOST_BYTES)
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
    if len(lines) > MOST_ROWS + 1:
        raise MalformedError("The file has more than {most} rows; split it.", most=MOST_ROWS)
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


def _take_row(action: ActionContext, account: CollectingAccount, row: Mapping[str, str]) -> dict[str, Any]:
    if not row["amount_vnd"] or row["amount_vnd"].startswith("-") or set(row["amount_vnd"]) <= {"0"}:
        return {"result": "outgoing", "payment_id": None}
    if not 1 <= len(row["bank_ref"]) <= 100:
        raise InvalidInputError("The bank's reference is missing or too long.", field="bank_ref")
    transfer = {
        "bank_ref": row["bank_ref"],
        "amount_vnd": check_amount(read_amount(row["amount_vnd"])),
        "received_at": _check_time(read_time(row["received_at"]), action.now),
        "content": row["content"][:500],
        "payer": row.get("payer", "")[:200],
    }
    payment, is_new = record_transfer(action, account, transfer, source="statement")
    return {"result": payment.status if is_new else "repeat", "payment_id": payment.payment_id}


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


def _check_collector(session: Session, values: Mapping[str, Any], now: datetime) -> None:
    profile = profiles(session, now).get(values["gate_id"])
    if profile is not None and values["collector"] not in profile.collectors:
        raise InvalidInputError(
            "{value} does not collect at the gate {gate}; there collect: {known}.",
            field="collector",
            value=values["collector"],
            gate=values["gate_id"],
            known=", ".join(profile.collectors) or "–",
        )


def seed_simulated_accounts(session: Session, gates: Collection[str], *, secret_key: str, now: datetime) -> int:
    """Give who collects at a gate and has no account there one that no bank knows; how many. For demonstrations."""
    used = {(one.collector, one.gate_id) for one in store.list_collecting_accounts(session)}
    known = profiles(session, now)
    wanted = [
        (collector, gate_id)
        for gate_id in sorted(gates)
        for collector in (known[gate_id].collectors if gate_id in known else Collector)
    ]
    fresh = [(number, *one) for number, one in enumerate(wanted, 1) if one not in used]
    for number, collector, gate_id in fresh:
        values = {
            "collector": collector,
            "gate_id": gate_id,
            "bank_bin": "970400",
            "bank_name": "Ngân hàng mô phỏng",
            "account_number": f"MOPHONG{number:03d}",
            "account_name": "TAI KHOAN MO PHONG",
            "simulated": True,
        }
        enter_account(ActionContext(session, None, now), values, gates=gates, secret_key=secret_key)
    return len(fresh)
