"""A forecast as it is published: calibrated by how it fared of late, or what fared better in its place.

The one place where bands are calibrated: the minute stores, plans and advises from what is made here, so every page
shows the same. What is published is kept until its hour comes (`skill_scoring`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting import skill_store
from app.forecasting.served_places import served_km_now
from app.forecasting.skill_rivals import GateRules
from app.forecasting.skill_store import Check, SeriesLead, Standing
from app.forecasting.skill_vocabulary import LEADS_S, Quantity, Source
from app.forecasting.state import CorridorNow
from routing.arrays import FloatArray
from routing.calibration import HIGH, LOW, MIDDLE, Track, calibrate_curve
from routing.forecast import Forecast
from routing.simulation import LIMIT_S

MIDDLE_LEADS_S: Final = tuple((low + high) / 2 for low, high in zip((0, *LEADS_S), LEADS_S, strict=False))
RULES_SINCE: Final = timedelta(hours=24)
"""Trucks that joined a queue earlier count no more."""


@dataclass(frozen=True)
class Published:
    """What a minute publishes.

    `forecast` is the calibrated one; `truck_wait_s` [3, N] the wait of each truck of the state until it is let in, NaN
    where nothing is known; `checks` what is to be kept until its hour comes.
    """

    forecast: Forecast
    truck_wait_s: FloatArray
    checks: tuple[Check, ...]

    @classmethod
    def raw(cls, predicted: Forecast) -> Published:
        """A forecast as the model made it."""
        return cls(predicted, truck_waits(predicted), ())


@dataclass(frozen=True)
class _Candidate:
    """What a source says: centre and calibrated quantiles [3, T], the widths [2, T] they were calibrated in."""

    centre: FloatArray
    quantiles: FloatArray
    widths: FloatArray


@dataclass(frozen=True)
class Curve:
    """A series as it is published, and what each source said of it."""

    raw: FloatArray
    published: FloatArray
    chosen: Mapping[int, Source]
    candidates: Mapping[Source, _Candidate]

    def check(self, series: SeriesLead, index: int, key: int, made_at: datetime, target_at: datetime | None) -> Check:
        """What is kept of sample `index` until its hour comes."""
        own = list(self.candidates.items())
        return Check(
            quantity=series.quantity,
            place_id=series.place_id,
            lead_s=series.lead_s,
            key=key,
            made_at=made_at,
            target_at=target_at,
            published=self.chosen[series.lead_s],
            sources=[source for source, _ in own],
            centre=[float(correction.centre[index]) for _, correction in own],
            low=[float(correction.quantiles[LOW, index]) for _, correction in own],
            middle=[float(correction.quantiles[MIDDLE, index]) for _, correction in own],
            high=[float(correction.quantiles[HIGH, index]) for _, correction in own],
            width_below=[float(correction.widths[0, index]) for _, correction in own],
            width_above=[float(correction.widths[1, index]) for _, correction in own],
            raw_low=float(self.raw[LOW, index]),
            raw_high=float(self.raw[HIGH, index]),
        )


def publish(session: Session, corridor: CorridorNow, predicted: Forecast) -> Published:
    """The forecast as it is published, and what is to be kept of it."""
    now = predicted.made_at
    standings = skill_store.load_standings(session)
    visits = skill_store.gate_visits(session, now - RULES_SINCE, served_km_now(session, now))
    rules = {
        gate_id: GateRules.of([visit for visit in visits if visit.gate_id == gate_id], queue_veh, now)
        for gate_id, queue_veh in corridor.queues_veh.items()
    }
    checks: list[Check] = []
    lead_s: FloatArray = np.arange(predicted.queue_veh.shape[2], dtype=float) * predicted.step_s

    def series(
        quantity: Quantity, place_ids: Sequence[str], arrays: FloatArray, now_is: Mapping[str, float]
    ) -> FloatArray:
        found = arrays.copy()
        for index, place_id in enumerate(place_ids):
            says = {Source.PERSISTENCE: now_is.get(place_id)}
            if quantity is Quantity.WAIT:
                says = {**rules[place_id].waits_s()}
            rivals = {source: np.full(lead_s.size, value) for source, value in says.items() if value is not None}
            is_disturbed = place_id in predicted.disturbed_gates
            curve = publish_curve(
                standings, quantity, place_id, arrays[:, index], lead_s, rivals, is_disturbed=is_disturbed
            )
            found[:, index] = curve.published
            if place_id in now_is:  # "it stays as it is" begins with the same number
                found[:, index, 0] = _begin_measured(curve.published[:, 0], now_is[place_id])
            checks.extend(checks_of_series(curve, quantity, place_id, predicted))
        return found

    tails_km = dict(zip(corridor.gate_ids, map(float, corridor.queue.tail_km), strict=True))
    inside_veh = {yard.yard_id: float(yard.inside_veh) for yard in corridor.yards}
    queue_veh = series(Quantity.QUEUE, predicted.gate_ids, predicted.queue_veh, corridor.queues_veh)
    tail_km = series(Quantity.TAIL, predicted.gate_ids, predicted.tail_km, tails_km)
    calibrated = replace(
        predicted,
        queue_veh=queue_veh,
        wait_s=_beyond(predicted.wait_s, series(Quantity.WAIT, predicted.gate_ids, predicted.wait_s, {})),
        tail_km=tail_km,
        queue_reached_veh=correct_reached(predicted.queue_reached_veh, predicted.queue_veh, queue_veh),
        tail_reached_km=correct_reached(predicted.tail_reached_km, predicted.tail_km, tail_km),
        occupancy_veh=series(Quantity.YARD, predicted.yard_ids, predicted.occupancy_veh, inside_veh),
    )
    is_in = {(visit.trip_id, visit.gate_id) for visit in visits if visit.entered_at is not None}
    entrance_s, wait_s = _trucks(standings, rules, corridor, predicted, checks)
    kept = skill_store.kept_of_trucks(session)
    checks = [
        check
        for check in checks
        if check.target_at is not None
        or ((check.key, check.place_id) not in is_in and (check.series, check.key) not in kept)
    ]
    return Published(replace(calibrated, truck_entrance_s=entrance_s), wait_s, tuple(checks))


def _begin_measured(first: FloatArray, measured: float) -> FloatArray:
    """[3] the first point of a series: what was measured, as unsure as the runs are of it."""
    return np.array([min(first[LOW], measured), measured, max(first[HIGH], measured)])


def correct_reached(reached: FloatArray, raw: FloatArray, published: FloatArray) -> FloatArray:
    """The most that a series comes to, [3, ..., T], corrected by as much as the series itself was; never below it."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.fmax.accumulate(np.fmax(reached + (published - raw), published), axis=-1))


def _beyond(predicted_s: FloatArray, published_s: FloatArray) -> FloatArray:
    """Published waits, infinite where nobody was let in as long as runs went on: behind a yard that stays closed."""
    return np.where(predicted_s >= LIMIT_S, np.inf, published_s)


def truck_waits(predicted: Forecast) -> FloatArray:
    """The wait of each truck until it is let in, [3, N]: how much later that is than with nobody before it."""
    free_s, enter_s = predicted.truck_free_s, predicted.truck_entrance_s
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(free_s) & np.isfinite(enter_s), np.maximum(enter_s - free_s, 0.0), np.nan)


def publish_curve(
    standings: Mapping[SeriesLead, Standing],
    quantity: Quantity,
    place_id: str,
    raw: FloatArray,
    lead_s: FloatArray,
    rivals: Mapping[Source, FloatArray],
    at_least: FloatArray | float = 0.0,
    *,
    is_disturbed: bool = False,
) -> Curve:
    """Every source's quantiles at `lead_s`, and of them what is published; none is below `at_least`.

    A track of trucks is of all leads up to its own, from the one before on: it stands in the middle of those.

    A rival says one value; its spread is the model's until its own errors are known. While a gate is disturbed the
    model's own band is published: how it erred while the gate worked as usual says nothing of how long lanes stay shut,
    which the ensemble has in it.
    """
    at = {lead: standings.get(SeriesLead(quantity, place_id, lead), Standing({})) for lead in LEADS_S}
    chosen = {lead: choice.published if choice.published in rivals else Source.MODEL for lead, choice in at.items()}
    spread = raw - raw[MIDDLE]
    nodes_s = MIDDLE_LEADS_S if quantity.is_of_trucks else LEADS_S
    found: dict[Source, _Candidate] = {}
    published = np.zeros_like(raw)
    for source in (Source.MODEL, *rivals):
        own = raw if source is Source.MODEL else np.maximum(rivals[source] + spread, 0.0)
        is_own = is_disturbed and source is Source.MODEL
        tracks = [Track.empty() if is_own else state.tracks.get(source, Track.empty()) for state in at.values()]
        quantiles, widths = calibrate_curve(
            own, lead_s, nodes_s, tracks, unit=quantity.unit, moves_middle=source is Source.MODEL
        )
        quantiles = np.maximum(quantiles, at_least)
        found[source] = _Candidate(own[MIDDLE], quantiles, widths)
        share = np.interp(lead_s, nodes_s, [float(chosen[lead] is source) for lead in LEADS_S])
        published += np.where(share > 0.0, share * quantiles, 0.0)
    return Curve(raw, published, chosen, found)


def checks_of_series(curve: Curve, quantity: Quantity, place_id: str, predicted: Forecast) -> list[Check]:
    """What is to be kept of a series at each horizon, until its hour comes."""
    key = int(predicted.made_at.timestamp())
    found = []
    for lead in LEADS_S:
        index = round(lead / predicted.step_s)
        if 0 < index < curve.raw.shape[1] and np.isfinite(curve.raw[:, index]).all():
            target_at = predicted.made_at + timedelta(seconds=index * predicted.step_s)
            series = SeriesLead(quantity, place_id, lead)
            found.append(curve.check(series, index, key, predicted.made_at, target_at))
    return found


def _trucks(
    standings: Mapping[SeriesLead, Standing],
    rules: Mapping[str, GateRules],
    corridor: CorridorNow,
    predicted: Forecast,
    checks: list[Check],
) -> tuple[FloatArray, FloatArray]:
    """Entry and wait of each truck as they are published, [3, N]; what is to be kept of them is added to `checks`."""
    entrance_s, wait_s = predicted.truck_entrance_s.copy(), truck_waits(predicted)
    free_s = predicted.truck_free_s
    gate = corridor.state.gate
    if gate is None:
        return entrance_s, wait_s
    for number, gate_id in enumerate(corridor.gate_ids):
        rows = np.array(
            [
                row
                for row in corridor.trip_of_row
                if gate[row] == number and np.isfinite(entrance_s[:, row]).all() and np.isfinite(free_s[:, row]).all()
            ],
            int,
        )
        if not rows.size:
            continue
        trips = [corridor.trip_of_row[row] for row in rows]
        lead_s = predicted.truck_entrance_s[MIDDLE, rows]
        own = rules[gate_id]
        says = [
            own.entry_s(trip, free_s[MIDDLE, row], predicted.made_at) for row, trip in zip(rows, trips, strict=True)
        ]
        rivals = {source: np.array([text[source] for text in says]) for source in Quantity.ENTRY.rivals}
        raw, at_least = predicted.truck_entrance_s[:, rows], free_s[:, rows]  # nobody is let in before it is there
        curve = publish_curve(standings, Quantity.ENTRY, gate_id, raw, lead_s, rivals, at_least)
        entrance_s[:, rows] = curve.published
        checks.extend(_checks_of_trucks(curve, Quantity.ENTRY, gate_id, predicted, trips, lead_s))
        # A truck in the queue has waited already: only the whole wait of those still on the road is a forecast.
        away = np.array([trip not in own.joined_at for trip in trips])
        if away.any():
            coming = rows[away]
            waits = {source: np.full(coming.size, own.waits_s()[source]) for source in Quantity.TRUCK_WAIT.rivals}
            curve = publish_curve(standings, Quantity.TRUCK_WAIT, gate_id, wait_s[:, coming], lead_s[away], waits)
            wait_s[:, coming] = curve.published
            theirs = [trip for trip, is_away in zip(trips, away, strict=True) if is_away]
            checks.extend(_checks_of_trucks(curve, Quantity.TRUCK_WAIT, gate_id, predicted, theirs, lead_s[away]))
    return entrance_s, wait_s


def _checks_of_trucks(
    curve: Curve, quantity: Quantity, gate_id: str, predicted: Forecast, trips: Sequence[int], lead_s: FloatArray
) -> list[Check]:
    """What is kept of each truck: once for each horizon, by how far ahead its entry is expected to be."""
    found = []
    for index, (trip, lead) in enumerate(zip(trips, lead_s, strict=True)):
        node = next((node for node in LEADS_S if lead <= node), None)
        if node is not None:
            found.append(curve.check(SeriesLead(quantity, gate_id, node), index, trip, predicted.made_at, None))
    return found
