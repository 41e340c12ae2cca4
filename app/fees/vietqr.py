"""VietQR: the text of a QR code that a bank's application reads as a filled-in transfer.

EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.1: objects of id, length and value, closed by a
CRC-16/CCITT-FALSE. NAPAS's profile of it (QR Switching Technical Specifications 1.5.2): object 38 with the
application A000000727, the bank's BIN, the account and the service QRIBFTTA (transfer to an account).
"""

from __future__ import annotations

import binascii
import io
import re
from typing import Final

import segno

from geo.errors import InvalidInputError

NAPAS_AID: Final = "A000000727"
TO_ACCOUNT: Final = "QRIBFTTA"
DONG: Final = "704"
"""ISO 4217; the đồng has no minor unit in use, so amounts carry no decimals."""
MAX_VND: Final = 10**13 - 1
REFERENCE: Final = re.compile(r"[A-Za-z0-9 .-]{1,25}")


def payload(bank_bin: str, account: str, amount_vnd: int, reference: str) -> str:
    """The text of the QR code for one transfer of `amount_vnd` with a reference of up to 25 plain characters.

    Raises
    ------
    InvalidInputError
        If a value does not fit the format; `field` names it.
    """
    if re.fullmatch(r"[0-9]{6}", bank_bin) is None:
        raise _bad("bank_bin", bank_bin, "the six digits of a bank")
    if re.fullmatch(r"[A-Za-z0-9]{1,19}", account) is None:
        raise _bad("account", account, "1 to 19 letters and digits")
    if type(amount_vnd) is not int or not 1 <= amount_vnd <= MAX_VND:
        raise _bad("amount_vnd", str(amount_vnd), "a whole amount of 1 đồng or more")
    if REFERENCE.fullmatch(reference) is None or reference != reference.strip():
        raise _bad("reference", reference, "1 to 25 unaccented letters, digits, spaces, dots and hyphens")
    beneficiary = _object("00", bank_bin) + _object("01", account)
    merchant = _object("00", NAPAS_AID) + _object("01", beneficiary) + _object("02", TO_ACCOUNT)
    body = (
        _object("00", "01")
        + _object("01", "12")  # for one payment: it has an amount
        + _object("38", merchant)
        + _object("53", DONG)
        + _object("54", str(amount_vnd))
        + _object("58", "VN")
        + _object("62", _object("08", reference))
        + "6304"
    )
    return f"{body}{crc16(body.encode('ascii')):04X}"


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xFFFF, not reflected (ISO/IEC 13239 as EMVCo uses it)."""
    return binascii.crc_hqx(data, 0xFFFF)


def svg(text: str) -> str:
    """The QR code as an SVG document with the white border that readers need; it names no size, its page does."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", light="#fff", omitsize=True, xmldecl=False)
    return out.getvalue().decode()


def _object(name: str, value: str) -> str:
    return f"{name}{len(value):02d}{value}"


def _bad(field: str, value: str, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        "{value} does not fit into a VietQR code as {name}; it must be {wanted}.",
        field=field,
        name=field,
        value=value[:40],
        wanted=wanted,
    )
