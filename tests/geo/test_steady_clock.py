"""A clock that outlasts jumps of another: not moved by hours at once, moved by seconds, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from geo.clock import FixedClock, SteadyClock

BEGIN = datetime(2026, 3, 2, 3, tzinfo=UTC)


class Machine:
    """A wall clock that can be set, and the seconds since the machine was started."""

    def __init__(self) -> None:
        self.wall, self.up_s = FixedClock(BEGIN), 1_000.0
        self.clock = SteadyClock(self.wall, elapsed_s=lambda: self.up_s)

    def run(self, seconds: float) -> None:
        self.up_s += seconds
        self.wall.advance(seconds)

    @property
    def off_s(self) -> float:
        """How far the steady clock is from where the time is without any setting."""
        return (self.clock.now() - BEGIN).total_seconds() - (self.up_s - 1_000.0)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("hours", [3.0, -3.0, 26.0, -26.0])
def test_a_jump_there_and_back_moves_nothing(machine: Machine, hours: float) -> None:
    machine.run(100.0)
    machine.wall.advance(hours * 3600)
    for _ in range(20):
        machine.run(30.0)
        assert machine.off_s == pytest.approx(0.0, abs=1e-6)
    machine.wall.advance(-hours * 3600)
    machine.run(5.0)
    assert machine.off_s == pytest.approx(0.0, abs=1e-6)


def test_what_servers_of_time_mend_by_seconds_is_followed(machine: Machine) -> None:
    for _ in range(10):
        machine.wall.advance(40.0)
        machine.run(10.0)
        machine.clock.now()
    assert machine.off_s == pytest.approx(400.0)


def test_a_clock_that_stays_where_it_was_set_is_believed_after_an_hour(machine: Machine) -> None:
    machine.wall.advance(-7 * 3600)
    machine.run(3_500.0)
    assert machine.off_s == pytest.approx(0.0, abs=1e-6)
    machine.run(200.0)
    assert machine.off_s == pytest.approx(-7 * 3600)
    machine.run(10.0)
    assert machine.off_s == pytest.approx(-7 * 3600), "and stays so"


def test_it_moves_on_between_two_looks(machine: Machine) -> None:
    first = machine.clock.now()
    machine.run(0.25)
    assert machine.clock.now() - first == timedelta(seconds=0.25)
