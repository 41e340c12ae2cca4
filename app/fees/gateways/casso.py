"""Casso: version 1 sends a list with a key in a header, version 2 one transaction, signed.

From Casso's documentation and its published samples (developer.casso.vn "Thiết lập Webhook thủ công";
casso-webhook-v2-verify-signature): version 1 has `data` as a list of `tid description amount when bank_sub_acc_id …`
and the key in `Secure-Token`; version 2 has `data` as an object of `reference description amount transactionDateTime
accountNumber counterAccountName …`, and `X-Casso-Signature: t=…,v1=…`, the HMAC-SHA512 of `t`, a dot and the whole
message as JSON with sorted keys and without spaces.

Assumed: times are those of Viet Nam; a message that is sent again may carry its first time, so `t` has no window here
(sent again it changes nothing); letters beyond ASCII are signed as JavaScript or as PHP writes them, since the
samples differ in this.
"""

from __future__ import annotations

import json
import re

from app.fees.gateways.messages import Json, Message, Reported, is_key, is_signed, make_transfer, text
from app.fees.matching import Transfer
from geo.errors import MalformedError


def claims(message: Message) -> bool:
    """Whether it carries one of Casso's two proofs."""
    return bool(message.header("x-casso-signature") or message.header("secure-token"))


def verify(message: Message, key: str) -> bool:
    """By signature if there is one (version 2), else by key (version 1)."""
    written = message.header("x-casso-signature")
    if not written:
        return is_key(message.header("secure-token"), key)
    found = re.fullmatch(r"\s*t=([0-9]{1,16})\s*,\s*v1=([0-9a-fA-F]{128})\s*", written)
    if found is None:
        return False
    sent = message.read_json()
    as_javascript = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    as_php = json.dumps(sent, sort_keys=True, separators=(",", ":")).replace("/", "\\/")
    signatures = [
        is_signed("sha512", key, f"{found[1]}.{form}".encode("utf-8", "surrogatepass"), found[2])
        for form in (as_javascript, as_php)
    ]
    return any(signatures)


def read(message: Message) -> list[Reported]:
    """The transactions of a message of either version."""
    data = message.read_json().get("data")
    entries = data if isinstance(data, list) else [data]
    transactions = [entry for entry in entries if isinstance(entry, dict)]
    if not transactions or len(transactions) < len(entries):
        raise MalformedError("The message has no data.")
    return [_reported(entry, message) for entry in transactions]


def _reported(entry: Json, message: Message) -> Reported:
    names = ("accountNumber", "virtualAccountNumber", "bank_sub_acc_id", "subAccId", "virtualAccount")
    return Reported(tuple(text(entry.get(name)) for name in names), lambda: _read(entry, message))


def _read(entry: Json, message: Message) -> Transfer | None:
    number = text(entry.get("id"))
    return make_transfer(
        reference=entry.get("reference") or entry.get("tid"),
        fallback=f"casso:{number}" if number else "",
        amount=entry.get("amount"),
        time=entry.get("transactionDateTime") or entry.get("when"),
        content=entry.get("description"),
        payer=entry.get("counterAccountName") or entry.get("corresponsiveName"),
        now=message.now,
    )
