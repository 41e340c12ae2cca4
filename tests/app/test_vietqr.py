"""VietQR codes against vectors made by others, an independent CRC, the rules of EMVCo, and a QR reader."""

from __future__ import annotations

import io

import crcmod.predefined
import pytest
import segno
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.fees import vietqr
from geo.errors import InvalidInputError
from tests.profiles import examples

crc_ccitt_false = crcmod.predefined.mkPredefinedCrcFun("crc-ccitt-false")

PUBLISHED = [
    # bank, account, amount, reference, the code as another generator published it
    (
        "970415",
        "0011001932418",
        120_000,
        "ung ho lu lut",
        "00020101021238570010A0000007270127000697041501130011001932418"
        "0208QRIBFTTA530370454061200005802VN62170813ung ho lu lut6304C15C",
    ),
    (
        "970436",
        "1023456789",
        1_943_000,
        "TT000069",
        "00020101021238540010A00000072701240006970436011010234567890208QRIBFTTA"
        "5303704540719430005802VN62120808TT0000696304A8E5",
    ),
]
NAPAS_EXAMPLE = (
    "00020101021238600010A00000072701300006970403011697040311012345670208QRIBFTTC530370454061800005802VN"
    "62340107NPS68690819thanh toan don hang6304",
    0xA203,
)
"""The example of a transfer to a card in NAPAS's specification and its CRC."""


def parse(text: str, at: str = "") -> dict[str, str]:
    """The objects of a code by path, such as `38.01.00`; strict: every length must be exact, no id may come twice."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        name, length = text[position : position + 2], text[position + 2 : position + 4]
        assert name.isdigit(), text[position:]
        assert length.isdigit(), text[position:]
        value = text[position + 4 : position + 4 + int(length)]
        assert len(value) == int(length) > 0, text[position:]
        path = f"{at}{name}"
        assert path not in found
        found[path] = value
        if path in {"38", "38.01", "62"}:
            found |= parse(value, f"{path}.")
        position += 4 + int(length)
    return found


def check_emvco(text: str) -> dict[str, str]:
    """The objects of a code after the checks of EMVCo's specification, section 4."""
    objects = parse(text)
    root = [name for name in objects if "." not in name]
    assert root[0] == "00"  # the first
    assert objects["00"] == "01"
    assert root[-1] == "63"  # the last
    assert int(objects["63"], 16) == crc_ccitt_false(text[:-4].encode())
    assert objects["63"] == objects["63"].upper()
    assert objects["01"] in {"11", "12"}
    assert any(2 <= int(name) <= 51 for name in root)
    assert objects["53"].isdigit()
    assert len(objects["53"]) == 3
    assert len(objects["58"]) == 2
    assert len(objects["54"]) <= 13
    assert len(text) <= 512
    return objects


@pytest.mark.parametrize(("bank", "account", "amount_vnd", "reference", "expected"), PUBLISHED)
def test_codes_are_those_of_other_generators(
    bank: str, account: str, amount_vnd: int, reference: str, expected: str
) -> None:
    assert vietqr.payload(bank, account, amount_vnd, reference) == expected


def test_the_crc_is_that_of_the_specification() -> None:
    text, crc = NAPAS_EXAMPLE
    assert vietqr.crc16(text.encode()) == crc == crc_ccitt_false(text.encode())
    assert vietqr.crc16(b"123456789") == 0x29B1  # the check value in catalogues of CRCs


@examples(1_000)
@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{1,19}", fullmatch=True),
    st.integers(1, vietqr.MAX_VND),
    st.from_regex(r"[A-Z0-9]([A-Z0-9 .-]{0,23}[A-Z0-9])?", fullmatch=True),
)
def test_every_code_follows_the_rules(bank: str, account: str, amount_vnd: int, reference: str) -> None:
    objects = check_emvco(vietqr.payload(bank, account, amount_vnd, reference))
    assert objects["38.00"] == "A000000727"
    assert (objects["38.01.00"], objects["38.01.01"], objects["38.02"]) == (bank, account, "QRIBFTTA")
    assert (objects["53"], objects["54"], objects["58"]) == ("704", str(amount_vnd), "VN")
    assert objects["62.08"] == reference


def test_a_changed_sign_breaks_the_crc() -> None:
    text = vietqr.payload("970436", "1023456789", 4_000_000, "CKS7H2KM9Q4")
    changed = text.replace("4000000", "4000001")
    assert int(changed[-4:], 16) != crc_ccitt_false(changed[:-4].encode())


def test_the_picture_is_read_back_by_another_program() -> None:
    text = vietqr.payload("970436", "1023456789", 4_000_000, "CKS7H2KM9Q4")
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=4)
    (read,) = zxingcpp.read_barcodes(Image.open(out))
    assert read.text == text
    assert check_emvco(read.text)["54"] == "4000000"
    assert vietqr.svg(text).startswith("<svg")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (("97043", "1023456789", 1, "A"), "bank_bin"),
        (("970436", "", 1, "A"), "account"),
        (("970436", "1" * 20, 1, "A"), "account"),
        (("970436", "1023456789", 0, "A"), "amount_vnd"),
        (("970436", "1023456789", True, "A"), "amount_vnd"),
        (("970436", "1023456789", 10**13, "A"), "amount_vnd"),
        (("970436", "1023456789", 1, "phí"), "reference"),
        (("970436", "1023456789", 1, "A" * 26), "reference"),
        (("970436", "1023456789", 1, " A"), "reference"),
    ],
)
def test_what_does_not_fit_is_refused(values: tuple[str, str, int, str], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        vietqr.payload(*values)
    assert caught.value.field == field
