"""Trucks of a run as arrays: made, joined, drawn and sorted for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from routing.arrays import NO_YARD, BoolArray, FleetArrays, FloatArray, IntArray
from routing.gates import GateSetting, sample_by_gate
from routing.network import Network


@dataclass(frozen=True)
class TruckBatch:
    """Trucks before the engine sorts them; arrays of equal length, one element a truck."""

    gate: IntArray
    """The gate it crosses (index into `Network.gates`), or -1: it only drives out of the corridor."""
    link: IntArray
    """Where it is or enters; -1 = in a yard of `gate`."""
    ready_s: FloatArray
    """On the road, when it would reach the end of its link freely; to come, when it appears at the start of the link;
    in a yard, when its stay ends."""
    to_come: BoolArray
    perishable: BoolArray
    yard: IntArray
    """The yard it is in (index into `Network.yard_ids`); NO_YARD = in none, or in the roomiest of its gate's."""
    slowness: FloatArray
    """Free travel time of this truck relative to the link's."""
    hold_link: IntArray
    """It leaves the road at the end of this link to wait at a staging area, -1 = nowhere."""
    hold_until_s: FloatArray

    def __len__(self) -> int:
        return int(self.gate.size)

    @classmethod
    def of(
        cls,
        gate: npt.ArrayLike,
        link: npt.ArrayLike,
        ready_s: npt.ArrayLike,
        *,
        to_come: npt.ArrayLike = False,
        perishable: npt.ArrayLike = False,
        yard: npt.ArrayLike = NO_YARD,
        slowness: npt.ArrayLike = 1.0,
        hold_link: npt.ArrayLike = -1,
        hold_until_s: npt.ArrayLike = 0.0,
    ) -> Self:
        """Trucks from anything array-like; single values count for all. Left out: average trucks that are nowhere
        held, on the road already, with other than perishable goods."""
        sizes = [np.size(value) for value in (gate, link, ready_s)]
        n = 0 if 0 in sizes else max(sizes)

        def column(value: npt.ArrayLike, kind: type) -> npt.NDArray[Any]:
            if isinstance(value, int | float):
                return np.full(n, value, kind)
            given: npt.NDArray[Any] = np.asarray(value, kind)
            return given if given.shape == (n,) else np.full(n, given)

        return cls(
            gate=column(gate, np.int64),
            link=column(link, np.int64),
            ready_s=column(ready_s, np.float64),
            to_come=column(to_come, np.bool_),
            perishable=column(perishable, np.bool_),
            yard=column(yard, np.int64),
            slowness=column(slowness, np.float64),
            hold_link=column(hold_link, np.int64),
            hold_until_s=column(hold_until_s, np.float64),
        )

    @classmethod
    def concat(cls, batches: Sequence[TruckBatch]) -> Self:
        """All trucks of several batches, in their order; one batch at least."""
        return cls(*(np.concatenate([getattr(batch, each.name) for batch in batches]) for each in fields(cls)))

    def take(self, index: IntArray | BoolArray) -> Self:
        """Some of the trucks, by index or mask."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))


def sample_slowness(rng: np.random.Generator, n: int, cv: float) -> FloatArray:
    """[n] how slow trucks are beside the average: lognormal with median 1 and coefficient of variation `cv`."""
    slowness = rng.standard_normal(n)
    slowness *= np.sqrt(np.log1p(cv**2))
    return np.asarray(np.exp(slowness, out=slowness))


def sample_arrivals(
    rng: np.random.Generator, rate_veh_per_h: npt.ArrayLike, begin_s: npt.ArrayLike, end_s: npt.ArrayLike
) -> tuple[IntArray, FloatArray]:
    """Poisson arrivals of several streams, each at a constant rate in [begin_s, end_s); arrays that broadcast.

    Returns the stream of each truck and when it comes, by stream, unordered in time.
    """
    span = np.maximum(np.subtract(end_s, begin_s), 0.0)
    expected = np.asarray(rate_veh_per_h) * span / 3600.0
    stream = np.repeat(np.arange(expected.size), rng.poisson(expected).ravel())
    # Adding zeros is how the shape of the streams is had in half the time of `numpy.broadcast_to`.
    zeros = np.zeros(expected.shape)
    begin, lasts = ((zeros + np.asarray(each, float)).ravel()[stream] for each in (begin_s, span))
    return stream, begin + lasts * rng.uniform(size=stream.size)


def sample_fleet(
    network: Network,
    trucks: TruckBatch,
    settings: Sequence[GateSetting],
    rngs: Sequence[np.random.Generator],
    *,
    start_of_day_s: float = 0.0,
) -> FleetArrays:
    """Draw each truck's entrance check, stay and crossing time, and sort the trucks for the engine.

    `start_of_day_s` is the local time of day at which the run begins: how long a truck stays depends on when it comes
    in, which is taken to be as soon as it is free to. `rngs` are three generators (entrance, stay, crossing), apart
    so that a change to one distribution leaves the others' draws as they were: common random numbers between
    scenarios.
    """
    n = len(trucks)
    by_gate = {(s.gate_id, s.direction): s for s in settings}
    ordered = [by_gate[place.gate_id, place.direction] for place in network.gates]
    servers = [setting.servers() for setting in ordered]
    times = (
        [first.service for first, _ in servers],
        [setting.dwell for setting in ordered],
        [second.service for _, second in servers],
    )
    entrance_s, dwell_s, crossing_s = (
        sample_by_gate(own, trucks.gate, rng) for own, rng in zip(times, rngs, strict=True)
    )
    for g, setting in enumerate(ordered):
        if setting.stay_factors.are_even:
            continue
        own = trucks.gate == g
        dwell_s[own] *= setting.stay_factors.of(trucks.perishable[own], start_of_day_s + trucks.ready_s[own])
    index = np.arange(n)
    in_yard = trucks.link < 0
    moving = ~in_yard & ~trucks.to_come
    on_road = index[moving]
    to_come = index[trucks.to_come & ~in_yard]
    hold_link = trucks.hold_link.copy()
    held = np.flatnonzero(hold_link >= 0)
    bound_for = np.where(trucks.gate[held] >= 0, trucks.gate[held], network.way_out)
    hold_link[held[network.next_hop[hold_link[held], bound_for] < 0]] = -1
    return FleetArrays(
        gate=trucks.gate,
        way_out=np.full(n, network.way_out, np.int64),
        link=trucks.link,
        yard=trucks.yard,
        ready_s=trucks.ready_s,
        slowness=trucks.slowness,
        entrance_s=entrance_s,
        dwell_s=dwell_s,
        crossing_s=crossing_s,
        hold_link=hold_link,
        hold_until_s=trucks.hold_until_s,
        on_road=on_road[_by_time(trucks.ready_s[on_road])],
        to_come=to_come[_by_time(trucks.ready_s[to_come])],
        in_yard=index[in_yard],
    )


def _by_time(times_s: FloatArray) -> IntArray:
    """[n] the numbers of `times_s` [n] from the earliest to the latest; those that are equal stay as they are.

    The bits of numbers that are not negative are ordered as they are (IEEE 754): with its number in its last bits,
    which stand for some nanoseconds, each can be sorted as an integer, in a fifth of the time of a stable `argsort`.
    """
    if times_s.size == 0 or times_s.min() < 0.0:
        return np.argsort(times_s, kind="stable")
    bits = times_s.size.bit_length()
    keys = np.abs(times_s).view(np.int64)
    keys >>= bits
    keys <<= bits
    keys |= np.arange(times_s.size)
    keys.sort()
    keys &= (1 << bits) - 1
    return keys


def select_fleet(fleet: FleetArrays, keep: BoolArray) -> FleetArrays:
    """A fleet without the trucks that are not kept, [n] mask."""
    number = np.cumsum(keep) - 1
    orders = ("on_road", "to_come", "in_yard")
    return FleetArrays._make(
        number[index[keep[index]]] if name in orders else index[keep]
        for name, index in zip(FleetArrays._fields, fleet, strict=True)
    )
