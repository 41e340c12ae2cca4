"""Days and moments as Vietnamese and Chinese offices, banks and spreadsheets write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fees.bank_values import read_time
from app.platform.written_times import read_written_time
from app.web.form_values import read_fields
from app.web.forms import Field, Problem
from geo.errors import InvalidInputError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("31/12/2026 14:30", "2026-12-31T14:30"),
        ("31-12-26 14:30:05", "2026-12-31T14:30:05"),
        ("31/12/2026 - 14:30", "2026-12-31T14:30"),
        ("31/12/2026, 14h30", "2026-12-31T14:30"),
        ("14h30 ngày 31/12/2026", "2026-12-31T14:30"),
        ("lúc 9 giờ 05 phút ngày 2/3/2026", "2026-03-02T09:05"),
        ("Thứ Hai, 02/03/2026 9g", "2026-03-02T09:00"),
        ("31/12/2026 14.30", "2026-12-31T14:30"),
        ("31/12/2026 2:30 CH", "2026-12-31T14:30"),
        ("31/12/2026 2:30SA", "2026-12-31T02:30"),
        ("12:30 SA 02/03/2026", "2026-03-02T00:30"),
        ("2:30 chiều 02/03/2026", "2026-03-02T14:30"),
        ("31-Dec-2026 14:30", "2026-12-31T14:30"),
        ("2026/12/31 14:30", "2026-12-31T14:30"),
        ("2026年12月31日 14:30", "2026-12-31T14:30"),
        ("20261231 143000", "2026-12-31T14:30"),
        ("02/03/2026 10:00:00+07:00", "2026-03-02T10:00"),
        ("02/03/2026 10:00 (GMT+7)", "2026-03-02T10:00"),
        ("０２/０３/２０２６ 10:00", "2026-03-02T10:00"),
    ],
)
def test_moments_are_read_alike_in_forms_files_and_statements(written: str, expected: str) -> None:
    found = read_written_time(written)
    assert found is not None
    assert found.moment == datetime.fromisoformat(expected)
    assert found.has_clock
    problems: list[Problem] = []
    read = read_fields({"at": Field(kind="time", label="At")}, {"at": written}, problems)
    assert not problems
    assert read["at"] == read_time(written).moment


@pytest.mark.parametrize(
    "written", ["31/12/2026", "31.12.26", "ngày 31/12/2026", "2026-12-31", "2026年12月31日", "20261231", "31 Dec 2026"]
)
def test_days_are_days_and_no_moments(written: str) -> None:
    found = read_written_time(written)
    assert found is not None
    assert (found.moment, found.has_clock) == (datetime(2026, 12, 31), False)  # noqa: DTZ001 - as written
    problems: list[Problem] = []
    fields = {"day": Field(kind="date", label="Day"), "at": Field(kind="time", label="At")}
    read = read_fields(fields, {"day": written, "at": written}, problems)
    assert read["day"].isoformat() == "2026-12-31"
    assert [problem.field for problem in problems] == ["at"], "midnight would be a guess"


@pytest.mark.parametrize(
    "written",
    [
        "12/31/2026",
        "31/02/2026",
        "31/12-2026",
        "02/03",
        "10:05",
        "02/03/2026 24:00",
        "13:00 SA 02/03/2026",
        "02/03/2026 10:00 +08:00",
        "02/03/2026 1:2",
        "31/12/2026 14:30 và sau đó",
        "mai",
        "",
    ],
)
def test_what_could_be_something_else_is_none(written: str) -> None:
    assert read_written_time(written) is None
    with pytest.raises(InvalidInputError):
        read_time(written)


def test_statements_without_times_print_midnight() -> None:
    assert not read_time("02/03/2026 00:00:00").has_time
    assert not read_time("2026-03-02 00:00").has_time
    assert read_time("02/03/2026 00:00:01").has_time
    assert read_time("46083,5").moment.isoformat() == "2026-03-02T12:00:00+07:00", "a CSV saved with serial days"


@given(st.text(max_size=30))
def test_nothing_that_is_written_fails(text: str) -> None:
    found = read_written_time(text)
    assert found is None or found.has_clock or found.moment == found.moment.replace(hour=0, minute=0, second=0)
