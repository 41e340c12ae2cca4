"""The bank accounts that money arrives on, their keys, and the door by which banks and gateways report transfers.

The key of an account's webhook is derived from the platform's secret, the account and its key generation. A gateway
that gives out its own key (payOS, Casso's version 2) has it entered instead; no key is ever shown again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.fees import payment_store, transfer_store, vietqr
from app.fees.bank_schemas import GatewayOut, ReceivedOut, ReportOut, ReportsOut
from app.fees.gateways.messages import Message, Reported
from app.fees.gateways.registry import NAMES, OWN, gateway_of
from app.fees.matching import Transfer
from app.fees.schemas import AccountIn, AccountOut, AccountWithKey
from app.fees.tables import CollectingAccount
from app.fees.transfers import record_transfer
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.trips.declaration import check_gate
from app.trips.vocabulary import Collector
from geo.errors import CuaKhauError, InvalidInputError, NotFoundError, UnauthenticatedError

MAX_REPORTS: Final = 200
"""Of one message."""


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


def enter_gateway_key(
    action: ActionContext, collecting_account_id: int, gateway: str, key: str | None, *, secret_key: str
) -> GatewayOut:
    """Enter the key that a gateway gave out for an account; without one, the account's own key is for it again.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such account in use, or no such gateway.
    """
    account = payment_store.get_collecting_account(action.session, collecting_account_id)
    if account is None:
        raise NotFoundError("There is no account {account_id} in use.", account_id=collecting_account_id)
    if gateway not in NAMES:
        raise InvalidInputError(
            "{value} is no gateway; use one of {known}.", field="gateway", value=gateway[:40], known=", ".join(NAMES)
        )
    if key is None:
        transfer_store.drop_gateway(action.session, collecting_account_id, gateway)
    else:
        values = {
            "collecting_account_id": collecting_account_id,
            "gateway": gateway,
            "key": key,
            "entered_by": action.actor_id,
            "entered_at": action.now,
        }
        transfer_store.put_gateway(action.session, values)
    after = {"gateway": gateway, "own_key": key is None}
    action.record("accounts.gateway", "collecting_account", collecting_account_id, None, after)
    return GatewayOut(
        gateway=gateway,
        path=f"/api/v1/payments/bank/{collecting_account_id}",
        webhook_key=webhook_key(account, secret_key) if key is None else None,
    )


# Webhook


def receive(
    session: Session, collecting_account_id: int, message: Message, *, secret_key: str
) -> ReceivedOut | ReportsOut:
    """Take down what a bank or gateway reports; sent again it changes nothing.

    Of a message with several transfers each counts by itself: one that cannot be is answered with why and kept in the
    audit log, the others are taken down.

    Raises
    ------
    UnauthenticatedError
        If the account is unknown, the time too far from ours, or signature or key wrong.
    ConflictError
        If the bank's reference is known with another amount or day.
    MalformedError, InvalidInputError
        If nothing of the message can be read.
    """
    account = payment_store.get_collecting_account(session, collecting_account_id)
    gateway = gateway_of(message)
    if account is None:
        raise UnauthenticatedError("The account is unknown, or signature or key do not fit the message.")
    key = transfer_store.find_gateway_key(session, collecting_account_id, gateway.name)
    if not gateway.verify(message, key or webhook_key(account, secret_key)):
        raise UnauthenticatedError("The account is unknown, or signature or key do not fit the message.")
    action = ActionContext(session, None, message.now)
    reported = gateway.read(message)
    if len(reported) > MAX_REPORTS:
        raise InvalidInputError("The message has more than {most} transfers.", field="data", most=MAX_REPORTS)
    taken: set[int] = set()
    if len(reported) == 1:
        results = [_take(action, account, reported[0], gateway.name, taken)]
    else:
        results = [_take_apart(action, account, item, gateway.name, taken, n) for n, item in enumerate(reported)]
    first = results[0]
    if gateway.name == OWN and first.payment_id is not None:
        return ReceivedOut(payment_id=first.payment_id, status=first.result, repeated=first.repeated)
    return ReportsOut(results=results)


def take_transfer(action: ActionContext, account_number: str, transfer: Transfer, *, channel: str) -> bool:
    """Take down a transfer that a bank says came in on an account by its number; whether it was not known.

    Raises
    ------
    NotFoundError
        If no collector has an account of this number, or several have.
    ConflictError
        If the bank's reference is known with another amount or day.
    """
    named = [each for each in list_accounts(action.session) if each.account_number == account_number]
    if len(named) != 1:
        raise NotFoundError("{count} accounts in use have the number {value}.", count=len(named), value=account_number)
    return record_transfer(action, named[0], transfer, channel=channel).is_new


def _take(
    action: ActionContext, account: CollectingAccount, item: Reported, gateway: str, taken: set[int]
) -> ReportOut:
    if not item.is_for(account.account_number):
        return ReportOut(result="other_account")
    transfer = item.read()
    if transfer is None:
        return ReportOut(result="outgoing")
    recorded = record_transfer(action, account, transfer, channel=gateway, taken=taken)
    return ReportOut(result=recorded.status, payment_id=recorded.payments[0].payment_id, repeated=not recorded.is_new)


def _take_apart(
    action: ActionContext, account: CollectingAccount, item: Reported, gateway: str, taken: set[int], number: int
) -> ReportOut:
    try:
        with action.session.begin_nested():
            return _take(action, account, item, gateway, taken)
    except CuaKhauError as error:
        after = {"gateway": gateway, "entry": number, "problem": str(error)}
        account_id = account.collecting_account_id
        action.record("payments.refused", "collecting_account", account_id, None, after)
        return ReportOut(result="error", message=str(error))


# Pieces


def _check_collector(action: ActionContext, collector: str, gate_id: str) -> None:
    profile = profiles(action.session, action.now).get(gate_id)
    if profile is not None and collector not in profile.collectors:
        raise InvalidInputError(
            "{value} does not collect at {gate}; there collect: {known}.",
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
