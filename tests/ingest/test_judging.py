"""One report judged by itself and among others in columns: the same verdict, time and flag."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from ingest.formats.report import (
    NO_TIME,
    RefusalReason,
    Report,
    ReportColumns,
    from_microseconds,
    number_names,
    to_microseconds,
)
from ingest.judging import VERDICTS, Judge
from ingest.store import DeviceBinding

NOW_US = 1_780_000_000_000_000
DAY_US = 86_400_000_000
JUDGE = Judge(retention_us=30 * DAY_US, tolerance_us=120_000_000)
KNOWN = {"right": DeviceBinding(1, 11), "ahead": DeviceBinding(2, 12, 7 * 3600), "stranger": None}
NOW = from_microseconds(NOW_US)


def random_reports(seed: int, count: int) -> list[Report]:
    """Reports of which most have something wrong."""
    rng = np.random.default_rng(seed)
    moved = [timedelta(), timedelta(hours=7), -timedelta(weeks=1024), -timedelta(days=31), timedelta(minutes=5)]
    lat = rng.choice([21.9, 0.0, 1e-7, 91.0, -90.0], count).tolist()
    lon = rng.choice([106.7, 0.0, 1e-7, 181.0, 180.0], count).tolist()
    return [
        Report(
            device=str(rng.choice(["right", "ahead"])),
            time=None if rng.random() < 0.1 else NOW + moved[rng.integers(len(moved))],
            lat=lat[n],
            lon=lon[n],
            mock=bool(rng.random() < 0.2),
        )
        for n in range(count)
    ]


def in_columns(reports: list[Report]) -> ReportColumns:
    unknown = np.full(len(reports), np.nan)
    names, name = number_names([report.device for report in reports])
    return ReportColumns(
        names=names,
        name=name,
        time_us=np.array([NO_TIME if report.time is None else to_microseconds(report.time) for report in reports]),
        lat=np.array([report.lat for report in reports], dtype=float),
        lon=np.array([report.lon for report in reports], dtype=float),
        speed_mps=unknown,
        heading_deg=unknown,
        accuracy_m=unknown,
        line=np.arange(len(reports)) + 1,
        mock=np.array([report.mock for report in reports]),
    )


@pytest.mark.parametrize("seed", range(5))
def test_alone_and_in_columns_the_same(seed: int) -> None:
    reports = random_reports(seed, 400)
    judged = JUDGE.columns(in_columns(reports), KNOWN, NOW_US)
    bindings = [KNOWN[report.device] or DeviceBinding(-1, -1) for report in reports]
    alone = [JUDGE.report(report, bound, NOW_US) for report, bound in zip(reports, bindings, strict=True)]
    times = [JUDGE.time(report, bound, NOW_US) for report, bound in zip(reports, bindings, strict=True)]
    assert [VERDICTS[verdict] for verdict in judged.verdict.tolist()] == alone
    assert {refusal.line: refusal.reason for refusal in judged.refusals.listed} == {
        line: reason for line, reason in enumerate(alone, 1) if reason is not None
    }
    assert {None, "no_position", "out_of_range", "mock", "future", "too_old"} == set(alone)
    assert judged.time_us.tolist() == [when.time_us for when in times]
    kept = [when for when, reason in zip(times, alone, strict=True) if reason is None]
    assert judged.fixes["flags"].tolist() == [when.flag for when in kept]
    assert judged.rolled == {bound.device_id for bound, when in zip(bindings, times, strict=True) if when.is_rolled}


def test_nobodys_report_is_refused_as_such() -> None:
    judged = JUDGE.columns(in_columns([Report("stranger", NOW, 91.0, 0.0)]), KNOWN, NOW_US)
    assert [refusal.reason for refusal in judged.refusals.listed] == [RefusalReason.UNKNOWN_DEVICE]
