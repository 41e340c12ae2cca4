"""The form of what stands in people's papers: phones, identity papers, driving licences; which dates can be. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

MAX_LOAD_KG: Final = 60_000.0
MIN_PAYLOAD_KG: Final = 100
MAX_AXLES: Final = 12
MAX_VALIDITY: Final = timedelta(days=366 * 60)
FURTHEST_BACK: Final = date(1990, 1, 1)
PHONE: Final = re.compile(r"\+?\d{8,15}", re.ASCII)
"""E.164 has at most 15 digits."""
PAPERS: Final = {
    "id_card": (re.compile(r"\d{12}|\d{17}[\dX]", re.ASCII), "12 digits (Viet Nam) or 18 signs (China)"),
    "passport": (re.compile(r"[A-Z]{1,2}\d{6,8}", re.ASCII), "one or two letters and 6 to 8 digits"),
    "border_pass": (re.compile(r"[A-Z0-9][A-Z0-9/-]{3,19}", re.ASCII), "4 to 20 letters and digits"),
}
LICENCE: Final = re.compile(r"[A-Z0-9]{6,20}", re.ASCII)


def is_phone(written: str) -> bool:
    """Whether a phone number has 8 to 15 digits, marks between them left aside."""
    return PHONE.fullmatch(re.sub(r"[\s().-]", "", written)) is not None


def is_licence(written: str) -> bool:
    """Whether the number of a driving licence has 6 to 20 letters and digits."""
    return LICENCE.fullmatch(re.sub(r"[\s-]", "", written.upper())) is not None


def has_form_of(paper: str, number: str) -> bool:
    """Whether a number has the form of an identity paper, one of `PAPERS`."""
    return PAPERS[paper][0].fullmatch(re.sub(r"\s", "", number.upper())) is not None


def can_be(day: date, today: date) -> bool:
    """Whether a date of expiry can be meant: years of two digits and typing slips lie outside."""
    return FURTHEST_BACK <= day <= today + MAX_VALIDITY
