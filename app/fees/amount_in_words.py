"""Amounts in Vietnamese words, as receipts carry them."""

from __future__ import annotations

from typing import Final

DIGITS: Final = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
GROUPS: Final = ("", " nghìn", " triệu", " tỷ", " nghìn tỷ", " triệu tỷ")


def dong_in_words(amount_vnd: int) -> str:
    """A whole amount, such as `Bốn triệu đồng`; 0 to 10^18 − 1."""
    if not 0 <= amount_vnd < 10**18:
        raise ValueError(amount_vnd)
    groups = []
    rest = amount_vnd
    while rest:
        rest, group = divmod(rest, 1000)
        groups.append(group)
    spoken = [
        _group(group, is_first=place == len(groups) - 1) + GROUPS[place]
        for place, group in reversed(list(enumerate(groups)))
        if group
    ]
    text = " ".join(spoken) or DIGITS[0]
    return f"{text[0].upper()}{text[1:]} đồng"


def _group(group: int, *, is_first: bool) -> str:
    """Three digits; hundreds and tens that are zero are spoken unless the group comes first."""
    hundreds, tens, ones = group // 100, group // 10 % 10, group % 10
    words = [] if is_first and not hundreds else [DIGITS[hundreds], "trăm"]
    if tens == 0:
        if ones:
            words += [*(["linh"] if words else []), DIGITS[ones]]
        return " ".join(words)
    words += ["mười"] if tens == 1 else [DIGITS[tens], "mươi"]
    if ones == 1 and tens > 1:
        words.append("mốt")
    elif ones == 5:
        words.append("lăm")
    elif ones == 4 and tens > 1:
        words.append("tư")
    elif ones:
        words.append(DIGITS[ones])
    return " ".join(words)
