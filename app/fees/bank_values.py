"""Amounts and times as banks, gateways and statements write them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from app.fees.tariff import MAX_AMOUNT_VND
from app.platform.written_times import read_written_time
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

MAX_REFERENCE_LENGTH: Final = 100
MAX_CONTENT_LENGTH: Final = 500
MAX_PAYER_LENGTH: Final = 200
FUTURE: Final = timedelta(days=1)
"""How far ahead of ours a bank's clock may be."""
FIRST_DAY: Final = date(2000, 1, 1)
_MONEY: Final = re.compile(r"\s|['’]|đồng|dong|vnd|vnđ|đ|₫|(?<=[\d\s])(?:cr|c)$", re.IGNORECASE)
"""What stands around the digits of an amount; `CR` marks what comes in."""
_EXCEL_EPOCH: Final = datetime(1899, 12, 30, tzinfo=LOCAL_ZONE)
"""Day 0 of the serial dates of spreadsheets (ECMA-376, 18.17.4.1, the 1900 system)."""
_SERIAL: Final = re.compile(r"[3-9]\d{4}(?:[.,]\d{1,12})?", re.ASCII)
"""A day as spreadsheets count them, in a CSV that was saved from one."""


@dataclass(frozen=True)
class BankTime:
    """When a bank booked a transfer; where `has_time` is not set, only the day is known (midnight in Viet Nam)."""

    moment: datetime
    has_time: bool


def read_amount(written: str) -> int:
    """Whole đồng as statements write them: `4000000`, `4.000.000`, `4,000,000.00`, `4.000.000,00`, `+`, đ or VND.

    Raises
    ------
    InvalidInputError
        If it is anything else: a decimal is not rounded, and `4,00` not guessed.
    """
    bare = _MONEY.sub("", written).removeprefix("+")
    whole = re.fullmatch(r"([0-9]{1,15}|[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,3}(?:,[0-9]{3})+)(?:([.,])0{1,2})?", bare)
    if whole is None or not _is_decimal_sign(whole[1], whole[2]):
        raise _no_amount(written)
    return int(re.sub(r"[.,]", "", whole[1]))


def _is_decimal_sign(whole: str, sign: str | None) -> bool:
    """Whether a sign before the last zeros separates decimals: not thousands, and no slip such as `4,00`."""
    if sign is None:
        return True
    return sign not in whole and (len(whole) > 3 or whole == "0")


def read_number(value: object) -> int:
    """Whole đồng as JSON and spreadsheets hold them: a number without fraction, or the same as text.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if isinstance(value, str):
        return -read_number(value[1:]) if value.startswith("-") else read_amount(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _no_amount(str(value))
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise _no_amount(str(value)) from None
    if not exact.is_finite() or exact != exact.to_integral_value() or abs(exact) > MAX_AMOUNT_VND:
        raise _no_amount(str(value))
    return int(exact)


def check_amount(amount_vnd: int) -> int:
    """An amount that can have come in; raises InvalidInputError."""
    if not 1 <= amount_vnd <= MAX_AMOUNT_VND:
        raise InvalidInputError("The amount must be 1 đồng or more.", field="amount_vnd")
    return amount_vnd


def read_time(written: str) -> BankTime:
    """A time of a bank: RFC 3339 with offset, or day and time in Viet Nam, or a day alone; raises InvalidInputError.

    Midnight sharp is a day alone: statements without times print their days so.
    """
    try:
        moment = datetime.fromisoformat(written.strip())
        if moment.tzinfo is not None:
            return BankTime(_check_year(moment, written), has_time=True)
    except ValueError:
        pass
    found = read_written_time(written)
    if found is None and (serial := _SERIAL.fullmatch(written.strip())):
        return read_cell_time(float(serial[0].replace(",", ".")))
    if found is not None:
        moment = found.moment.replace(tzinfo=LOCAL_ZONE)
        return BankTime(_check_year(moment, written), has_time=found.has_clock and not _is_midnight(moment))
    raise InvalidInputError(
        "{value} is no time; write it as 2026-03-02T10:00:00+07:00 or 02/03/2026 10:00.",
        field="received_at",
        value=written[:40],
    )


def read_cell_time(value: object) -> BankTime:
    """A time as a spreadsheet holds it: a date, a date with a time, a serial number of days, or text.

    A date at midnight is a day alone: statements without times hold their days so.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=LOCAL_ZONE)
        return BankTime(moment, has_time=not _is_midnight(moment))
    if isinstance(value, date):
        return BankTime(datetime(value.year, value.month, value.day, tzinfo=LOCAL_ZONE), has_time=False)
    if isinstance(value, int | float) and not isinstance(value, bool) and 36526 <= value < 100000:
        moment = _EXCEL_EPOCH + timedelta(seconds=round(float(value) * 86400))
        return BankTime(moment, has_time=float(value) != int(value))
    return read_time(str(value))


def check_time(moment: datetime, now: datetime) -> datetime:
    """A time at which money can have come in; raises InvalidInputError."""
    if moment.year < FIRST_DAY.year:
        raise InvalidInputError("{value} is too long ago.", field="received_at", value=moment.isoformat())
    if moment > now + FUTURE:
        raise InvalidInputError(
            "The transfer is dated {value}, which has not come yet.", field="received_at", value=moment.isoformat()
        )
    return moment


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def _check_year(moment: datetime, written: str) -> datetime:
    if moment.date() < FIRST_DAY:
        raise InvalidInputError("{value} is too long ago.", field="received_at", value=written[:40])
    return moment


def _no_amount(written: str) -> InvalidInputError:
    return InvalidInputError("{value} is no whole amount in đồng.", field="amount_vnd", value=written[:40])
