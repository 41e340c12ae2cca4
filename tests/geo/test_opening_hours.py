"""Opening hours: known days, and random ones against a clock that asks minute by minute."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, Interval, OpeningHours, format_time, parse_intervals, parse_time

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def at(text: str, zone: ZoneInfo = LOCAL_ZONE) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=zone)


@st.composite
def day_intervals(draw: st.DrawFn, max_size: int = 3) -> tuple[Interval, ...]:
    """Intervals of a day that do not overlap, the last one possibly past midnight."""
    count = draw(st.integers(0, max_size))
    times = draw(st.lists(st.integers(0, 1439), min_size=2 * count, max_size=2 * count, unique=True))
    minutes = sorted(times)
    if minutes and draw(st.booleans()):
        minutes = [*minutes[1:], minutes[0]]
    seconds = [60 * minute for minute in minutes]
    return tuple(Interval(a, b) for a, b in zip(seconds[::2], seconds[1::2], strict=True))


@st.composite
def opening_hours(draw: st.DrawFn) -> OpeningHours:
    days = draw(st.dictionaries(st.dates(date(2026, 2, 26), date(2026, 3, 6)), day_intervals(), max_size=3))
    return OpeningHours(draw(day_intervals()), draw(day_intervals(2)), days)


moments = st.integers(0, 8 * 1440).map(lambda minute: datetime(2026, 2, 26, tzinfo=UTC) + minute * MINUTE)


def naive_open(hours: OpeningHours, moment: datetime) -> bool:
    """The rules as they are told in words, for one moment."""
    local = moment.astimezone(hours.zone)
    of_day_s = local.hour * 3600 + local.minute * 60 + local.second
    for days_ago in (0, 1):
        day = local.date() - timedelta(days=days_ago)
        own = hours.holidays.get(day, hours.intervals)
        since_s = of_day_s + days_ago * DAY_S
        if not any(interval.opens_s <= since_s < interval.end_s for interval in own):
            continue
        on_break = any(
            pause.opens_s <= of_day_s < pause.end_s or pause.opens_s <= of_day_s + DAY_S < pause.end_s
            for pause in hours.breaks
        )
        if day in hours.holidays or not on_break:
            return True
    return False


@given(opening_hours(), moments)
def test_open_at_is_what_the_rules_say(hours: OpeningHours, moment: datetime) -> None:
    assert hours.open_at(moment) == naive_open(hours, moment)


@given(opening_hours(), moments)
def test_next_open_and_next_close_are_the_first_moments(hours: OpeningHours, moment: datetime) -> None:
    minutes = [moment + number * MINUTE for number in range(12 * 1440)]
    is_open = hours.open_at_s(moment, np.arange(len(minutes)) * 60.0)
    for found, wanted in ((hours.next_open(moment), is_open), (hours.next_close(moment), ~is_open)):
        expected = minutes[int(np.argmax(wanted))] if wanted.any() else None
        assert found == expected


@given(opening_hours(), moments, st.integers(0, 4 * 1440))
def test_open_seconds_are_the_open_minutes(hours: OpeningHours, start: datetime, minutes: int) -> None:
    end = start + minutes * MINUTE
    counted = sum(naive_open(hours, start + number * MINUTE) for number in range(minutes))
    assert hours.open_seconds(start, end) == 60.0 * counted
    spans = hours.spans(start, end)
    assert all(a < b for a, b in spans)
    assert all(span[1] < other[0] for span, other in itertools.pairwise(spans)), "in order and apart"


@given(opening_hours(), moments)
def test_arrays_say_what_moments_say(hours: OpeningHours, start: datetime) -> None:
    times_s = np.arange(-1440, 2880) * 60.0
    expected = [hours.open_at(start + timedelta(seconds=s)) for s in times_s[::37]]
    assert hours.open_at_s(start, times_s)[::37].tolist() == expected
    steps = hours.open_seconds_by_step(start, 1800.0, 96)
    assert steps.sum() == hours.open_seconds(start, start + timedelta(days=2))
    assert steps[5] == hours.open_seconds(start + timedelta(minutes=150), start + timedelta(minutes=180))


@given(opening_hours())
def test_what_is_written_is_read_back(hours: OpeningHours) -> None:
    assert OpeningHours.parse(**hours.to_record()) == hours
    # The regular day as text, breaks taken out, is the same day.
    worked = OpeningHours.parse(str(hours))
    assert worked.daily_open_s == hours.daily_open_s
    noon = at("06-01T12:00")
    assert worked.spans(noon, noon + timedelta(days=3)) == hours.spans(noon, noon + timedelta(days=3))


def test_a_working_day_with_a_break() -> None:
    hours = OpeningHours.parse("07:00–19:00", breaks="11:30-13:00")
    assert str(hours) == "07:00–11:30, 13:00–19:00"
    assert hours.daily_open_s == 10.5 * 3600
    assert [hours.open_at(at(f"03-02T{time}")) for time in ("06:59", "07:00", "11:30", "13:00", "19:00")] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert hours.next_open(at("03-02T12:00")) == at("03-02T13:00")
    assert hours.next_close(at("03-02T08:00")) == at("03-02T11:30")
    assert hours.next_open(at("03-02T20:00")) == at("03-03T07:00")


def test_a_night_shift_before_a_holiday_is_worked_to_its_end() -> None:
    hours = OpeningHours.parse("22:00–05:00", holidays={"2026-02-17": ""})
    assert hours.open_at(at("02-17T04:59"))
    assert not hours.open_at(at("02-17T23:00"))
    assert not hours.open_at(at("02-18T04:00"))
    assert hours.next_open(at("02-17T05:00")) == at("02-18T22:00")
    assert hours.open_seconds(at("02-16T00:00"), at("02-19T00:00")) == (5 + 7 + 2) * 3600.0


def test_a_short_day_before_the_holidays_has_its_own_hours_and_no_break() -> None:
    hours = OpeningHours.parse(
        "07:00–19:00", breaks="11:30–13:00", holidays={"2026-02-16": "07:00–12:00", "2026-02-17": "", "2026-02-18": ""}
    )
    assert hours.open_seconds(at("02-16T00:00"), at("02-17T00:00")) == 5 * 3600.0
    assert hours.next_open(at("02-16T12:00")) == at("02-19T07:00")
    assert hours.without_holidays().next_open(at("02-16T12:00")) == at("02-16T13:00")


def test_round_the_clock_and_never() -> None:
    for text in ("00:00–24:00", "00:00-00:00", "07:00–07:00", "00:00–12:00, 12:00–24:00"):
        hours = OpeningHours.parse(text)
        assert hours.is_always_open
        assert hours.next_close(at("03-02T07:00")) is None
        assert hours.spans_s(at("03-02T07:00"), 3600.0).tolist() == [[-np.inf, np.inf]]
        assert hours.open_seconds_by_step(at("03-02T07:00"), 60.0, 3).tolist() == [60.0, 60.0, 60.0]
    never = OpeningHours()
    assert never.next_open(at("03-02T07:00")) is None
    assert never.next_close(at("03-02T07:00")) == at("03-02T07:00")
    assert never.spans_s(at("03-02T07:00"), 3600.0).shape == (0, 2)
    closed_once = OpeningHours.parse("00:00–24:00", holidays={"2026-05-01": ""})
    assert not closed_once.is_always_open
    assert closed_once.next_close(at("03-02T07:00")) == at("05-01T00:00")


def test_the_clock_change_of_a_zone_makes_a_night_longer_or_shorter() -> None:
    hours = OpeningHours.parse("22:00–05:00", zone=BERLIN)
    spring, autumn = at("03-28T20:00", BERLIN), at("10-24T20:00", BERLIN)
    assert hours.open_seconds(spring, spring + timedelta(hours=15)) == 6 * 3600.0
    assert hours.open_seconds(autumn, autumn + timedelta(hours=15)) == 8 * 3600.0


def test_times_of_another_zone_are_the_same_moments() -> None:
    hours = OpeningHours.parse("07:00–19:00")
    assert hours.open_at(datetime(2026, 3, 2, 0, 0, tzinfo=UTC))
    assert not hours.open_at(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    with pytest.raises(InvalidInputError, match="2026-03-02 00:00:00 has no time zone"):
        hours.open_at(datetime(2026, 3, 2))  # noqa: DTZ001 - the fault


@pytest.mark.parametrize(
    ("given_text", "said"),
    [
        ("7 Uhr", "7 Uhr is no interval"),
        ("07:00–", "no time of day"),
        ("07:60–19:00", "07:60 is no time of day"),
        ("07:00–24:01", "24:01 is no time of day"),
        ("24:00–05:00", "86400 s is outside the day"),
        ("07:00–12:00, 11:00–19:00", "07:00–12:00 and 11:00–19:00 overlap"),
        ("22:00–08:00, 07:00–12:00", "22:00–08:00 and 07:00–12:00 overlap"),
        ("07:00–07:00, 12:00–13:00", "overlap"),
    ],
)
def test_what_is_refused_is_named(given_text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        parse_intervals(given_text)
    with pytest.raises(InvalidInputError, match="Tết is no date"):
        OpeningHours.parse("07:00–19:00", holidays={"Tết": ""})


@given(st.integers(0, DAY_S))
def test_times_are_read_as_written(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds
