"""The table of OWASP ASVS has every requirement of level 2, and what it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "asvs.md"
LAST: dict[str, int] = {
    "1.1": 7,
    "1.2": 4,
    "1.4": 5,
    "1.5": 4,
    "1.6": 4,
    "1.7": 2,
    "1.8": 2,
    "1.9": 2,
    "1.10": 1,
    "1.11": 2,
    "1.12": 2,
    "1.14": 6,
    "2.1": 12,
    "2.2": 3,
    "2.3": 3,
    "2.4": 5,
    "2.5": 7,
    "2.6": 3,
    "2.7": 6,
    "2.8": 7,
    "2.9": 3,
    "2.10": 4,
    "3.1": 1,
    "3.2": 4,
    "3.3": 4,
    "3.4": 5,
    "3.5": 3,
    "3.7": 1,
    "4.1": 5,
    "4.2": 2,
    "4.3": 3,
    "5.1": 5,
    "5.2": 8,
    "5.3": 10,
    "5.4": 3,
    "5.5": 4,
    "6.1": 3,
    "6.2": 6,
    "6.3": 2,
    "6.4": 2,
    "7.1": 4,
    "7.2": 2,
    "7.3": 4,
    "7.4": 3,
    "8.1": 4,
    "8.2": 3,
    "8.3": 8,
    "9.1": 3,
    "9.2": 4,
    "10.2": 2,
    "10.3": 3,
    "11.1": 8,
    "12.1": 3,
    "12.2": 1,
    "12.3": 6,
    "12.4": 2,
    "12.5": 2,
    "12.6": 1,
    "13.1": 5,
    "13.2": 6,
    "13.3": 2,
    "13.4": 2,
    "14.1": 4,
    "14.2": 6,
    "14.3": 3,
    "14.4": 7,
    "14.5": 4,
}
"""The last number of each section of version 4.0.3 that level 2 asks for."""
DELETED = {"1.4.2", "1.4.3", "1.12.1", "4.1.4", "7.3.2", "13.1.2", "13.2.4", "14.3.1"}
"""Numbers of the standard without a requirement."""
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (\S+) \| (.+) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_requirement_of_level_2_is_there_once_in_order() -> None:
    wanted = [f"{section}.{number}" for section, last in LAST.items() for number in range(1, last + 1)]
    assert [number for number, _, _ in ROWS] == [number for number in wanted if number not in DELETED]
    assert len(ROWS) > 250
    assert {state for _, state, _ in ROWS} == {"yes", "read", "part", "no", "–"}


@pytest.mark.parametrize(("number", "state", "text"), ROWS, ids=[number for number, _, _ in ROWS])
def test_what_a_row_points_to_is_there(number: str, state: str, text: str) -> None:
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?`", text)
    for path, test in named:
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{path} has no {test}"
    files = re.findall(
        r"(?<![\w`/])((?:app|deploy|docs|bin|\.ci)/[\w./-]*\w|[\w-]+\.(?:md|lock|json|toml))(?![\w`/])", text
    )
    for path in files:
        assert (ROOT / path).exists(), path
    if state == "yes":
        assert named, "what holds names the test that shows it"
    elif state == "read":
        assert files, "what was read is named"
    else:
        assert len(text) > 6, "the reason is said"
