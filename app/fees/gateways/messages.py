"""What every webhook of a bank has in common: the message, how it proves its sender, and what it reports. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from app.fees.bank_values import (
    MAX_CONTENT_LENGTH,
    MAX_PAYER_LENGTH,
    MAX_REFERENCE_LENGTH,
    check_amount,
    check_time,
    read_number,
    read_time,
)
from app.fees.matching import Transfer
from geo.errors import InvalidInputError, MalformedError

WINDOW: Final = timedelta(minutes=5)
"""How far the time of a signed message may lie from ours, where the gateway signs its time in seconds."""

Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Message:
    """A webhook's message: its headers by small names, its body as it came, and when."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime

    def header(self, name: str) -> str:
        """A header, empty if there is none."""
        return self.headers.get(name, "")

    def read_json(self) -> Json:
        """The body as a JSON object; raises MalformedError."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise MalformedError("The message is no JSON.") from None
        if not isinstance(found, dict):
            raise MalformedError("The message is no JSON object.")
        return found


@dataclass(frozen=True)
class Reported:
    """One transfer of a message. `accounts` are the numbers it is booked on, as far as the message says them.

    `read` gives the transfer, `None` if no money came in by it; it raises InvalidInputError if it cannot be.
    """

    accounts: tuple[str, ...]
    read: Callable[[], Transfer | None]

    def is_for(self, account_number: str) -> bool:
        """Whether it is booked on an account; a message that names none is taken as it came."""
        named = {_bare(number) for number in self.accounts if _bare(number)}
        return not named or _bare(account_number) in named


@dataclass(frozen=True)
class Gateway:
    """How one gateway's webhook is recognised, how it proves its sender by a key, and how it is read."""

    name: str
    claims: Callable[[Message], bool]
    verify: Callable[[Message, str], bool]
    read: Callable[[Message], list[Reported]]


def make_transfer(
    *, reference: object, fallback: str, amount: object, time: object, content: object, payer: object, now: datetime
) -> Transfer | None:
    """A transfer from the values of a message; `None` if no money came in.

    Raises
    ------
    InvalidInputError
        If amount or time cannot be, or neither the bank nor the gateway names the transfer.
    """
    amount_vnd = read_number(amount)
    if amount_vnd <= 0:
        return None
    name = text(reference) or fallback
    if not 1 <= len(name) <= MAX_REFERENCE_LENGTH:
        raise InvalidInputError("The bank's reference is missing or too long.", field="bank_ref")
    when = read_time(text(time))
    return Transfer(
        bank_ref=name,
        amount_vnd=check_amount(amount_vnd),
        received_at=check_time(when.moment, now),
        content=text(content)[:MAX_CONTENT_LENGTH],
        payer=text(payer)[:MAX_PAYER_LENGTH],
        has_time=when.has_time,
    )


def text(value: object) -> str:
    """A value of a message as text that a database can hold, without NUL and lone surrogates; empty for none."""
    written = "" if value is None else str(value)
    return written.encode("utf-8", "replace").decode().replace("\x00", "").strip()


def is_signed(algorithm: str, key: str, signed: bytes, signature: str) -> bool:
    """Whether `signature` is the HMAC of some bytes, hexadecimal."""
    expected = hmac.new(key.encode(), signed, getattr(hashlib, algorithm)).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())


def is_key(given: str, key: str) -> bool:
    """Whether a key that was sent is the key."""
    return hmac.compare_digest(given.strip().encode(), key.encode())


def is_recent(timestamp: str, now: datetime) -> bool:
    """Whether Unix seconds, as text, lie within `WINDOW` of now."""
    return (
        re.fullmatch(r"[0-9]{1,12}", timestamp) is not None
        and abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()
    )


def _bare(number: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", number.upper())
