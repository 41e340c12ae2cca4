"""The tax number (mã số thuế) of an organisation in Viet Nam: ten digits, the last a check, three more of a branch.

Pure.

The check digit is 10 less the remainder by 11 of the sum of the first nine digits, weighted 31, 29, 23, 19, 17, 13, 7,
5, 3; the structure is that of circular 105/2020/TT-BTC, article 5. The weights are not in it: they are what software
of tax declarations uses, and fit the numbers that companies publish.
"""

from __future__ import annotations

import re
from typing import Final

from geo.errors import InvalidInputError

WEIGHTS: Final = (31, 29, 23, 19, 17, 13, 7, 5, 3)
_FORM: Final = re.compile(r"(\d{10})(?:-?(\d{3}))?", re.ASCII)


def normalise_tax_number(written: str) -> str:
    """A number in its usual form, `0100109106` or `0100109106-001`; empty for none.

    Raises
    ------
    InvalidInputError
        If it is no number of ten or thirteen digits, or its check digit does not fit.
    """
    tidy = re.sub(r"[\s.]", "", written)
    if not tidy:
        return ""
    found = _FORM.fullmatch(tidy)
    if found is None:
        raise InvalidInputError(
            "{value} is no tax number; write ten digits, of a branch thirteen.", field="tax_number", value=written[:40]
        )
    number, branch = found.groups()
    if int(number[-1]) != check_digit(number):
        raise InvalidInputError(
            "The check digit of the tax number {value} does not fit; look at it again.",
            field="tax_number",
            value=written[:40],
        )
    return number if branch is None else f"{number}-{branch}"


def check_digit(number: str) -> int:
    """What the tenth digit of a number must be; 10 for those that are given to nobody."""
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number, strict=False))
    return 10 - total % 11
