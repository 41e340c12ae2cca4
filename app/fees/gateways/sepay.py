"""SePay: one flat JSON object a transaction, by API key or signed.

From SePay's documentation (developer.sepay.vn, "SePay Webhooks": integration and authentication): the fields,
`Authorization: Apikey …`, `X-SePay-Signature: sha256=…` as the HMAC-SHA256 of `X-SePay-Timestamp`, a dot and the
body, with at most 5 minutes between the clocks, and `{"success": true}` as the answer. Assumed: times are those of
Viet Nam; `id` names the transaction where the bank gave no `referenceCode`.
"""

from __future__ import annotations

from app.fees.gateways.messages import Json, Message, Reported, is_key, is_recent, is_signed, make_transfer, text
from app.fees.matching import Transfer

SCHEME = "apikey "


def claims(message: Message) -> bool:
    """Whether it carries one of SePay's two proofs."""
    return bool(message.header("x-sepay-signature")) or message.header("authorization").lower().startswith(SCHEME)


def verify(message: Message, key: str) -> bool:
    """By signature if there is one, else by key."""
    signature = message.header("x-sepay-signature")
    if signature:
        timestamp = message.header("x-sepay-timestamp")
        signed = timestamp.encode() + b"." + message.body
        return is_recent(timestamp, message.now) and is_signed("sha256", key, signed, signature.removeprefix("sha256="))
    return is_key(message.header("authorization")[len(SCHEME) :], key)


def read(message: Message) -> list[Reported]:
    """The one transaction of a message."""
    sent = message.read_json()
    return [Reported((text(sent.get("accountNumber")), text(sent.get("subAccount"))), lambda: _read(sent, message))]


def _read(sent: Json, message: Message) -> Transfer | None:
    if text(sent.get("transferType")).lower() == "out":
        return None
    number = text(sent.get("id"))
    return make_transfer(
        reference=sent.get("referenceCode"),
        fallback=f"sepay:{number}" if number else "",
        amount=sent.get("transferAmount"),
        time=sent.get("transactionDate"),
        content=sent.get("content") or sent.get("description"),
        payer="",
        now=message.now,
    )
