"""Edits name the version that they saw."""

from __future__ import annotations

import pytest

from geo.errors import StaleError
from geo.versions import check_version


def test_who_saw_the_present_version_may_edit() -> None:
    check_version(3, 3)
    check_version(3, None)


@pytest.mark.parametrize("expected", [0, 2, 4])
def test_who_saw_another_version_is_told_both(expected: int) -> None:
    with pytest.raises(StaleError) as refused:
        check_version(3, expected)
    assert refused.value.values == {"expected": expected, "present": 3}
