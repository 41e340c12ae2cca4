"""Parameters learned from the first part of a recording, and how they do on the rest, which they have not seen.

On the rest, each gate is run again and again with the trucks that came, at the times at which they came; its queue and
their waits are compared with those recorded. The same with what was in force before, so that one sees what learning has
brought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from geo.corridor import Corridor
from geo.motion import FREE_MPS
from routing.arrays import FloatArray
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import GatePlace, Link, assemble
from routing.parameters import MIN_DRIVE_M, Estimate, Quantity, Z, estimate
from routing.recordings import Drives, Passages, Recording
from routing.series import rank_quantiles
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet

LEARN_SHARE: Final = 0.7
"""Of the recording's time; the rest is held out."""
RUNS: Final = 60
STEP_S: Final = 300.0
MIN_HELD_OUT: Final = 20


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors on the held-out part, with what was learned and with what was in force before."""

    learned: float
    before: float


@dataclass(frozen=True)
class GateFit:
    """One gate on the held-out part: [T] queues every `STEP_S`, recorded and simulated (10, 50, 90 %)."""

    gate_id: str
    trucks: int
    recorded_veh: FloatArray
    simulated_veh: FloatArray
    """[3, T]"""
    before_veh: FloatArray
    """[T] median with what was in force before."""
    queue_error_veh: Errors
    wait_error_s: Errors
    """Of the mean wait of the trucks."""
    mean_wait_s: float
    band_holds: float
    """Share of moments at which the recorded queue lies within the band of 10 to 90 %."""


@dataclass(frozen=True)
class SpeedFit:
    """Travel times of unhindered drives on the held-out part: median relative errors."""

    drives: int
    error: Errors


@dataclass(frozen=True)
class Calibration:
    """What a recording shows, and how it does where it was not learned."""

    estimates: tuple[Estimate, ...]
    gates: tuple[GateFit, ...]
    speeds: SpeedFit | None
    split_s: float
    """Seconds after the recording's start: what comes later was held out."""

    def find(self, quantity: Quantity, subject: str) -> Estimate | None:
        """The estimate of a quantity of an edge or gate, if there is one."""
        return next((e for e in self.estimates if e.quantity == quantity and e.subject == subject), None)


def calibrate(recording: Recording, corridor: Corridor, settings: Sequence[GateSetting], *, seed: int) -> Calibration:
    """Learn from the first `LEARN_SHARE` of a recording and compare with the rest.

    The estimates that are returned are those of the first part: what is shown of the fit is theirs.
    """
    split_s = LEARN_SHARE * recording.length_s
    estimates = estimate(recording.part(0.0, split_s), corridor, settings)
    learned = learned_settings(settings, estimates)
    rest = recording.part(split_s, recording.length_s)
    fits = []
    for before, after in zip(settings, learned, strict=True):
        passages = rest.passages.get(before.gate_id)
        if before.direction == "export" and passages is not None and passages.start_s.size >= MIN_HELD_OUT:
            own = next(
                (e for e in estimates if (e.quantity, e.subject) == (Quantity.SERVICE_MEAN_S, after.gate_id)), None
            )
            spread = 0.0 if own is None else float(np.log(own.high / own.low)) / (2.0 * Z)
            fits.append(_gate_fit(passages, rest, before, after, spread, seed))
    return Calibration(estimates, tuple(fits), _speed_fit(rest.drives, corridor, estimates), split_s)


def learned_settings(settings: Sequence[GateSetting], estimates: Sequence[Estimate]) -> tuple[GateSetting, ...]:
    """The settings with what was learned of exports' entrances and yards."""
    of = {(each.subject, each.quantity): each.value for each in estimates}

    def with_learned(setting: GateSetting) -> GateSetting:
        if setting.direction != "export":
            return setting

        def learned(time: ServiceTime, mean: Quantity, cv: Quantity) -> ServiceTime:
            gate_id = setting.gate_id
            return replace(time, mean_s=of.get((gate_id, mean), time.mean_s), cv=of.get((gate_id, cv), time.cv))

        service = learned(setting.entrance.service, Quantity.SERVICE_MEAN_S, Quantity.SERVICE_CV)
        return replace(
            setting,
            entrance=replace(setting.entrance, service=service),
            dwell=learned(setting.dwell, Quantity.DWELL_MEAN_S, Quantity.DWELL_CV),
        )

    return tuple(with_learned(setting) for setting in settings)


def replay_gate(
    passages: Passages,
    setting: GateSetting,
    recording: Recording,
    seed: int,
    *,
    runs: int = RUNS,
    spread: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """The entrance of a gate with the trucks that came: queues [run, T] every `STEP_S` and starts [run, P], seconds.

    Arguments: `spread`, standard deviation of the logarithm of what the mean service time is believed to be.

    Up to when the last of them came: of those who came later, some may not have been taken yet. Trucks that came before
    the recording began stand there at its start. A truck that is not taken for two weeks: inf.
    """
    network = assemble(
        [Link("to the gate", "start", "gate", 1.0, 10.0, 3.6e6, 1_000_000)], [GatePlace("g", "export", "gate")]
    )
    nothing = ServiceTime(0.0, 0.0, "deterministic")
    alone = GateSetting("g", "export", Server(64, nothing), setting.entrance, nothing)
    links, gates = link_arrays(network), gate_arrays(network, [alone], start=recording.start)
    order = np.argsort(passages.arrived_s, kind="stable")
    arrived_s = np.maximum(passages.arrived_s[order], 0.0)
    trucks = TruckBatch.of(0, 0, arrived_s, to_come=True)
    at_s = _moments(passages)
    queues, starts = np.zeros((runs, at_s.size)), np.zeros((runs, arrived_s.size))
    for number in range(runs):
        rngs = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,))).spawn(3)
        fleet = sample_fleet(network, trucks, [alone], rngs)
        pace = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 1)))
        fleet = fleet._replace(entrance_s=fleet.entrance_s * np.exp(spread * pace.standard_normal()))
        result = simulate(links, gates, fleet, horizon_s=STEP_S, step_s=STEP_S)
        queues[number] = queue_over_time(arrived_s, result.entrance_start_s, at_s)
        starts[number, order] = result.entrance_start_s
    return queues, starts


def _moments(passages: Passages) -> FloatArray:
    return np.arange(0.0, max(float(passages.arrived_s.max(initial=0.0)), STEP_S), STEP_S)


def queue_over_time(arrived_s: FloatArray, start_s: FloatArray, at_s: FloatArray) -> FloatArray:
    """[T] trucks that have come and are not yet taken, at each of `at_s`."""
    came = np.searchsorted(np.sort(arrived_s), at_s, side="right")
    taken = np.searchsorted(np.sort(start_s), at_s, side="right")
    return np.asarray(came - taken, float)


def _gate_fit(
    passages: Passages, rest: Recording, before: GateSetting, after: GateSetting, spread: float, seed: int
) -> GateFit:
    at_s = _moments(passages)
    recorded = queue_over_time(passages.arrived_s, passages.start_s, at_s)
    # Beside the trucks that were noticed others were served: to these alone the gate was so much slower.
    slower = 1.0 / rest.seen_share.get(before.gate_id, 1.0)

    def replayed(setting: GateSetting, spread: float) -> tuple[FloatArray, FloatArray]:
        entrance = replace(setting.entrance, service=setting.entrance.service.scaled(slower))
        return replay_gate(passages, replace(setting, entrance=entrance), rest, seed, spread=spread)

    (queues, starts), (old_queues, old_starts) = replayed(after, spread), replayed(before, 0.0)
    bands = rank_quantiles(queues)
    old_median = rank_quantiles(old_queues)[1]
    mean_wait_s = float((passages.start_s - passages.arrived_s).mean())

    def wait_error(simulated_s: FloatArray) -> float:
        return float(np.abs(np.median(simulated_s, axis=0) - passages.start_s).mean())

    return GateFit(
        gate_id=before.gate_id,
        trucks=int(passages.start_s.size),
        recorded_veh=recorded,
        simulated_veh=bands,
        before_veh=old_median,
        queue_error_veh=Errors(float(np.abs(bands[1] - recorded).mean()), float(np.abs(old_median - recorded).mean())),
        wait_error_s=Errors(wait_error(starts), wait_error(old_starts)),
        mean_wait_s=mean_wait_s,
        band_holds=float(((recorded >= bands[0]) & (recorded <= bands[2])).mean()),
    )


def _speed_fit(drives: Drives, corridor: Corridor, estimates: Sequence[Estimate]) -> SpeedFit | None:
    known: Mapping[str, float] = {e.subject: e.value for e in estimates if e.quantity == Quantity.FREE_SPEED_MPS}
    before = np.array([road.free_speed_mps for road in corridor.roads])
    learned = np.array([known.get(road.edge_id, road.free_speed_mps) for road in corridor.roads])
    free = drives.take((drives.length_m >= MIN_DRIVE_M) & (drives.time_s > 0.0) & ~(drives.slowest_mps < FREE_MPS))
    if free.road_id.size < MIN_HELD_OUT:
        return None

    def error(speed_mps: FloatArray) -> float:
        return float(np.median(np.abs(free.length_m / speed_mps[free.road_id] / free.time_s - 1.0)))

    return SpeedFit(int(free.road_id.size), Errors(error(learned), error(before)))
