"""The platform's own webhook: for banks and programs that adapt to us. Signed with its time."""

from __future__ import annotations

from pydantic import ValidationError

from app.fees.bank_schemas import TransferIn
from app.fees.bank_values import check_time
from app.fees.gateways.messages import Message, Reported, is_recent, is_signed
from app.fees.matching import Transfer
from geo.errors import InvalidInputError


def claims(_message: Message) -> bool:
    """Any message that is no other gateway's."""
    return True


def verify(message: Message, key: str) -> bool:
    """`X-Signature` is the HMAC-SHA256 of `X-Timestamp` (Unix seconds, at most 5 minutes off), a dot and the body."""
    timestamp = message.header("x-timestamp")
    signed = timestamp.encode() + b"." + message.body
    return is_recent(timestamp, message.now) and is_signed("sha256", key, signed, message.header("x-signature"))


def read(message: Message) -> list[Reported]:
    """One transfer: `bank_ref amount_vnd received_at content payer`."""
    return [Reported((), lambda: _read(message))]


def _read(message: Message) -> Transfer:
    try:
        sent = TransferIn.model_validate_json(message.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError("{name}: {problem}", field=field or None, name=field, problem=first["msg"]) from None
    check_time(sent.received_at, message.now)
    return Transfer(**sent.model_dump())
