"""Each minute: forecasts whose hour has come are scored, and the sources learn from it.

The truth is what every page shows: the queue and its tail as measured, the yard's ledger, and the waits and entries of
trucks as presence judges them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting import skill_store
from app.forecasting.served_places import served_km_now
from app.forecasting.skill_rivals import JOINED_WITHIN, has_joined, realised_wait_s, wait_of
from app.forecasting.skill_store import Check, ScoreSums, SeriesLead, Standing, Visit
from app.forecasting.skill_vocabulary import Quantity, Source
from app.gates.service import profiles
from app.platform.steps import log
from capacity.ledger import YardState
from routing import store as routing_store
from routing.calibration import Band, Track, choose_source, learn
from routing.queue_scores import pinball_losses
from routing.store import QueueObservation

KEEP_SCORES: Final = timedelta(days=60)
KEEP_CHECKS: Final = timedelta(hours=36)
"""What has not been scored for so long cannot be."""
MIN_TOLERANCE: Final = timedelta(minutes=2)
WAIT_FOR_WAITS: Final = timedelta(hours=24)
ENTERED_WITHIN: Final = timedelta(hours=2)
"""How late it may come out that a truck was let in."""
LEVELS: Final = np.array([0.1, 0.5, 0.9])
EMPTY_VEH: Final = 1.0
"""With fewer trucks than this nobody waits."""


@dataclass(frozen=True)
class Scored:
    """A forecast and what came, in its quantity's unit, in the hour that `at` lies in."""

    check: Check
    observed: float
    at: datetime


def tolerance(lead_s: int) -> timedelta:
    """How far from a forecast's hour the observation may be that it is scored with: an eighth of the horizon."""
    return max(MIN_TOLERANCE, timedelta(seconds=lead_s / 8))


def score_due(session: Session, now: datetime, yards: Sequence[YardState]) -> int:
    """Score what can be scored now; how many forecasts.

    Args:
        yards: The yards as the corridor's state of this minute has them.
    """
    due = skill_store.due_checks(session, now)
    waiting = [check.target_at for check in due if check.quantity == Quantity.WAIT and check.target_at]
    since = min([now - ENTERED_WITHIN, *waiting]) - JOINED_WITHIN
    visits = skill_store.gate_visits(session, max(since, now - KEEP_CHECKS), served_km_now(session, now))
    truth = _Truth(session, now, yards, visits, due)
    scored, done = [], []
    for check in due:
        observed, is_final = truth.of_series(check)
        if observed is not None and check.target_at is not None:
            scored.append(Scored(check, observed, check.target_at))
        if observed is not None or is_final:
            done.append(check)
    by_trip = {(visit.trip_id, visit.gate_id): visit for visit in visits if visit.entered_at is not None}
    for check in skill_store.truck_checks(session, [trip_id for trip_id, _ in by_trip]):
        visit = by_trip.get((check.key, check.place_id))
        if visit is None or visit.entered_at is None:
            continue
        done.append(check)
        observed = _observed_of_truck(check, visit)
        if observed is not None:
            scored.append(Scored(check, observed, visit.entered_at))
    skill_store.add_scores(session, sum_scores(scored))
    _learn(session, scored, now)
    skill_store.delete_checks(session, done)
    return len(scored)


def prune(session: Session, now: datetime) -> None:
    """Drop old scores, and forecasts that could never be scored."""
    skill_store.prune(session, scores_before=now - KEEP_SCORES, checks_before=now - KEEP_CHECKS)


class _Truth:
    """What came, for the forecasts of series that are due."""

    def __init__(
        self,
        session: Session,
        now: datetime,
        yards: Sequence[YardState],
        visits: Sequence[Visit],
        due: Sequence[Check],
    ) -> None:
        self.now = now
        self.inside_veh = {yard.yard_id: float(yard.inside_veh) for yard in yards}
        self.profiles = profiles(session, now)
        self.visits: dict[str, list[Visit]] = defaultdict(list)
        for visit in visits:
            self.visits[visit.gate_id].append(visit)
        self.queues: dict[str, Sequence[QueueObservation]] = {}
        targets: dict[str, list[datetime]] = defaultdict(list)
        for check in due:
            if check.quantity in Quantity.of_gates() and check.target_at is not None:
                targets[check.place_id].append(check.target_at)
        margin = timedelta(hours=1)
        for gate_id, moments in targets.items():
            until = now + timedelta(seconds=1)
            self.queues[gate_id] = routing_store.queue_observations(session, gate_id, min(moments) - margin, until)

    def of_series(self, check: Check) -> tuple[float | None, bool]:
        """What came, and, if that is not known, whether it never will be."""
        assert check.target_at is not None
        late = self.now - check.target_at
        within = tolerance(check.lead_s)
        if check.quantity == Quantity.YARD:
            inside_veh = self.inside_veh.get(check.place_id)
            return (inside_veh if late <= within else None), True
        queue = self._queue_at(check.place_id, check.target_at, within)
        if check.quantity == Quantity.WAIT:
            return self._wait(check, queue)
        if queue is None:
            return None, True
        return (queue.queue_veh if check.quantity == Quantity.QUEUE else queue.tail_km), True

    def _queue_at(self, gate_id: str, moment: datetime, within: timedelta) -> QueueObservation | None:
        known = self.queues.get(gate_id, ())
        index = bisect_left(known, moment, key=lambda sample: sample.time)
        near = [known[i] for i in (index - 1, index) if 0 <= i < len(known)]
        best = min(near, key=lambda sample: abs(sample.time - moment), default=None)
        return best if best is not None and abs(best.time - moment) <= within else None

    def _wait(self, check: Check, queue: QueueObservation | None) -> tuple[float | None, bool]:
        assert check.target_at is not None
        late = self.now - check.target_at
        if late < JOINED_WITHIN:
            return None, False
        visits = self.visits[check.place_id]
        found = realised_wait_s(visits, check.target_at)
        if found is not None:
            return found, True
        if has_joined(visits, check.target_at):
            return None, late > WAIT_FOR_WAITS
        profile = self.profiles.get(check.place_id)
        is_open = profile is None or profile.exports.opening_hours.next_open(check.target_at) == check.target_at
        nobody_waits = queue is not None and queue.queue_veh < EMPTY_VEH and is_open
        return (0.0 if nobody_waits else None), True


def _observed_of_truck(check: Check, visit: Visit) -> float | None:
    assert visit.entered_at is not None
    if visit.entered_at < check.made_at:
        return None  # it was in already when the forecast was made, as came out later
    if check.quantity == Quantity.ENTRY:
        return (visit.entered_at - check.made_at).total_seconds()
    return wait_of(visit) or 0.0


def sum_scores(scored: Sequence[Scored]) -> list[ScoreSums]:
    """The scores of forecasts, by series, horizon, source and hour; of what was published, too."""
    groups: dict[tuple[SeriesLead, Source, datetime], list[tuple[list[float], float]]] = defaultdict(list)
    for score in scored:
        check, hour = score.check, score.at.replace(minute=0, second=0, microsecond=0)
        for source, band in issued(check).items():
            groups[(check.series, source, hour)].append((band, score.observed))
    found = []
    for (series, source, hour), pairs in groups.items():
        quantiles, observed = np.array([q for q, _ in pairs]), np.array([value for _, value in pairs])
        low, middle, high = pinball_losses(quantiles, LEVELS, observed).sum(axis=0)
        errors = quantiles[:, 1] - observed
        found.append(
            ScoreSums(
                quantity=series.quantity,
                place_id=series.place_id,
                lead_s=series.lead_s,
                source=source,
                hour=hour,
                n=len(pairs),
                error=float(errors.sum()),
                abs_error=float(np.abs(errors).sum()),
                pinball_low=float(low),
                pinball_middle=float(middle),
                pinball_high=float(high),
                below_n=int((observed < quantiles[:, 0]).sum()),
                above_n=int((observed > quantiles[:, 2]).sum()),
            )
        )
    return found


def issued(check: Check) -> dict[Source, list[float]]:
    """The quantiles that each source gave; a rival's median is what it says, without any correction."""
    found: dict[Source, list[float]] = {}
    for index, name in enumerate(check.sources):
        low, middle, high = check.low[index], check.middle[index], check.high[index]
        found[Source(name)] = [low, middle if name == Source.MODEL else check.centre[index], high]
        if name == check.published:
            found[Source.PUBLISHED] = [low, middle, high]
        if name == Source.MODEL:
            found[Source.RAW] = [check.raw_low, check.centre[index], check.raw_high]
    return found


def _learn(session: Session, scored: Sequence[Scored], now: datetime) -> None:
    """Bring every source's track up to date, and choose what is published from now on."""
    if not scored:
        return
    groups: dict[SeriesLead, list[Scored]] = defaultdict(list)
    for score in scored:
        groups[score.check.series].append(score)
    known = skill_store.load_standings(session)
    changed = {
        series: learn_standing(series, known.get(series, Standing({})), own, now) for series, own in groups.items()
    }
    skill_store.save_standings(session, changed)


def learn_standing(series: SeriesLead, before: Standing, scored: Sequence[Scored], now: datetime) -> Standing:
    """How a series stands after some of its forecasts were scored."""
    tracks: dict[Source, Track] = dict(before.tracks)
    batches: Mapping[Source, list[tuple[Band, float, float]]] = defaultdict(list)
    for score in scored:
        check = score.check
        for index, name in enumerate(check.sources):
            band = Band(
                check.low[index],
                check.middle[index],
                check.high[index],
                check.width_below[index],
                check.width_above[index],
            )
            batches[Source(name)].append((band, check.centre[index], score.observed))
    time_h = now.timestamp() / 3600.0
    for source, batch in batches.items():
        bands, centres, observed = zip(*batch, strict=True)
        tracks[source] = learn(tracks.get(source, Track.empty()), bands, centres, observed, time_h)
    published = choose_source(before.published, Source.MODEL, tracks, series.lead_s / 3600.0)
    if published == before.published:
        return Standing(tracks, published, before.since)
    log.info(
        "forecast source changed",
        quantity=series.quantity,
        place=series.place_id,
        lead_s=series.lead_s,
        source=str(published),
        errors={str(source): round(track.mean_error, 2) for source, track in tracks.items()},
    )
    return Standing(tracks, published, now)
