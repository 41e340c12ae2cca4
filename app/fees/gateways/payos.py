"""payOS: one paid order a message, signed over its data.

From payOS's documentation (payos.vn/docs: "Webhook thông tin thanh toán", "Kiểm tra dữ liệu với signature"): the
fields, and `signature` as the HMAC-SHA256 of the data's `key=value` pairs, sorted by key and joined with `&`, under
the checksum key that payOS gives out; null counts as empty, a list as JSON with sorted keys. When a webhook is
entered, payOS sends a sample with another account's number, which is answered and books nothing. Assumed: times are
those of Viet Nam.
"""

from __future__ import annotations

import json

from app.fees.gateways.messages import Json, Message, Reported, is_signed, make_transfer, text
from app.fees.matching import Transfer
from geo.errors import MalformedError

SUCCESS = "00"


def claims(message: Message) -> bool:
    """Whether it carries its signature in its body; nothing else does."""
    if message.header("x-signature") or b'"signature"' not in message.body:
        return False
    try:
        sent = message.read_json()
    except MalformedError:
        return False
    return isinstance(sent.get("signature"), str) and isinstance(sent.get("data"), dict)


def verify(message: Message, key: str) -> bool:
    """By the signature over the data."""
    sent = message.read_json()
    return is_signed("sha256", key, signed_text(_data(sent)).encode("utf-8", "surrogatepass"), text(sent["signature"]))


def read(message: Message) -> list[Reported]:
    """The one payment of a message."""
    sent = message.read_json()
    data = _data(sent)
    accounts = (text(data.get("accountNumber")), text(data.get("virtualAccountNumber")))
    return [Reported(accounts, lambda: _read(data, message))]


def signed_text(data: Json) -> str:
    """The text that payOS signs."""
    return "&".join(f"{name}={_written(data[name])}" for name in sorted(data))


def _written(value: object) -> str:
    if value is None or value in ("null", "undefined"):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _data(sent: Json) -> Json:
    data = sent.get("data")
    return data if isinstance(data, dict) else {}


def _read(data: Json, message: Message) -> Transfer | None:
    if text(data.get("code")) not in {"", SUCCESS}:
        return None
    number = text(data.get("paymentLinkId"))
    return make_transfer(
        reference=data.get("reference"),
        fallback=f"payos:{number}" if number else "",
        amount=data.get("amount"),
        time=data.get("transactionDateTime"),
        content=data.get("description"),
        payer=data.get("counterAccountName"),
        now=message.now,
    )
